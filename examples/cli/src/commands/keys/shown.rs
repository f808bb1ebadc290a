//! The answers of `ibyok keys`: tables, facts and warnings.

use ibyok_api::{Document, KeyInfo, VersionInfo, Written};
use ibyok_core::KeyRef;

use crate::access::{Access, KeyArgument};
use crate::commands::Cx;
use crate::error::Result;
use crate::exit::Exit;
use crate::table::{Column, Table};
use ibyok_reports::cell::Cell;
use ibyok_reports::keys::{compromised, limit};

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
    verb: impl AsyncFnOnce(&dyn Access, &KeyRef) -> ibyok_access::Result<Document<KeyInfo>>,
) -> Result<Exit> {
    let key: KeyArgument = key.parse()?;
    cx.with_access(async |access, cx| {
        let key = key.resolve(access).await?;
        let info = verb(access, &key).await?;
        cx.answer_document(&info, &FACTS)?;
        if cx.globals.json {
            return Ok(Exit::Done);
        }
        for line in [compromised(&info), limit(&info)].into_iter().flatten() {
            cx.io.answer_line(&line)?;
        }
        if !info.versions.is_empty() {
            cx.io.answer_line("")?;
            Table::typed(&info.versions, &VERSIONS).print(cx.io)?;
        }
        Ok(Exit::Done)
    })
    .await
}
