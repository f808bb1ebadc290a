//! The bytes of a file from the parts in the table.

use ibyok_audit::Error;
use sqlx::postgres::PgRow;

use super::column;

/// The byte in place of one that no part has as its writer left it.
const DAMAGED: u8 = b'#';

/// A part of a file, cut to the bytes that were asked for.
pub(super) struct Piece {
    /// The place of the part's first byte in the file.
    at: i64,
    /// The length of the whole part.
    size: i64,
    /// The bytes that were asked for.
    bytes: Vec<u8>,
}

impl Piece {
    pub(super) fn read(row: &PgRow) -> Result<Self, Error> {
        Ok(Self {
            at: column(row, "at")?,
            size: column(row, "size")?,
            bytes: column(row, "bytes")?,
        })
    }
}

/// Puts the bytes from `from` to `to` of a file together, which has `length` bytes.
///
/// Where a part does not end at the beginning of the next one, the table was changed past the home. A damaged line fills the gap, or takes
/// the place of a part that reaches too far: otherwise a row with a forged line could stand in the table, and no verification would see
/// it. The damaged line ends like a line, so that the lines behind it can still be read.
pub(super) fn assemble(pieces: &[Piece], from: i64, to: i64, length: i64) -> Vec<u8> {
    let Ok(wanted) = usize::try_from(to - from) else {
        return Vec::new();
    };
    let mut whole = vec![DAMAGED; wanted];
    let mut put = |at: i64, bytes: &[u8]| {
        let start = usize::try_from(at - from).ok();
        let place = start.and_then(|start| whole.get_mut(start..start.checked_add(bytes.len())?));
        if let Some(place) = place {
            place.copy_from_slice(bytes);
        }
    };
    if pieces.first().is_some_and(|piece| piece.at > from) {
        put(pieces.first().map_or(0, |piece| piece.at) - 1, b"\n");
    }
    let ends = pieces.iter().skip(1).map(|piece| piece.at).chain([length]);
    for (piece, end) in pieces.iter().zip(ends) {
        let behind = piece.at.saturating_add(piece.size);
        if behind != end {
            put(end - 1, b"\n");
        }
        if behind <= end {
            put(piece.at.max(from), &piece.bytes);
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts of a file as the statement returns them for these bytes.
    fn asked(parts: &[(i64, &str)], from: i64, to: i64) -> String {
        let length = parts.last().map_or(0, |(at, bytes)| at + bytes.len() as i64);
        let first = parts.iter().rposition(|(at, _)| *at <= from).unwrap_or(0);
        let last = parts.iter().position(|(at, _)| *at >= to);
        let last = last.map_or(parts.len(), |last| last + 1);
        let piece = |(at, text): &(i64, &str)| {
            let cut = |place: i64| usize::try_from((place - at).clamp(0, text.len() as i64)).unwrap();
            Piece {
                at: *at,
                size: text.len() as i64,
                bytes: text.as_bytes()[cut(from)..cut(to).max(cut(from))].to_vec(),
            }
        };
        let pieces: Vec<Piece> = parts[first..last].iter().map(piece).collect();
        String::from_utf8(assemble(&pieces, from, to.min(length), length)).unwrap()
    }

    #[test]
    fn parts_that_follow_each_other_are_the_file() {
        let parts = [(0, "one\n"), (4, "two\n"), (8, "three\n")];
        let whole = "one\ntwo\nthree\n";
        for from in 0..whole.len() {
            for to in from..=whole.len() {
                assert_eq!(
                    asked(&parts, from as i64, to as i64),
                    whole.get(from..to).unwrap(),
                    "{from}..{to}"
                );
            }
        }
        assert_eq!(asked(&parts, 14, 20), "");
        assert_eq!(asked(&parts, 20, 30), "");
    }

    #[test]
    fn a_part_that_was_removed_is_one_damaged_line_in_every_window() {
        let parts = [(0, "one\n"), (8, "three\n")];
        let whole = "one\n###\nthree\n";
        for from in 0..whole.len() {
            for to in from..=whole.len() {
                assert_eq!(
                    asked(&parts, from as i64, to as i64),
                    whole.get(from..to).unwrap(),
                    "{from}..{to}"
                );
            }
        }
        assert_eq!(asked(&[(4, "two\n")], 0, 8), "###\ntwo\n", "the first part is missing");
    }

    #[test]
    fn a_part_that_grew_or_shrank_shows() {
        // A reader of the table sees the forged line, so a reader of the file must not see the right one.
        assert_eq!(asked(&[(0, "one\nforged\n"), (4, "two\n")], 0, 8), "###\ntwo\n");
        assert_eq!(asked(&[(0, "o\n"), (4, "two\n")], 0, 8), "o\n#\ntwo\n");
    }

    #[test]
    fn a_part_that_was_put_between_two_damages_the_one_that_it_lies_in() {
        assert_eq!(asked(&[(0, "one\n"), (2, "x\n"), (4, "two\n")], 0, 8), "#\nx\ntwo\n");
    }
}
