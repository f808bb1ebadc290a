//! The rows of one subject on one day.

use std::time::Duration;

use super::Site;
use crate::model::name::KeyId;
use crate::uses::rollup::{Of, ROWS_MAX, Rollup, Row, Subject};
use crate::uses::sheet::{Part, Sheet};
use crate::uses::tally::Tally;

fn of(key: u32) -> Of {
    Of::Key {
        environment: Some("prod".to_owned()),
        key: Some(KeyId(u128::from(key).to_be_bytes())),
    }
}

fn row(key: u32) -> Row {
    Row {
        of: of(key),
        name: None,
        scopes: ibyok_policy::Scopes::NONE,
        tally: Tally {
            live: 1,
            ..Tally::default()
        },
    }
}

fn body(rows: Vec<Row>) -> Rollup {
    Rollup {
        rev: 0,
        node: String::new(),
        seq: 0,
        subject: Subject::REST,
        day: 1,
        rows,
    }
}

/// Returns the counts of all rows, and the largest number of rows in one part.
fn counted(sheet: &mut Sheet) -> (u64, usize) {
    let (_, parts) = sheet.unsaved();
    let parts: Vec<&mut Part> = parts.collect();
    let rows = parts.iter().flat_map(|part| &part.body.rows);
    let live = rows.map(|row| row.tally.live).sum();
    let most = parts.iter().map(|part| part.body.rows.len()).max();
    (live, most.unwrap_or(0))
}

async fn sheet() -> Sheet {
    let (site, vault) = Site::new().await;
    let mut sheet = Sheet::new(&site.realm(&vault).await.0, Duration::ZERO);
    sheet.next = Some(0);
    sheet
}

#[tokio::test]
async fn a_token_that_uses_more_keys_than_a_day_holds_loses_no_count() {
    let mut sheet = sheet().await;
    let most = u32::try_from(ROWS_MAX).unwrap() * 256;
    for _ in 0..2 {
        for key in 0..most + 1000 {
            sheet.add(body, row(key));
        }
    }
    // The rest shares one row, which the last part has beyond its bound.
    assert_eq!(counted(&mut sheet), (2 * u64::from(most + 1000), ROWS_MAX + 1));
    assert_eq!(sheet.part_with(&of(most + 7)).unwrap().number, u8::MAX);
    assert_eq!(sheet.part_with(&of(0)).unwrap().number, 0);
}

#[tokio::test]
async fn a_row_that_the_store_has_is_added_to_and_not_made_again() {
    let mut sheet = sheet().await;
    sheet.has(Part::stored(
        0,
        body((0..3).map(row).collect()),
        ibyok_storage::Revision::new(1),
    ));
    sheet.next = Some(1);
    assert!(sheet.is_saved());
    sheet.add(body, row(2));
    sheet.add(body, row(3));
    let part = sheet.part_with(&of(2)).unwrap();
    let counts: Vec<u64> = part.body.rows.iter().map(|row| row.tally.live).collect();
    assert_eq!(
        (counts, part.unsaved, sheet.is_saved()),
        (vec![1, 1, 2, 1], true, false)
    );
    assert!(sheet.part_with(&of(4)).is_none());
}
