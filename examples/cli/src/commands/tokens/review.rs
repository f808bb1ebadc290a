//! `ibyok tokens review`: tokens that a person should check.

use ibyok_api::TokenFinding;

use super::super::Cx;
use crate::error::Result;
use crate::exit::Exit;
use crate::table::Column;
use ibyok_reports::cell::Cell;
use ibyok_reports::tokens;

const COLUMNS: [Column<TokenFinding>; 5] = [
    ("ID", |finding| finding.token.cell()),
    ("NAME", |finding| finding.name.cell()),
    ("FINDING", |finding| finding.finding.cell()),
    ("DETAIL", |finding| finding.detail.cell()),
    ("LAST USED", |finding| finding.last_used.cell()),
];

pub(super) async fn run(cx: &mut Cx<'_>) -> Result<Exit> {
    cx.with_access(async |access, cx| {
        let list = access.review_tokens().await?;
        if !cx.globals.json {
            cx.io.notes(tokens::narrower(&list.items));
        }
        let all_well = list.items.is_empty() && !list.is_incomplete();
        cx.answer_documents(&list, &COLUMNS, "no findings")?;
        Ok(if all_well { Exit::Done } else { Exit::Findings })
    })
    .await
}
