//! `ibyok limits`

use ibyok_core::{EnvironmentName, Rate};
use serde_json::Value;

use super::Cx;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::show::clean;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Show how often each key of an environment may be retrieved that has no limit of its own
    Show {
        /// Of this environment only
        #[arg(value_name = "ENV")]
        env: Option<String>,
    },
    /// Set how often each key of an environment may be retrieved that has no limit of its own
    Set {
        /// The environment
        #[arg(value_name = "ENV")]
        env: String,
        /// How often: a number a `sec`, `min`, `hour` or `day`, or `none`
        #[arg(value_name = "RATE", allow_hyphen_values = true)]
        limit: String,
    },
}

const COLUMNS: [(&str, &str); 3] = [("ENVIRONMENT", "environment"), ("LIMIT", "limit"), ("SCOPE", "scope")];

pub(super) async fn run(verb: Verb, cx: &mut Cx<'_>) -> Result<Exit> {
    match verb {
        Verb::Show { env } => {
            let environment: Option<EnvironmentName> = env.as_deref().map(str::parse).transpose()?;
            cx.with_access(async |access, cx| {
                cx.answer_list(access.limits(environment.as_ref()).await?, &COLUMNS, "no environments")
            })
            .await
        }
        Verb::Set { env, limit } => {
            let environment: EnvironmentName = env.parse()?;
            let limit = rate_or_none(&limit)?;
            cx.with_access(async |access, cx| {
                let set = access.set_limit(&environment, limit).await?;
                cx.answer_one(
                    &set,
                    &[("environment", "environment"), ("limit", "limit"), ("scope", "scope")],
                )
            })
            .await
        }
    }
}

/// Over what a limit counts, in words.
pub(super) fn counting(scope: &Value) -> &'static str {
    match scope.as_str() {
        Some("shared") => "all servers count together",
        Some("node") => "each server counts by itself",
        _ => "on each server, or over all of them where the store is Redis",
    }
}

/// A rate as it is typed.
pub(super) fn rate(text: &str) -> Result<Rate> {
    let shown: String = text.chars().take(64).collect();
    text.parse().map_err(|_| {
        Error::usage(
            format!("rate `{}` is not valid", clean(&shown)),
            "a rate is `60/min`: a number from 1 to 4294967295 a `sec`, `min`, `hour` or `day`",
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
