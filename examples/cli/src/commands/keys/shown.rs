//! The answers of `ibyok keys`: tables, facts and warnings.

use ibyok_api::{Document, KeyInfo, LimitSource, Mark, VersionInfo, Written};
use ibyok_core::KeyRef;

use crate::access::{Access, KeyArgument};
use crate::cell::Cell;
use crate::commands::Cx;
use crate::commands::limits::counting;
use crate::error::Result;
use crate::exit::Exit;
use crate::table::{Column, Table};
use crate::words::{listed, plural};

pub(super) const COLUMNS: [Column<KeyInfo>; 8] = [
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

pub(super) const WRITTEN: [Column<Written>; 6] = [
    ("key", |written| written.reference.cell()),
    ("id", |written| written.id.cell()),
    ("version", |written| written.version.cell()),
    ("state", |written| written.state.cell()),
    ("provider", |written| written.provider.cell()),
    ("variable", |written| written.variable.cell()),
];

/// The shape of a verb on one key that answers with the key.
pub(in crate::commands) async fn about(
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

/// Reports the recognised provider, and warnings about the form of the value.
pub(in crate::commands) fn say_provider(cx: &mut Cx<'_>, written: &Written) {
    if written.recognised {
        cx.io.say(&format!("recognised as {}", written.provider.cell()));
    }
    for warning in &written.warnings {
        cx.io.warn(&format!("warning: {warning}"));
    }
}
