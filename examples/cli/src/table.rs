//! Tables: drawn for a terminal, plain aligned columns for anything else.

use std::ops::Deref;

use comfy_table::{Attribute, Cell, Color, ColumnConstraint, ContentArrangement, Table as Drawing, Width, presets};
use ibyok_api::Document;
use serde_json::Value;

use crate::colour::Tone;
use crate::error::Result;
use crate::io::Io;
use crate::show::clean;

/// The narrowest terminal that columns are fitted to, in characters.
const NARROW: u16 = 60;

/// The columns whose words get a colour by their meaning; the first of a checklist has no head.
const TONED: [&str; 6] = ["", "STATE", "SEVERITY", "MODE", "MARKS", "OUTCOME"];

/// A head, and the member shown under it.
pub(crate) type Column<T> = (&'static str, fn(&T) -> String);

/// A table of text.
pub(crate) struct Table {
    heads: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table with these heads.
    pub(crate) fn new(heads: &[&'static str]) -> Self {
        Table {
            heads: heads.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Makes a table of JSON documents: each column is a head and the path (`a.b`) of its value.
    pub(crate) fn of(items: &[impl HasJson], columns: &[(&'static str, &str)]) -> Self {
        let mut table = Table::new(&columns.iter().map(|(head, _)| *head).collect::<Vec<_>>());
        for item in items {
            table.row(columns.iter().map(|(_, path)| shown(at(item, path))));
        }
        table
    }

    /// A table of documents: each column is a head and the member under it.
    pub(crate) fn typed<T>(items: impl IntoIterator<Item = T>, columns: &[Column<T::Target>]) -> Self
    where
        T: Deref,
        T::Target: Sized,
    {
        let mut table = Table::new(&columns.iter().map(|(head, _)| *head).collect::<Vec<_>>());
        for item in items {
            table.row(columns.iter().map(|(_, member)| member(&item)));
        }
        table
    }

    /// Adds a row. Characters that would move a terminal's cursor are made visible.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| clean(&cell)).collect());
    }

    /// Writes the table as the answer, and says `none` to people where it has no rows.
    ///
    /// # Errors
    /// If standard output cannot be written.
    pub(crate) fn print_or(&self, io: &mut Io, none: &str) -> Result<()> {
        self.print(io)?;
        if self.rows.is_empty() {
            io.say(none);
        }
        Ok(())
    }

    /// Writes the table as the answer.
    ///
    /// # Errors
    /// If standard output cannot be written.
    pub(crate) fn print(&self, io: &mut Io) -> Result<()> {
        let drawn = self.draw(io.terminal.output, io.terminal.colour);
        io.answer(drawn.as_bytes())
    }

    /// Writes the table as one of several parts of a long one. The first part has the heads, and its widths are the least widths of the
    /// others.
    ///
    /// # Errors
    /// If standard output cannot be written.
    pub(crate) fn print_part(&self, io: &mut Io, parts: &mut Parts) -> Result<()> {
        let mut drawing = self.drawing(io.terminal.output, io.terminal.colour);
        for (column, width) in drawing.column_iter_mut().zip(&parts.widths) {
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(width.saturating_add(2))));
        }
        let heads = usize::from(!parts.widths.is_empty());
        if parts.widths.is_empty() {
            parts.widths = drawing.column_max_content_widths();
        }
        let lines = drawing.lines().skip(heads);
        let lines: String = lines.map(|line| format!("{}\n", line.trim_end())).collect();
        io.answer(lines.as_bytes())
    }

    fn draw(&self, terminal: bool, colour: bool) -> String {
        let drawing = self.drawing(terminal, colour);
        drawing.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }

    fn drawing(&self, terminal: bool, colour: bool) -> Drawing {
        let mut drawing = Drawing::new();
        drawing.load_style(presets::NOTHING);
        drawing.set_header(self.heads.iter().map(|head| {
            let cell = Cell::new(head);
            if colour {
                cell.add_attribute(Attribute::Bold)
            } else {
                cell
            }
        }));
        if colour {
            drawing.enforce_styling();
        } else if !terminal {
            drawing.force_no_tty();
        }
        // A terminal that does not know how wide it is, or is too narrow for columns, is written to as if it were none.
        if terminal && drawing.width().is_some_and(|width| width >= NARROW) {
            drawing.set_content_arrangement(ContentArrangement::Dynamic);
        }
        for row in &self.rows {
            drawing.add_row(row.iter().zip(&self.heads).map(|(text, head)| {
                let tone = Tone::of(text).filter(|_| colour && TONED.contains(head));
                let cell = Cell::new(text);
                match tone {
                    None => cell,
                    Some(Tone::Good) => cell.fg(Color::Green),
                    Some(Tone::Look) => cell.fg(Color::Yellow),
                    Some(Tone::Bad) => cell.fg(Color::Red).add_attribute(Attribute::Bold),
                    Some(Tone::Hint) => cell.fg(Color::Cyan),
                }
            }));
        }
        for (column, head) in drawing.column_iter_mut().zip(&self.heads) {
            column.set_padding((0, 2));
            // What is copied from the table is never broken in two, and neither are the heads.
            column.set_constraint(match *head {
                "ID" | "REF" => ColumnConstraint::ContentWidth,
                head => ColumnConstraint::LowerBoundary(Width::Fixed(u16::try_from(head.len() + 2).unwrap_or(2))),
            });
        }
        drawing
    }
}

/// The parts of a long table that are written already.
#[derive(Default)]
pub(crate) struct Parts {
    widths: Vec<u16>,
}

/// A document that has JSON.
pub(crate) trait HasJson {
    /// The JSON with every member.
    fn json(&self) -> &Value;
}

impl HasJson for Value {
    fn json(&self) -> &Value {
        self
    }
}

impl<T> HasJson for Document<T> {
    fn json(&self) -> &Value {
        Document::json(self)
    }
}

/// Returns the value at a path of a JSON document.
pub(crate) fn at<'a>(document: &'a impl HasJson, path: &str) -> &'a Value {
    path.split('.')
        .fold(document.json(), |value, name| value.get(name).unwrap_or(&Value::Null))
}

/// A JSON value as a person reads it.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Object(map) if map.is_empty() => "-".to_owned(),
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| format!("{name}={}", text(value)))
            .collect::<Vec<_>>()
            .join(", "),
        Value::Number(number) => number.to_string(),
    }
}

/// As [`text`], with times to the second.
pub(crate) fn shown(value: &Value) -> String {
    let text = text(value);
    // The shortest time has 20 characters: nothing shorter is checked.
    let time = (text.len() >= 20 && text.ends_with('Z'))
        .then(|| text.parse::<jiff::Timestamp>().ok())
        .flatten();
    time.map_or(text, |time| format!("{time:.0}"))
}

/// A document's lines, `name: value` each, for `show`.
pub(crate) fn facts(document: &impl HasJson, columns: &[(&str, &str)]) -> String {
    let mut facts = Vec::new();
    for (head, path) in columns {
        match at(document, path) {
            // A line for each: side by side, nobody could tell their members apart.
            Value::Array(items) if items.iter().any(Value::is_object) => {
                let heads = std::iter::once(*head).chain(std::iter::repeat(""));
                facts.extend(heads.zip(items.iter().map(shown)));
            }
            value => facts.push((*head, shown(value))),
        }
    }
    lines_of(&facts)
}

/// Facts as lines, `name: value` each, for `show`.
pub(crate) fn lines_of(facts: &[(&str, String)]) -> String {
    let width = facts.iter().map(|(head, _)| head.len()).max().unwrap_or(0);
    let lines = facts
        .iter()
        .map(|(head, fact)| format!("{head:width$}  {}\n", clean(fact)));
    lines.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_aligned_and_nothing_trails() {
        let items = [json!({"a": "東京", "b": {"c": 1}}), json!({"a": "x", "b": {"c": null}})];
        let table = Table::of(&items, &[("NAME", "a"), ("N", "b.c")]);
        assert_eq!(table.draw(false, false), "NAME  N\n東京  1\nx     -\n");
    }

    #[test]
    fn a_cell_cannot_act_on_the_terminal() {
        let table = Table::of(&[json!({"a": "x\u{1b}[2Jy\nz"})], &[("A", "a")]);
        assert_eq!(table.draw(true, false), "A\nx\\u{1b}[2Jy\\u{a}z\n");
    }

    #[test]
    fn a_time_is_shown_to_the_second() {
        let item = json!({"at": "2026-12-24T17:33:49.049547612Z", "name": "fooooooooooooooooooooooZ"});
        assert_eq!(
            facts(&item, &[("at", "at"), ("n", "name")]),
            "at  2026-12-24T17:33:49Z\nn   fooooooooooooooooooooooZ\n"
        );
    }

    #[test]
    fn only_colour_makes_escapes() {
        let table = Table::of(&[json!({"a": "x"})], &[("A", "a")]);
        assert!(table.draw(true, true).contains("\u{1b}["));
        assert!(!table.draw(true, false).contains('\u{1b}'));
        let table = Table::of(
            &[json!({"s": "revoked", "n": "revoked"})],
            &[("STATE", "s"), ("NAME", "n")],
        );
        let drawn = table.draw(false, true);
        assert_eq!(
            drawn.lines().last().unwrap().matches("\u{1b}[38;5;9m").count(),
            1,
            "{drawn:?}"
        );
    }
}
