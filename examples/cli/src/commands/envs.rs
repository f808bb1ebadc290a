//! `ibyok envs`

use ibyok_core::{Class, EnvironmentName};

use super::Cx;
use crate::access::document_of as document;
use crate::error::Result;
use crate::exit::Exit;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// List the environments
    List,
    /// Make an environment
    Add {
        /// Its name: small letters, digits and `-`
        name: String,
        /// What guardrails take it for: dev, staging or prod [default: by its name, else prod]
        #[arg(long, value_name = "CLASS")]
        class: Option<String>,
    },
}

const COLUMNS: [(&str, &str); 6] = [
    ("NAME", "name"),
    ("CLASS", "class"),
    ("TAG", "tag"),
    ("KEK", "kek"),
    ("GENERATION", "generation"),
    ("CREATED", "created"),
];

pub(super) async fn run(verb: Verb, cx: &mut Cx<'_>) -> Result<Exit> {
    match verb {
        Verb::List => {
            cx.with_vault("envs list", async |here, cx| {
                let environments = here.session.environments().await?;
                let items = environments.iter().map(document).collect::<Result<Vec<_>>>()?;
                cx.answer_list(items, &COLUMNS, "no environments")
            })
            .await
        }
        Verb::Add { name, class } => {
            let name: EnvironmentName = name.parse()?;
            let class = class
                .map(|class| class.parse())
                .transpose()?
                .unwrap_or_else(|| Class::of(&name));
            cx.with_vault("envs add", async |here, cx| {
                let made = document(&here.session.add_environment(name, class).await?)?;
                cx.answer_one(&made, &COLUMNS)
            })
            .await
        }
    }
}
