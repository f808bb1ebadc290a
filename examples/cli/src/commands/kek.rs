//! `ibyok kek`

mod generations;

use std::path::PathBuf;

use ibyok_core::EnvironmentName;
use ibyok_core::audit::words::counted;
use ibyok_core::keks::OutdatedKek;
use ibyok_operations::file::{read_text, write_private};
use ibyok_operations::kek_copy::{self, Opener};
use ibyok_settings::{KekChange, KekChanged, KekChoice, Passphrase, Settings, operator_name};
use serde_json::json;

use super::Cx;
use crate::access::{document_of as document, only_operator};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::progress::{bar, to_bar};
use crate::settings::{ask, ask_twice};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Change the KEK, make a new generation of environment keys, or replace the key of access tokens
    Rotate(Rotate),
    /// Write a sealed copy of the local KEK to a file, to be printed or stored
    Export(Export),
    /// Restore the local KEK from a copy that `kek export` wrote
    Import(Import),
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without `--recipient`, a passphrase seals the copy: it is asked for, or read from `--passphrase-file`. `age -d FILE` opens the \
    copy without this program."
)]
pub(crate) struct Export {
    /// The file of the copy, which must not exist
    file: PathBuf,
    /// Seal the copy to this public key of age: `age1…`, `age1tag1…` or the post-quantum `age1tagpq1…`. Repeatable
    #[arg(long, value_name = "RECIPIENT")]
    recipient: Vec<String>,
    /// Copy the KEK of this environment, which has its own
    #[arg(long, value_name = "ENV")]
    env: Option<String>,
    /// Accept a weak passphrase: shorter than 12 characters, or a few characters repeated
    #[arg(long, conflicts_with = "recipient")]
    weak: bool,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The command checks that the KEK opens the vault. On a machine without the vault, as before a restore, `--kek-file FILE` names the \
    file for the KEK."
)]
pub(crate) struct Import {
    /// The file of the copy
    file: PathBuf,
    /// The file of the age identity that opens the copy, if it was sealed to a recipient
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// Restore the KEK of this environment, which has its own
    #[arg(long, value_name = "ENV")]
    env: Option<String>,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "`--kek-file FILE` names the file of a new local KEK, `--passphrase-file FILE` the file of a new passphrase. If the command is \
    interrupted, run it again: it does the rest. Running servers keep serving. After a KEK or an environment key leaked, run three commands: \
    `kek rotate --to KEK --reseal`, `kek rotate --reseal --check`, `kek rotate --drop-generation N`."
)]
pub(crate) struct Rotate {
    /// The new KEK: `local`, `local:FILE`, `passphrase`, `passphrase:FILE` or `aws-kms:KEY`
    #[arg(long, value_name = "KEK", required_unless_present_any = ["check", "reseal", "drop_generation", "rekey_tokens"])]
    to: Option<String>,
    /// Change only the keys of this environment; with `--to`, it then has its own KEK. `whole` is what spans environments, without `--to`
    /// [default: all environments; with `--to`, those without their own KEK]
    #[arg(long, value_name = "ENV")]
    env: Option<String>,
    /// Change nothing; list the environment keys that still need another KEK, or with `--reseal` the records under older generations, and
    /// exit 10 if there are any
    #[arg(long)]
    check: bool,
    /// Make a new generation of each environment key, and seal every record under it. The old generation still opens records
    #[arg(long)]
    reseal: bool,
    /// Delete generation N of the environment keys, after reading every record and finding none under it
    #[arg(long, value_name = "N", conflicts_with_all = ["to", "reseal", "check", "rekey_tokens"])]
    drop_generation: Option<u32>,
    /// Replace the key of access tokens after it leaked: every token of the environment ends
    #[arg(long, conflicts_with_all = ["to", "reseal", "check"])]
    rekey_tokens: bool,
    /// Accept a weak passphrase: shorter than 12 characters, or a few characters repeated
    #[arg(long)]
    weak: bool,
}

const COLUMNS: [(&str, &str); 4] = [
    ("NAMESPACE", "namespace"),
    ("ENVIRONMENT", "environment"),
    ("KEK", "keks"),
    ("DAMAGED", "damaged"),
];

pub(super) async fn run(verb: Verb, cx: &mut Cx<'_>) -> Result<Exit> {
    match verb {
        Verb::Rotate(args) => rotate(args, cx).await,
        Verb::Export(args) => export(args, cx).await,
        Verb::Import(args) => import(args, cx).await,
    }
}

async fn export(args: Export, cx: &mut Cx<'_>) -> Result<Exit> {
    only_operator("kek export", cx.globals, cx.environment)?;
    let environment = args.env.as_deref().map(str::parse::<EnvironmentName>).transpose()?;
    let mut settings = crate::settings::resolve(cx.globals, cx.environment)?;
    settings.weak_passphrase = args.weak;
    if std::fs::symlink_metadata(&args.file).is_ok() {
        return Err(ibyok_core::Error::Exists {
            what: format!("`{}`", args.file.display()),
        }
        .into());
    }
    let kek = settings.local_kek(environment.as_ref()).await?;
    let text = if args.recipient.is_empty() {
        let ask = ask_twice();
        let ask = ask.as_ref().map(|ask| ask as Passphrase<'_>);
        kek_copy::seal_under(&settings.passphrase_of_copy(ask, true)?, &kek)?
    } else {
        kek_copy::seal_to(&args.recipient, &kek)?
    };
    record(&settings, Recorded::Export, environment.as_ref()).await?;
    write_private(&args.file, text.as_bytes())?;
    let file = args.file.display().to_string();
    if cx.globals.json {
        cx.io
            .answer_json(&json!({ "file": file, "recipients": args.recipient.len() }))?;
    }
    cx.io.say(&format!(
        "wrote a sealed copy of the KEK to `{file}`; store it apart from the vault and its backups"
    ));
    Ok(Exit::Done)
}

/// The act on a copy of a KEK that the log records.
#[derive(Clone, Copy)]
enum Recorded {
    Export,
    Import,
}

/// Puts a line about a copy of a KEK on the vault's log.
async fn record(settings: &Settings, what: Recorded, environment: Option<&EnvironmentName>) -> Result<()> {
    let ask = ask();
    let ask = ask.as_ref().map(|ask| ask as Passphrase<'_>);
    let actor = operator_name();
    let vault = settings.open_beside_copy(&actor, ask).await?;
    let keks = vault.keks(&actor);
    let recorded = match what {
        Recorded::Export => keks.record_export(environment).await,
        Recorded::Import => keks.record_import(environment).await,
    };
    let closed = vault.close().await;
    recorded?;
    Ok(closed?)
}

async fn import(args: Import, cx: &mut Cx<'_>) -> Result<Exit> {
    only_operator("kek import", cx.globals, cx.environment)?;
    let environment = args.env.as_deref().map(str::parse::<EnvironmentName>).transpose()?;
    let settings = crate::settings::resolve(cx.globals, cx.environment)?;
    let limit = u64::try_from(kek_copy::COPY_MAX).unwrap_or(u64::MAX);
    let copy = read_text(&args.file, limit)?;
    let kek = match (&args.identity, kek_copy::is_under_passphrase(copy.as_bytes())?) {
        (Some(file), _) => kek_copy::open(copy.as_bytes(), &Opener::Identities(&read_text(file, limit)?))?,
        (None, true) => {
            let ask = ask();
            let ask = ask.as_ref().map(|ask| ask as Passphrase<'_>);
            let passphrase = settings.passphrase_of_copy(ask, false)?;
            kek_copy::open(copy.as_bytes(), &Opener::Passphrase(&passphrase))?
        }
        (None, false) => {
            return Err(Error::usage(
                "the copy is sealed to a recipient of age",
                "give the file of the identity with `--identity`",
            ));
        }
    };
    let imported = settings.import_kek(&kek, environment.as_ref()).await?;
    if imported.opened
        && let Err(error) = record(&settings, Recorded::Import, environment.as_ref()).await
    {
        imported.take_back();
        return Err(error);
    }
    let file = imported.file.display().to_string();
    if cx.globals.json {
        cx.io
            .answer_json(&json!({ "kek_file": file, "was_there": imported.was_there, "opened": imported.opened }))?;
    } else {
        cx.io.answer_line(&file)?;
    }
    cx.io.say(match (imported.opened, imported.was_there) {
        (true, true) => "the KEK is in its place already",
        (true, false) => "the KEK is in its place, and opens the vault",
        (false, _) => "the KEK is in the file; there is no vault here yet, so nothing checked that it opens one",
    });
    Ok(Exit::Done)
}

async fn rotate(args: Rotate, cx: &mut Cx<'_>) -> Result<Exit> {
    only_operator("kek rotate", cx.globals, cx.environment)?;
    if let Some(number) = args.drop_generation {
        return generations::drop_one(number, args.env.as_deref(), cx).await;
    }
    if args.rekey_tokens {
        return generations::rekey_tokens(args.env.as_deref(), cx).await;
    }
    match (&args.to, args.reseal, args.check) {
        (None, true, true) => return generations::check(args.env.as_deref(), cx).await,
        (None, true, false) => return generations::reseal(args.env.as_deref(), None, cx).await,
        (Some(_), true, true) => {
            return Err(Error::usage(
                "`--check` checks either the KEK or the generations",
                "give `--check` with `--to`, and then with `--reseal`",
            ));
        }
        (Some(_), true, false) | (_, false, _) => {}
    }
    let environment = args.env.as_deref().map(str::parse::<EnvironmentName>).transpose()?;
    let (to, mut settings) = chosen(args.to.as_deref(), cx)?;
    (settings.weak_passphrase, settings.one_command) = (args.weak, true);
    let (ask, new) = (ask(), ask_twice());
    let ask = ask.as_ref().map(|ask| ask as Passphrase<'_>);
    let new = new.as_ref().map(|ask| ask as Passphrase<'_>);
    let actor = operator_name();
    if args.check {
        let change = to.as_ref().map(|to| {
            KekChange::to(to)
                .environment(environment.as_ref())
                .passphrases(ask, ask)
        });
        let outdated = match change {
            Some(change) => settings.check_kek(&actor, change).await?,
            None => settings.outdated_keks(&actor, environment.as_ref(), ask).await?,
        };
        return listed(&outdated, cx);
    }
    let to = to.ok_or_else(|| Error::usage("there is no new KEK", "give the new KEK with `--to`"))?;
    let change = KekChange::to(&to)
        .environment(environment.as_ref())
        .passphrases(ask, new);
    let drawn = bar(cx, "wrapping environment keys", 0);
    let mut progress = |done, all| {
        to_bar(&drawn, all);
        drawn.set_position(done);
    };
    let changed = settings.change_kek(&actor, change, &mut progress).await;
    drawn.finish_and_clear();
    let changed = changed?;
    if !args.reseal || !changed.damaged.is_empty() {
        return answer(&changed, cx);
    }
    said(&changed, cx);
    // The vault as the change left it: the flags for files belong to the new KEK.
    let (_, settings) = chosen(args.to.as_deref(), cx)?;
    generations::reseal(args.env.as_deref(), Some((&settings, &changed)), cx).await
}

/// The new KEK, and the settings of the vault as it is: the flags for files belong to the new KEK where it is of that kind.
fn chosen(to: Option<&str>, cx: &Cx<'_>) -> Result<(Option<KekChoice>, Settings)> {
    let Some(to) = to.map(KekChoice::parse).transpose()? else {
        return Ok((None, crate::settings::resolve(cx.globals, cx.environment)?));
    };
    let mut globals = cx.globals.clone();
    let flags = &mut globals.settings;
    let (local, passphrase) = match to {
        KekChoice::Local(None) => (flags.kek_file.take(), None),
        KekChoice::Passphrase(None) => (None, flags.passphrase_file.take()),
        _ => (None, None),
    };
    let to = to.with_file(local.as_deref(), passphrase.as_deref());
    Ok((Some(to), crate::settings::resolve(&globals, cx.environment)?))
}

fn listed(outdated: &[OutdatedKek], cx: &mut Cx<'_>) -> Result<Exit> {
    let items = outdated.iter().map(document).collect::<Result<Vec<_>>>()?;
    cx.answer_list(items, &COLUMNS, "no environment key needs another KEK")?;
    Ok(match outdated.is_empty() {
        true => Exit::Done,
        false => Exit::Findings,
    })
}

fn answer(changed: &KekChanged, cx: &mut Cx<'_>) -> Result<Exit> {
    let answer = document(changed)?;
    cx.answer_one(
        &answer,
        &[
            ("KEK", "kek"),
            ("file", "kek_file"),
            ("rewrapped", "rewrapped"),
            ("before", "before"),
        ],
    )?;
    said(changed, cx);
    if changed.damaged.is_empty() {
        let keys = counted(changed.rewrapped, "environment key");
        cx.io.say(&format!(
            "wrapped {keys} under the new KEK; these environments do not need the old KEK any more"
        ));
        return Ok(Exit::Done);
    }
    for one in &changed.damaged {
        let why = one.damaged.as_deref().unwrap_or_default();
        cx.io.warn(&format!("warning: {}: {why}", one.place()));
    }
    cx.io.warn("warning: the vault keeps the old KEK in its settings: restore these records from a backup, and run the command again");
    Ok(Exit::Unavailable)
}

/// Says which variables and files a change of the KEK concerns.
fn said(changed: &KekChanged, cx: &mut Cx<'_>) {
    for variable in &changed.variables {
        let value = variable.value.as_deref().unwrap_or_default();
        cx.io.warn(&format!(
            "warning: flags or variables name the old KEK: set {}={value} for each program",
            variable.name
        ));
    }
    if let Some(path) = &changed.kek_file {
        cx.io.say(&format!(
            "copy this file to a safe place, apart from the vault; without this file nobody can open the keys:\n  {}",
            path.display()
        ));
    }
}

/// The words for a KEK of one environment that `envs add` gives.
pub(super) fn for_environment(cx: &Cx<'_>) -> Result<Option<KekChoice>> {
    let words = &cx.globals.settings.kek;
    let Some(first) = words.first() else { return Ok(None) };
    let is_set = |name: &str| cx.environment.get(name).is_some_and(|value| !value.is_empty());
    if words.len() > 1 || first.contains([',', '=']) {
        return Err(Error::usage(
            "`--kek` of `envs add` names more than one KEK",
            "give the KEK of the new environment alone",
        ));
    }
    if is_set("IBYOK_KEK") {
        return Err(Error::usage(
            "IBYOK_KEK is set, so the vault ignores the KEKs in `vault.toml`",
            "add `ENV=KEK` for the new environment to IBYOK_KEK, and run the command without `--kek`",
        ));
    }
    let choice = KekChoice::parse(first)?;
    Ok(Some(choice.with_file(cx.globals.settings.kek_file.as_deref(), None)))
}

/// Shows which files of new KEKs have to be kept safe.
pub(super) fn files_as_json(files: &[std::path::PathBuf]) -> serde_json::Value {
    json!(files.iter().map(|path| path.display().to_string()).collect::<Vec<_>>())
}
