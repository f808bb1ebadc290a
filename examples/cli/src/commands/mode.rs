//! `ibyok mode`: shows or sets whether the vault serves the values of an environment live or as mocks.

use ibyok_api as api;
use ibyok_api::EnvironmentMode;
use ibyok_core::{EnvironmentName, modes::Mode};

use super::Cx;
use crate::error::Result;
use crate::exit::Exit;
use crate::table::Column;
use ibyok_reports::cell::Cell;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Show the mode of each environment, and the setting that decided it
    Show {
        /// Show only this environment
        #[arg(value_name = "ENV")]
        env: Option<String>,
    },
    /// Set the mode of an environment, which applies to keys without their own mode
    Set {
        /// The environment
        #[arg(value_name = "ENV")]
        env: String,
        /// `mock` or `live`
        #[arg(value_name = "MODE")]
        mode: String,
    },
}

const COLUMNS: [Column<EnvironmentMode>; 7] = [
    ("ENVIRONMENT", |one| one.environment.cell()),
    ("CLASS", |one| one.class.cell()),
    ("GUARDRAIL", |one| one.guardrail.cell()),
    ("MOCK ALLOWED", |one| one.mock_allowed.cell()),
    ("DEFAULT", |one| one.default.cell()),
    ("MODE", |one| one.mode.cell()),
    ("DECIDED BY", |one| one.mode_source.cell()),
];

pub(super) async fn run(verb: Verb, cx: &mut Cx<'_>) -> Result<Exit> {
    match verb {
        Verb::Show { env } => show(env.as_deref(), cx).await,
        Verb::Set { env, mode } => set(&env, &mode, cx).await,
    }
}

async fn show(environment: Option<&str>, cx: &mut Cx<'_>) -> Result<Exit> {
    let environment: Option<EnvironmentName> = environment.map(str::parse).transpose()?;
    cx.with_access(async |access, cx| {
        let mut list = access.modes().await?;
        let items = &mut list.items;
        if let Some(environment) = &environment {
            items.retain(|item| item.environment == environment.as_str());
            if items.is_empty() {
                return Err(ibyok_core::Error::NotFound {
                    what: format!("environment `{environment}` whose mode you may see"),
                    hint: Some("`ibyok mode show` lists them".into()),
                }
                .into());
            }
        }
        for item in items.iter() {
            if let Some(problem) = &item.problem {
                let environment = &item.environment;
                cx.io.warn(&format!(
                    "warning: {environment}: the vault refuses its keys: {problem}"
                ));
            }
        }
        cx.answer_documents(&list, &COLUMNS, "no environments")
    })
    .await
}

async fn set(environment: &str, mode: &str, cx: &mut Cx<'_>) -> Result<Exit> {
    let (environment, mode): (EnvironmentName, Mode) = (environment.parse()?, mode.parse()?);
    cx.with_access(async |access, cx| {
        let set = access.set_mode(&environment, mode).await?;
        say_if_overruled(cx, set.mode.as_ref(), mode.as_str());
        cx.answer_document(&set, &COLUMNS.map(|(head, member)| (lower(head), member)))
    })
    .await
}

/// Warns if a guardrail overrules the mode that was set, so that another mode is served.
pub(super) fn say_if_overruled(cx: &mut Cx<'_>, served: Option<&api::Mode>, set: &str) {
    if let Some(served) = served.filter(|served| served.as_str() != set) {
        cx.io.warn(&format!(
            "warning: set to {set}, but a guardrail overrides the setting: the vault serves {served} values"
        ));
    }
}

fn lower(head: &'static str) -> &'static str {
    match head {
        "ENVIRONMENT" => "environment",
        "CLASS" => "class",
        "GUARDRAIL" => "guardrail",
        "MOCK ALLOWED" => "mock allowed",
        "DEFAULT" => "default",
        "MODE" => "mode",
        _ => "decided by",
    }
}
