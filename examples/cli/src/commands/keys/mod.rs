//! `ibyok keys`

mod args;
mod list;
mod shown;

use std::collections::BTreeMap;

use ibyok_core::{
    jiff::Timestamp,
    keys::{Interval, KeyEdit, KeyId, KeyWrite},
    modes::Mode,
    policy::Rate,
};
use ibyok_reports::keys;

use self::args::{Bounds, Edit, Switch, Write};
pub(crate) use self::args::{Force, Verb};
use self::shown::WRITTEN;
pub(super) use self::shown::about;
use super::Cx;
use super::confirm::confirm;
use super::limits::rate_or_none;
use super::mode::say_if_overruled;
use super::time::ahead;
use crate::access::{KeyArgument, document_of as document};
use crate::error::{Error, Result};
use crate::exit::Exit;

pub(super) async fn run(verb: Verb, cx: &mut Cx<'_>) -> Result<Exit> {
    cx.if_version = verb.if_version();
    match verb {
        Verb::Set(args) => write(args.write, false, cx).await,
        Verb::Add(args) => write(args, true, cx).await,
        Verb::List { env } => list::run(env.as_deref(), cx).await,
        Verb::Show { key } => show(&key, cx).await,
        Verb::Edit(args) => edit(args, cx).await,
        Verb::Disable(args) => switch(&args, Switched::Off, cx).await,
        Verb::Enable(args) => switch(&args.switch, Switched::On(args.force.reason()), cx).await,
        Verb::Mode { key, mode, .. } => set_mode(&key, &mode, cx).await,
        Verb::Copy { from, to, replace } => copy(&from, &to, replace, cx).await,
        Verb::Remove { key: Some(key), .. } => remove(&key, cx).await,
        Verb::Remove {
            key: None,
            damaged,
            force,
            ..
        } => remove_damaged(damaged, force, cx).await,
    }
}

async fn copy(from: &str, to: &str, replace: bool, cx: &mut Cx<'_>) -> Result<Exit> {
    let (from, to): (KeyArgument, KeyArgument) = (from.parse()?, to.parse()?);
    cx.with_access(async |access, cx| {
        let (from, to) = (from.resolve(access).await?, to.resolve(access).await?);
        let written = access.copy(&from, &to, replace).await?;
        cx.io.notes(keys::written(&written));
        cx.answer_document(&written, &WRITTEN)
    })
    .await
}

async fn write(args: Write, new: bool, cx: &mut Cx<'_>) -> Result<Exit> {
    let key: KeyArgument = args.key.parse()?;
    let limit = args.bounds.limit()?;
    let (rotate_every, expires) = args.bounds.times()?;
    let labels = (!args.label.is_empty()).then(|| labels(&args.label)).transpose()?;
    let fields = args.value.read(cx.io)?;
    let write = KeyWrite::new(fields)
        .provider(args.provider)
        .variable(args.var)
        .labels(labels)
        .limit(limit)
        .rotate_every(rotate_every)
        .expires(expires)
        .force(args.force.reason());
    cx.with_access(async |access, cx| {
        let key = key.resolve(access).await?;
        let written = access.write(&key, write, new).await?;
        cx.io.notes(keys::written(&written));
        cx.answer_document(&written, &WRITTEN)
    })
    .await
}

async fn show(key: &str, cx: &mut Cx<'_>) -> Result<Exit> {
    about(key, cx, async |access, key| access.show(key).await).await
}

async fn edit(args: Edit, cx: &mut Cx<'_>) -> Result<Exit> {
    let times = args.bounds.times()?;
    let no_facts = args.provider.is_none() && args.var.is_none() && args.label.is_empty();
    if no_facts && args.bounds.is_empty() {
        return Err(Error::usage(
            "no change is given",
            "give `--provider`, `--var`, `--label`, `--rate-limit`, `--rotate-every` or `--expires`",
        ));
    }
    let mut edit = KeyEdit::default();
    (edit.rotate_every, edit.expires) = times;
    edit.provider = args.provider;
    edit.variable = args.var;
    edit.limit = args.bounds.limit()?;
    edit.labels = labels(&args.label)?
        .into_iter()
        .map(|(name, value)| (name, Some(value).filter(|v| !v.is_empty())))
        .collect();
    about(&args.key, cx, async |access, key| access.edit(key, edit).await).await
}

/// The state to switch a key to.
enum Switched {
    Off,
    /// Enabled. A reason enables a leaked value too.
    On(Option<String>),
}

async fn switch(args: &Switch, to: Switched, cx: &mut Cx<'_>) -> Result<Exit> {
    if args.key.contains('#') {
        return Err(Error::usage(
            "a single field cannot be enabled or disabled",
            "remove `#field`",
        ));
    }
    about(&args.key, cx, async |access, key| {
        let key = match args.version {
            Some(_) => key.clone().at_version(args.version),
            None => key.clone(),
        };
        match to {
            Switched::Off => access.switch(&key, false).await,
            Switched::On(None) => access.switch(&key, true).await,
            Switched::On(Some(reason)) => access.enable_by_force(&key, &reason).await,
        }
    })
    .await
}

async fn set_mode(key: &str, mode: &str, cx: &mut Cx<'_>) -> Result<Exit> {
    let set: Option<Mode> = match mode {
        "inherit" => None,
        "mock" => Some(Mode::Mock),
        "live" => Some(Mode::Live),
        other => {
            return Err(Error::usage(
                format!("`{}` is not a mode", crate::show::clean(other)),
                "give `mock`, `live` or `inherit`",
            ));
        }
    };
    let mut shown = None;
    let exit = about(key, cx, async |access, key| {
        let info = access.key_mode(key, set).await?;
        shown.clone_from(&info.mode);
        Ok(info)
    })
    .await?;
    if let Some(set) = set {
        say_if_overruled(cx, shown.as_ref(), set.as_str());
    }
    Ok(exit)
}

async fn remove(key: &str, cx: &mut Cx<'_>) -> Result<Exit> {
    let parsed: KeyArgument = key.parse()?;
    confirm(cx, &format!("remove the key `{key}`"), "all its versions are destroyed")?;
    cx.with_access(async |access, cx| {
        let key = parsed.resolve(access).await?;
        let removed = access.remove(&key).await?;
        if cx.globals.json {
            cx.io.answer_json(&removed)?;
        }
        cx.io.say(&format!("removed {key}"));
        Ok(Exit::Done)
    })
    .await
}

async fn remove_damaged(id: Option<KeyId>, force: bool, cx: &mut Cx<'_>) -> Result<Exit> {
    let id = id.ok_or_else(|| Error::usage("no key is given", "give a REF, or `--damaged ID`"))?;
    confirm(
        cx,
        &format!("remove the damaged key `{id}`"),
        "the vault loses its values",
    )?;
    cx.with_vault("keys remove --damaged", async |here, cx| {
        let session = here.session();
        let removed = match force {
            true => session.keys().remove_damaged_by_force(id).await?,
            false => session.keys().remove_damaged(id).await?,
        };
        let removed = document(&removed)?;
        if cx.globals.json {
            cx.io.answer_json(&removed)?;
        }
        cx.io.say(&format!("removed {id}"));
        Ok(Exit::Done)
    })
    .await
}

/// The change of a setting that can also be taken away.
type Change<T> = Option<Option<T>>;

impl Bounds {
    fn is_empty(&self) -> bool {
        self.rate_limit.is_none() && self.rotate_every.is_none() && self.expires.is_none()
    }

    /// Parses the limit of retrievals.
    fn limit(&self) -> Result<Change<Rate>> {
        self.rate_limit.as_deref().map(rate_or_none).transpose()
    }

    /// Parses the interval of rotations and the end of the key. `none` removes either.
    fn times(&self) -> Result<(Change<Interval>, Change<Timestamp>)> {
        let rotate_every = match self.rotate_every.as_deref() {
            Some("none") => Some(None),
            other => other.map(str::parse).transpose()?.map(Some),
        };
        let expires = match self.expires.as_deref() {
            Some("none") => Some(None),
            other => other.map(ahead).transpose()?.map(Some),
        };
        Ok((rotate_every, expires))
    }
}

fn labels(given: &[String]) -> Result<BTreeMap<String, String>> {
    let pairs = given.iter().map(|label| {
        let (name, value) = label.split_once('=').ok_or_else(|| {
            Error::usage(
                format!("`{}` is not a label", crate::show::clean(label)),
                "write it as `name=value`",
            )
        })?;
        Ok((name.to_owned(), value.to_owned()))
    });
    pairs.collect()
}
