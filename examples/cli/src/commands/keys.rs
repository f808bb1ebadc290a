//! `ibyok keys`

use std::collections::BTreeMap;

use ibyok_api::{Document, KeyInfo, LimitSource, Mark, VersionInfo, Written};
use ibyok_core::{
    EnvironmentName, KeyRef,
    jiff::Timestamp,
    keys::{Interval, KeyEdit, KeyId, KeyWrite},
    modes::Mode,
};

use super::Cx;
use super::confirm::confirm;
use super::limits::{counting, rate_or_none};
use super::mode::say_if_overruled;
use super::time::ahead;
use super::value::{Expected, ValueArgs};
use crate::access::{Access, KeyArgument, document_of as document};
use crate::cell::Cell;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::table::{Column, Table};
use crate::words::{listed, plural};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Create a key, or add a new current version to it; reads the value from standard input
    Set(Set),
    /// Create a key, and refuse a key that exists; reads the value from standard input
    Add(Write),
    /// List keys, without values
    List {
        /// List only keys of this environment
        #[arg(long, value_name = "ENV")]
        env: Option<String>,
    },
    /// Show a key with its versions, without values
    Show {
        /// The key: `env/name`, `ibyok://…`, or an id
        #[arg(value_name = "REF")]
        key: String,
    },
    /// Copy a key with its value to another name or environment
    Copy {
        /// The key to copy: `env/name`, `ibyok://…`, or an id
        #[arg(value_name = "REF")]
        from: String,
        /// The new reference: `env/name` or `ibyok://…`
        #[arg(value_name = "REF")]
        to: String,
        /// If the target exists, add the value to it as a new version
        #[arg(long)]
        replace: bool,
    },
    /// Change a key's provider, labels, variable, limits or dates, but not its value
    Edit(Edit),
    /// Disable a key, or one version of it
    Disable(Switch),
    /// Enable a key, or one version of it
    Enable(Enable),
    /// Set the mode of a key, which overrides its environment's mode, or remove the override with `inherit`
    Mode {
        /// The key: `env/name`, `ibyok://…`, or an id
        #[arg(value_name = "REF")]
        key: String,
        /// `mock`, `live` or `inherit`
        #[arg(value_name = "MODE")]
        mode: String,
        #[command(flatten)]
        expected: Expected,
    },
    /// Remove a key with all its versions
    Remove {
        /// The key: `env/name`, `ibyok://…`, or an id
        #[arg(value_name = "REF", required_unless_present = "damaged", conflicts_with = "damaged")]
        key: Option<String>,
        /// Remove the key whose record is damaged, by this id; `keys list` shows the id
        #[arg(long, value_name = "ID", conflicts_with = "if_version")]
        damaged: Option<KeyId>,
        /// With `--damaged`: remove the key even if its record may be intact, for example written by a newer version
        #[arg(long, requires = "damaged", conflicts_with = "key")]
        force: bool,
        #[command(flatten)]
        expected: Expected,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Set {
    #[command(flatten)]
    write: Write,
    #[command(flatten)]
    expected: Expected,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Write {
    /// The key: `env/name` or `ibyok://…`
    #[arg(value_name = "REF")]
    key: String,
    #[command(flatten)]
    value: ValueArgs,
    /// The provider, for example `openai`
    #[arg(long, value_name = "PROVIDER")]
    provider: Option<String>,
    /// A label. The given labels replace all labels of the key. Repeatable
    #[arg(long, value_name = "K=V")]
    label: Vec<String>,
    /// The variable that programs read the key from [default: the provider's usual one, else the name in capitals]
    #[arg(long, value_name = "NAME")]
    var: Option<String>,
    /// The rate limit of retrievals, for example `60/min`; `none` applies the environment's limit
    #[arg(long, value_name = "RATE", allow_hyphen_values = true)]
    rate_limit: Option<String>,
    /// The age of the current version at which `rotate due` lists the key, for example `90d`; `none` removes the interval
    #[arg(long, value_name = "D", allow_hyphen_values = true)]
    rotate_every: Option<String>,
    /// The time at which the provider expires the key: `90d` from now, or a date; `none` removes it. The vault keeps serving
    /// the key after this time, and `rotate due` warns about it
    #[arg(long, value_name = "D", allow_hyphen_values = true)]
    expires: Option<String>,
    #[command(flatten)]
    force: Force,
}

/// The flags that force an action on a leaked value.
#[derive(Debug, clap::Args)]
pub(crate) struct Force {
    /// Accept a leaked value: one that is marked compromised, while an incident is open on the key
    #[arg(long, requires = "reason")]
    force: bool,
    /// The reason for `--force`, for the audit log
    #[arg(long, value_name = "TEXT", requires = "force")]
    reason: Option<String>,
}

impl Force {
    /// Returns the reason if the action is forced.
    pub(super) fn reason(self) -> Option<String> {
        self.reason.filter(|_| self.force)
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Edit {
    /// The key: `env/name`, `ibyok://…`, or an id
    #[arg(value_name = "REF")]
    key: String,
    /// The provider; an empty value removes it
    #[arg(long, value_name = "PROVIDER")]
    provider: Option<String>,
    /// A label to set; an empty value after the `=` removes the label. Repeatable
    #[arg(long, value_name = "K=V")]
    label: Vec<String>,
    /// The variable that programs read the key from
    #[arg(long, value_name = "NAME")]
    var: Option<String>,
    /// The rate limit of retrievals, for example `60/min`; `none` applies the environment's limit
    #[arg(long, value_name = "RATE", allow_hyphen_values = true)]
    rate_limit: Option<String>,
    /// The age of the current version at which `rotate due` lists the key, for example `90d`; `none` removes the interval
    #[arg(long, value_name = "D", allow_hyphen_values = true)]
    rotate_every: Option<String>,
    /// The time at which the provider expires the key: `90d` from now, or a date; `none` removes it. The vault keeps serving
    /// the key after this time, and `rotate due` warns about it
    #[arg(long, value_name = "D", allow_hyphen_values = true)]
    expires: Option<String>,
    #[command(flatten)]
    expected: Expected,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Switch {
    /// The key: `env/name`, `ibyok://…`, or an id
    #[arg(value_name = "REF")]
    key: String,
    /// Switch only this version instead of the whole key
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    version: Option<u32>,
    #[command(flatten)]
    expected: Expected,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Enable {
    #[command(flatten)]
    switch: Switch,
    #[command(flatten)]
    force: Force,
}

const COLUMNS: [Column<KeyInfo>; 8] = [
    ("REF", |key| key.reference.cell()),
    ("ID", |key| key.id.cell()),
    ("PROVIDER", |key| key.provider.cell()),
    ("VARIABLE", |key| key.variable.cell()),
    ("VERSION", |key| key.version.cell()),
    ("MODE", |key| key.mode.cell()),
    ("OFF", |key| key.disabled.cell()),
    ("LAST USED", |key| key.last_used.cell()),
];

const FACTS: [Column<KeyInfo>; 14] = [
    ("key", |key| key.reference.cell()),
    ("id", |key| key.id.cell()),
    ("provider", |key| key.provider.cell()),
    ("variable", |key| key.variable.cell()),
    ("labels", |key| key.labels.cell()),
    ("version", |key| key.version.cell()),
    ("disabled", |key| key.disabled.cell()),
    ("mode", |key| key.mode.cell()),
    ("  decided by", |key| key.mode_source.cell()),
    ("  own mode", |key| key.mode_override.cell()),
    ("rotate every", |key| key.rotate_every.cell()),
    ("rotation due", |key| key.rotation_due.cell()),
    ("expires", |key| key.expires_at.cell()),
    ("created", |key| key.created.cell()),
];

const VERSIONS: [Column<VersionInfo>; 6] = [
    ("VERSION", |version| version.version.cell()),
    ("STATE", |version| version.state.cell()),
    ("MARKS", |version| version.marks.cell()),
    ("FIELDS", |version| version.fields.cell()),
    ("CREATED", |version| version.created.cell()),
    ("BY", |version| version.created_by.cell()),
];

const WRITTEN: [Column<Written>; 6] = [
    ("key", |written| written.reference.cell()),
    ("id", |written| written.id.cell()),
    ("version", |written| written.version.cell()),
    ("state", |written| written.state.cell()),
    ("provider", |written| written.provider.cell()),
    ("variable", |written| written.variable.cell()),
];

pub(super) async fn run(verb: Verb, cx: &mut Cx<'_>) -> Result<Exit> {
    cx.if_version = verb.if_version();
    match verb {
        Verb::Set(args) => write(args.write, false, cx).await,
        Verb::Add(args) => write(args, true, cx).await,
        Verb::List { env } => list(env.as_deref(), cx).await,
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

impl Verb {
    fn if_version(&self) -> Option<u32> {
        match self {
            Verb::Set(Set { expected, .. })
            | Verb::Edit(Edit { expected, .. })
            | Verb::Disable(Switch { expected, .. })
            | Verb::Enable(Enable {
                switch: Switch { expected, .. },
                ..
            })
            | Verb::Mode { expected, .. }
            | Verb::Remove { expected, .. } => expected.if_version,
            Verb::Add(_) | Verb::Copy { .. } | Verb::List { .. } | Verb::Show { .. } => None,
        }
    }
}

async fn copy(from: &str, to: &str, replace: bool, cx: &mut Cx<'_>) -> Result<Exit> {
    let (from, to): (KeyArgument, KeyArgument) = (from.parse()?, to.parse()?);
    cx.with_access(async |access, cx| {
        let (from, to) = (from.resolve(access).await?, to.resolve(access).await?);
        let written = access.copy(&from, &to, replace).await?;
        say_provider(cx, &written);
        cx.answer_document(&written, &WRITTEN)
    })
    .await
}

async fn write(args: Write, new: bool, cx: &mut Cx<'_>) -> Result<Exit> {
    let key: KeyArgument = args.key.parse()?;
    let limit = args.rate_limit.as_deref().map(rate_or_none).transpose()?;
    let (rotate_every, expires) = times(args.rotate_every.as_deref(), args.expires.as_deref())?;
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
        say_provider(cx, &written);
        cx.answer_document(&written, &WRITTEN)
    })
    .await
}

/// Reports the recognised provider, and warnings about the form of the value.
pub(super) fn say_provider(cx: &mut Cx<'_>, written: &Written) {
    if written.recognised {
        cx.io.say(&format!("recognised as {}", written.provider.cell()));
    }
    for warning in &written.warnings {
        cx.io.warn(&format!("warning: {warning}"));
    }
}

async fn list(environment: Option<&str>, cx: &mut Cx<'_>) -> Result<Exit> {
    let environment: Option<EnvironmentName> = environment.map(str::parse).transpose()?;
    cx.with_access(async |access, cx| {
        let mut list = access.list_with_last_use(environment.as_ref()).await?;
        list.items.sort_by(|one, other| one.reference.cmp(&other.reference));
        cx.answer_documents(&list, &COLUMNS, "no keys")
    })
    .await
}

async fn show(key: &str, cx: &mut Cx<'_>) -> Result<Exit> {
    about(key, cx, async |access, key| access.show(key).await).await
}

async fn edit(args: Edit, cx: &mut Cx<'_>) -> Result<Exit> {
    let times = times(args.rotate_every.as_deref(), args.expires.as_deref())?;
    let no_facts = args.provider.is_none() && args.var.is_none() && args.label.is_empty();
    if no_facts && args.rate_limit.is_none() && times == (None, None) {
        return Err(Error::usage(
            "no change is given",
            "give `--provider`, `--var`, `--label`, `--rate-limit`, `--rotate-every` or `--expires`",
        ));
    }
    let mut edit = KeyEdit::default();
    (edit.rotate_every, edit.expires) = times;
    edit.provider = args.provider;
    edit.variable = args.var;
    edit.limit = args.rate_limit.as_deref().map(rate_or_none).transpose()?;
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
        let session = &here.session;
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

/// The shape of a verb on one key that answers with the key.
pub(super) async fn about(
    key: &str,
    cx: &mut Cx<'_>,
    verb: impl AsyncFnOnce(&dyn Access, &KeyRef) -> Result<Document<KeyInfo>>,
) -> Result<Exit> {
    let key: KeyArgument = key.parse()?;
    cx.with_access(async |access, cx| {
        let key = key.resolve(access).await?;
        let info = verb(access, &key).await?;
        cx.answer_document(&info, &FACTS)?;
        if let Some(line) = compromised(&info).filter(|_| !cx.globals.json) {
            cx.io.answer_line(&line)?;
        }
        if let Some(line) = limit(&info).filter(|_| !cx.globals.json) {
            cx.io.answer_line(&line)?;
        }
        if !cx.globals.json && !info.versions.is_empty() {
            cx.io.answer_line("")?;
            Table::typed(&info.versions, &VERSIONS).print(cx.io)?;
        }
        Ok(Exit::Done)
    })
    .await
}

/// The versions that are marked compromised, as a line of a key's facts, if there are any.
fn compromised(info: &KeyInfo) -> Option<String> {
    let marked = info
        .versions
        .iter()
        .filter(|version| version.marks.contains(&Mark::Compromised));
    let marked: Vec<String> = marked.map(|version| version.version.cell()).collect();
    let noun = plural(marked.len(), "version");
    (!marked.is_empty()).then(|| format!("compromised   {noun} {}", listed(&marked)))
}

/// The limit that holds for a key, if there is one, as a line of its facts.
fn limit(info: &KeyInfo) -> Option<String> {
    let line = match (&info.limit_in_force, info.limit) {
        (Some(in_force), _) => {
            let of = match in_force.source {
                LimitSource::Environment => "the default of its environment",
                _ => "its own",
            };
            let counting = counting(Some(&in_force.scope));
            format!("{} ({of}; {counting})", in_force.rate)
        }
        (None, Some(rate)) => rate.cell(),
        (None, None) => return None,
    };
    Some(format!("limit     {line}"))
}

/// The change of a setting that can also be taken away.
type Change<T> = Option<Option<T>>;

/// Parses the interval of rotations and the end of a key. `none` takes either away.
fn times(rotate_every: Option<&str>, expires: Option<&str>) -> Result<(Change<Interval>, Change<Timestamp>)> {
    let rotate_every = match rotate_every {
        Some("none") => Some(None),
        other => other.map(str::parse).transpose()?.map(Some),
    };
    let expires = match expires {
        Some("none") => Some(None),
        other => other
            .map(|text| ahead(text, crate::commands::time::now()))
            .transpose()?
            .map(Some),
    };
    Ok((rotate_every, expires))
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
