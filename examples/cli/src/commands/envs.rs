//! `ibyok envs`

use ibyok_core::{EnvironmentName, environments::Class};
use ibyok_settings::{KekChange, KekChoice, Passphrase, operator_name};

use super::Cx;
use super::confirm::confirm;
use super::kek::for_environment;
use crate::access::{Listed, document_of as document, only_here};
use crate::error::Result;
use crate::exit::Exit;
use crate::show::clean;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// List the environments
    List,
    /// Create an environment; `--kek KEK` gives it a KEK of its own
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
            match for_environment(cx)? {
                Some(kek) => add_with_kek(name, class, &kek, cx).await,
                None => add(name, class, cx).await,
            }
        }
        Verb::Remove { damaged } => remove(&damaged, cx).await,
    }
}

async fn add(name: EnvironmentName, class: Class, cx: &mut Cx<'_>) -> Result<Exit> {
    cx.with_vault("envs add", async |here, cx| {
        let made = document(&here.session().environments().add(name, class).await?)?;
        cx.answer_one(&made, &COLUMNS)
    })
    .await
}

/// Gives the environment its KEK first, so that its key is never under another one.
async fn add_with_kek(name: EnvironmentName, class: Class, kek: &KekChoice, cx: &mut Cx<'_>) -> Result<Exit> {
    only_here("envs add --kek", cx.globals, cx.environment)?;
    let mut globals = cx.globals.clone();
    // The flags are about the new environment, and not about the vault.
    globals.settings.kek.clear();
    if kek.is_local() {
        globals.settings.kek_file = None;
    }
    let settings = crate::settings::resolve(&globals, cx.environment)?;
    let (ask, new) = (crate::settings::ask(), crate::settings::ask_twice());
    let ask = ask.as_ref().map(|ask| ask as Passphrase<'_>);
    let new = new.as_ref().map(|ask| ask as Passphrase<'_>);
    let change = KekChange::to(kek).environment(Some(&name)).passphrases(ask, new);
    let given = settings.give_kek(&operator_name(), change).await?;
    let mut own = Cx {
        globals: &globals,
        environment: cx.environment,
        io: &mut *cx.io,
        if_version: cx.if_version,
    };
    let added = add(name, class, &mut own).await;
    if added.is_err() {
        given.take_back()?;
    } else if let Some(path) = given.kek_file() {
        cx.io.say(&format!(
            "copy this file to a safe place, apart from the vault; without this file nobody can open the environment:\n  {}",
            path.display()
        ));
    }
    added
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
