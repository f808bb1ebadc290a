//! `ibyok limits`

use ibyok_api::EnvironmentLimit;
use ibyok_core::{EnvironmentName, policy::Rate};

use super::Cx;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::show::clean;
use crate::table::Column;
use ibyok_reports::cell::Cell;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Show the default rate limit of each environment, which applies to keys without their own limit
    Show {
        /// Show only this environment
        #[arg(value_name = "ENV")]
        env: Option<String>,
    },
    /// Set the default rate limit of an environment, which applies to keys without their own limit
    Set {
        /// The environment
        #[arg(value_name = "ENV")]
        env: String,
        /// The rate: a number per `sec`, `min`, `hour` or `day`, for example `60/min`; `none` removes the limit
        #[arg(value_name = "RATE", allow_hyphen_values = true)]
        limit: String,
    },
}

const COLUMNS: [Column<EnvironmentLimit>; 3] = [
    ("ENVIRONMENT", |one| one.environment.cell()),
    ("LIMIT", |one| one.limit.cell()),
    ("SCOPE", |one| one.scope.cell()),
];

pub(super) async fn run(verb: Verb, cx: &mut Cx<'_>) -> Result<Exit> {
    match verb {
        Verb::Show { env } => {
            let environment: Option<EnvironmentName> = env.as_deref().map(str::parse).transpose()?;
            cx.with_access(async |access, cx| {
                let limits = access.limits(environment.as_ref()).await?;
                cx.answer_documents(&limits, &COLUMNS, "no environments")
            })
            .await
        }
        Verb::Set { env, limit } => {
            let environment: EnvironmentName = env.parse()?;
            let limit = rate_or_none(&limit)?;
            cx.with_access(async |access, cx| {
                let set = access.set_limit(&environment, limit).await?;
                let [environment, limit, scope] = COLUMNS.map(|(_, member)| member);
                cx.answer_document(
                    &set,
                    &[("environment", environment), ("limit", limit), ("scope", scope)],
                )
            })
            .await
        }
    }
}

/// A rate as it is typed.
pub(super) fn rate(text: &str) -> Result<Rate> {
    let shown: String = text.chars().take(64).collect();
    text.parse().map_err(|_| {
        Error::usage(
            format!("rate `{}` is not valid", clean(&shown)),
            "write a rate such as `60/min`: a number from 1 to 4294967295 per `sec`, `min`, `hour` or `day`",
        )
    })
}

/// The same, or `none`.
pub(super) fn rate_or_none(text: &str) -> Result<Option<Rate>> {
    match text {
        "none" => Ok(None),
        other => rate(other).map(Some),
    }
}
