//! `ibyok namespaces`

use ibyok_core::{EnvironmentName, Namespace, environments::Class, namespaces::NamespaceRemoval};

use super::Cx;
use super::confirm::confirm;
use crate::access::document_of as document;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::show::clean;
use ibyok_core::audit::words::counted;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// List the namespaces with their environments
    List,
    /// Create a namespace
    Add {
        /// The name: lower-case letters, digits and `-`, at most 63 characters
        name: String,
        /// Create this environment instead of dev, staging and prod; `live=prod` also sets its class. Repeatable
        #[arg(long = "env", value_name = "ENV[=CLASS]")]
        environments: Vec<String>,
    },
    /// Remove a namespace: revoke its tokens, remove its keys and destroy its environment keys
    Remove {
        /// The name of the namespace
        name: String,
        /// Remove the namespace even if it has keys or valid tokens; repeat its name here
        #[arg(long, value_name = "NAME")]
        force: Option<String>,
    },
}

const COLUMNS: [(&str, &str); 3] = [("NAME", "name"), ("ENVIRONMENTS", "environments"), ("HOME", "home")];

pub(super) async fn run(verb: Verb, cx: &mut Cx<'_>) -> Result<Exit> {
    match verb {
        Verb::List => {
            cx.with_vault("namespaces list", async |here, cx| {
                let namespaces = here.namespaces().await?.list().await?;
                let items = namespaces.iter().map(document).collect::<Result<Vec<_>>>()?;
                cx.answer_list(items, &COLUMNS, "no namespaces")
            })
            .await
        }
        Verb::Add { name, environments } => add(&name.parse()?, &environments, cx).await,
        Verb::Remove { name, force } => remove(name.parse()?, force, cx).await,
    }
}

async fn add(name: &Namespace, environments: &[String], cx: &mut Cx<'_>) -> Result<Exit> {
    let environments: Vec<_> = environments
        .iter()
        .map(|text| environment(text))
        .collect::<Result<_>>()?;
    cx.with_vault("namespaces add", async |here, cx| {
        let namespaces = here.namespaces().await?;
        let made = if environments.is_empty() {
            namespaces.create(name).await?
        } else {
            namespaces.create_with(name, &environments).await?
        };
        cx.answer_one(&document(&made)?, &COLUMNS)
    })
    .await
}

/// An environment with its class: as given, else by its name.
fn environment(text: &str) -> Result<(EnvironmentName, Class)> {
    let (name, class) = match text.split_once('=') {
        Some((name, class)) => (name, Some(class.parse()?)),
        None => (text, None),
    };
    let name: EnvironmentName = name.parse()?;
    let class = class.unwrap_or_else(|| Class::of(&name));
    Ok((name, class))
}

async fn remove(name: Namespace, force: Option<String>, cx: &mut Cx<'_>) -> Result<Exit> {
    if let Some(named) = &force
        && named != name.as_str()
    {
        return Err(Error::usage(
            format!("`--force {}` does not name the namespace `{name}`", clean(named)),
            "repeat the name of the namespace to remove",
        ));
    }
    let consequence = match &force {
        Some(_) => "the vault destroys its keys and tokens",
        None => "the vault destroys its environment keys",
    };
    confirm(cx, &format!("remove the namespace `{name}`"), consequence)?;
    cx.with_vault("namespaces remove", async |here, cx| {
        let removal = force.map(NamespaceRemoval::with_contents_of).unwrap_or_default();
        let removed = here.namespaces().await?.remove(&name, &removal).await?;
        if cx.globals.json {
            cx.io.answer_json(&document(&removed)?)?;
        }
        cx.io.say(&format!(
            "removed the namespace `{name}` with {}, {} and {}",
            counted(removed.keys, "key"),
            counted(removed.tokens, "valid token"),
            counted(removed.damaged, "damaged record")
        ));
        if let Some(remains) = &removed.remains {
            cx.io.warn(&clean(remains));
        }
        Ok(Exit::Done)
    })
    .await
}
