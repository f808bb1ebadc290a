//! `ibyok kek rotate --reseal | --drop-generation N | --rekey-tokens`

use ibyok_core::Vault;
use ibyok_core::audit::words::counted;
use ibyok_core::keks::{EndingTokens, Generations, KeysOf};
use ibyok_settings::{KekChanged, Passphrase, Settings, operator_name};
use serde_json::{Value, json};

use super::Cx;
use crate::access::document_of as document;
use crate::commands::confirm::confirm;
use crate::error::Result;
use crate::exit::Exit;
use crate::progress::{bar, to_bar};
use crate::settings::ask;

const COLUMNS: [(&str, &str); 8] = [
    ("NAMESPACE", "namespace"),
    ("ENVIRONMENT", "environment"),
    ("GENERATION", "current"),
    ("RETIRING", "retiring"),
    ("RECORDS", "checked"),
    ("RESEALED", "resealed"),
    ("UNDER OLD", "older"),
    ("DAMAGED", "unreadable"),
];

/// Lists the generations, and the number of records under those that are retiring.
pub(super) async fn check(env: Option<&str>, cx: &mut Cx<'_>) -> Result<Exit> {
    let of = keys_of(env)?;
    let vault = opened(&crate::settings::resolve(cx.globals, cx.environment)?).await?;
    let drawn = bar(cx, "reading records", 0);
    let mut progress = |done, all| {
        to_bar(&drawn, all);
        drawn.set_position(done);
    };
    let found = vault.keks(operator_name()).generations(&of, &mut progress).await;
    drawn.finish_and_clear();
    vault.close().await?;
    let found = found?;
    listed(&found, cx)?;
    let is_under_old = found.iter().any(|one| !one.under.is_empty() || !one.damaged.is_empty());
    Ok(if is_under_old { Exit::Findings } else { Exit::Done })
}

/// Seals every record again, alone or after a change of the KEK.
pub(super) async fn reseal(
    env: Option<&str>,
    after: Option<(&Settings, &KekChanged)>,
    cx: &mut Cx<'_>,
) -> Result<Exit> {
    let of = keys_of(env)?;
    let vault = match after {
        Some((settings, _)) => opened(settings).await?,
        None => opened(&crate::settings::resolve(cx.globals, cx.environment)?).await?,
    };
    let drawn = bar(cx, "sealing records", 0);
    let mut progress = |done, all| {
        to_bar(&drawn, all);
        drawn.set_position(done);
    };
    let resealed = vault.keks(operator_name()).reseal(&of, &mut progress).await;
    drawn.finish_and_clear();
    vault.close().await?;
    let resealed = resealed?;
    listed(&resealed, cx)?;
    if let Some((_, changed)) = after {
        let keys = counted(changed.rewrapped, "environment key");
        cx.io
            .say(&format!("wrapped {keys} under the new KEK `{}`", changed.kek));
    }
    let records = resealed.iter().map(|one| one.resealed).sum::<u64>();
    cx.io.say(&format!(
        "sealed {} again; delete the old generation with `ibyok kek rotate --drop-generation N`",
        counted(records, "record")
    ));
    warned(&resealed, cx)
}

/// Deletes a generation.
pub(super) async fn drop_one(number: u32, env: Option<&str>, cx: &mut Cx<'_>) -> Result<Exit> {
    let of = keys_of(env)?;
    confirm(
        cx,
        &format!("delete generation {number} of {of}"),
        "nothing that this generation sealed opens again, also not in a copy of single records",
    )?;
    let vault = opened(&crate::settings::resolve(cx.globals, cx.environment)?).await?;
    let drawn = bar(cx, "reading records", 0);
    let mut progress = |done, all| {
        to_bar(&drawn, all);
        drawn.set_position(done);
    };
    let keks = vault.keks(operator_name());
    let dropped = keks.drop_generation(number, &of, &mut progress).await;
    drawn.finish_and_clear();
    vault.close().await?;
    let dropped = dropped?;
    listed(&dropped, cx)?;
    let keys = counted(dropped.len(), "environment key");
    cx.io.say(&format!("deleted generation {number} of {keys}"));
    Ok(Exit::Done)
}

/// Replaces the token key, after it says how many tokens end.
pub(super) async fn rekey_tokens(env: Option<&str>, cx: &mut Cx<'_>) -> Result<Exit> {
    let of = keys_of(env)?;
    let vault = opened(&crate::settings::resolve(cx.globals, cx.environment)?).await?;
    let rekeyed = rekey(&vault, &of, cx).await;
    vault.close().await?;
    let ended = rekeyed?;
    let items = ended.iter().map(document).collect::<Result<Vec<_>>>()?;
    let columns = [
        ("NAMESPACE", "namespace"),
        ("ENVIRONMENT", "environment"),
        ("ENDED", "valid"),
        ("DAMAGED", "damaged"),
    ];
    cx.answer_list(items, &columns, "no environment has a token key")?;
    cx.io.say(&format!(
        "{} ended; running servers refuse them within a second. `ibyok tokens rotate TOKEN` gives a token a new secret",
        counted(valid(&ended), "token")
    ));
    Ok(Exit::Done)
}

async fn rekey(vault: &Vault, of: &KeysOf, cx: &mut Cx<'_>) -> Result<Vec<EndingTokens>> {
    let keks = vault.keks(operator_name());
    let tokens = counted(valid(&keks.ending_tokens(of).await?), "valid token");
    confirm(
        cx,
        &format!("replace the token key of {of}"),
        &format!("{tokens} end at once, and every program with one of them is refused"),
    )?;
    Ok(keks.rekey_tokens(of).await?)
}

fn valid(ending: &[EndingTokens]) -> u64 {
    ending.iter().map(|one| one.valid).sum()
}

fn keys_of(env: Option<&str>) -> Result<KeysOf> {
    Ok(env.map(str::parse).transpose()?.unwrap_or_default())
}

async fn opened(settings: &Settings) -> Result<Vault> {
    let mut settings = settings.clone();
    settings.one_command = true;
    let ask = ask();
    let ask = ask.as_ref().map(|ask| ask as Passphrase<'_>);
    Ok(settings.open(&operator_name(), ask).await?)
}

fn listed(all: &[Generations], cx: &mut Cx<'_>) -> Result<()> {
    let mut items = Vec::with_capacity(all.len());
    for one in all {
        let mut item = document(one)?;
        if let Value::Object(members) = &mut item {
            members.insert("older".to_owned(), json!(one.under.values().sum::<u64>()));
            members.insert("unreadable".to_owned(), json!(one.damaged.len()));
        }
        items.push(item);
    }
    cx.answer_list(items, &COLUMNS, "no environment has a key")?;
    Ok(())
}

/// Warns about the records that do not open.
fn warned(all: &[Generations], cx: &mut Cx<'_>) -> Result<Exit> {
    let mut exit = Exit::Done;
    for one in all {
        for damaged in &one.damaged {
            cx.io.warn(&format!(
                "warning: a record of {} stays as it is: {} {}, which {}",
                one.place(),
                damaged.kind,
                damaged.id,
                damaged.damaged
            ));
            exit = Exit::Unavailable;
        }
    }
    Ok(exit)
}
