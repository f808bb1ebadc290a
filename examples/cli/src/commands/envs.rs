//! `ibyok envs`

use ibyok_core::{EnvironmentName, environments::Class};

use super::Cx;
use super::confirm::confirm;
use crate::access::{Listed, document_of as document};
use crate::error::Result;
use crate::exit::Exit;
use crate::show::clean;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// List the environments
    List,
    /// Create an environment
    Add {
        /// The name: lower-case letters, digits and `-`
        name: String,
        /// The class that guardrails apply to it: dev, staging or prod [default: by its name, else prod]
        #[arg(long, value_name = "CLASS")]
        class: Option<String>,
    },
    /// Remove a damaged environment with its keys and tokens
    Remove {
        /// The name of the environment, or the id of its record; `envs list` shows both
        #[arg(long, value_name = "ID")]
        damaged: String,
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
                let page = here.session().environments().list().await?;
                let items: Result<Vec<_>> = page.items.iter().map(document).collect();
                let list = Listed::of(items?, page.damaged, page.incomplete);
                cx.answer_list(list, &COLUMNS, "no environments")
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
                let made = document(&here.session().environments().add(name, class).await?)?;
                cx.answer_one(&made, &COLUMNS)
            })
            .await
        }
        Verb::Remove { damaged } => remove(&damaged, cx).await,
    }
}

async fn remove(which: &str, cx: &mut Cx<'_>) -> Result<Exit> {
    let shown = clean(which);
    confirm(
        cx,
        &format!("remove the damaged environment `{shown}`"),
        "the vault loses its keys and tokens",
    )?;
    cx.with_vault("envs remove --damaged", async |here, cx| {
        let removed = document(&here.session().environments().remove_damaged(which).await?)?;
        if cx.globals.json {
            cx.io.answer_json(&removed)?;
        }
        cx.io.say(&format!("removed {shown}"));
        Ok(Exit::Done)
    })
    .await
}
