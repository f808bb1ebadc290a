//! A bar chart for a terminal, as wide as the terminal is.

use crate::error::Result;
use crate::io::Io;
use crate::show::clean;

/// The widest bar, in characters.
const WIDEST: usize = 40;

/// The width of a terminal that does not say it.
const USUAL: usize = 80;

/// An eighth of a character, two eighths, … seven eighths.
const EIGHTHS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// Bars with a label before and a number and a remark after each.
pub(crate) struct Bars(Vec<(String, u64, String)>);

impl Bars {
    /// A bar for each label and number.
    pub(crate) fn of(bars: impl IntoIterator<Item = (String, u64, String)>) -> Self {
        let clean = |(label, number, remark): (String, u64, String)| (clean(&label), number, clean(&remark));
        Bars(bars.into_iter().map(clean).collect())
    }

    /// Writes the chart as the answer.
    ///
    /// # Errors
    /// If standard output cannot be written.
    pub(crate) fn print(&self, io: &mut Io) -> Result<()> {
        let width = comfy_table::Table::new().width().map_or(USUAL, usize::from);
        let drawn = self.draw(width, io.terminal.colour);
        io.answer(drawn.as_bytes())
    }

    fn draw(&self, width: usize, colour: bool) -> String {
        let longest = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
        let labels = longest(&mut self.0.iter().map(|(label, ..)| label.chars().count()));
        let numbers = longest(&mut self.0.iter().map(|(_, number, _)| number.to_string().len()));
        let remarks = longest(&mut self.0.iter().map(|(.., remark)| remark.chars().count()));
        let most = self.0.iter().map(|(_, number, _)| *number).max().unwrap_or(0);
        let room = width.saturating_sub(labels + numbers + remarks + 6).min(WIDEST);
        let mut drawn = String::new();
        for (label, number, remark) in &self.0 {
            let bar = if room == 0 {
                String::new()
            } else {
                bar(*number, most, room)
            };
            let gap = " ".repeat(room.saturating_sub(bar.chars().count()));
            let bar = if colour {
                format!("\u{1b}[36m{bar}\u{1b}[0m")
            } else {
                bar
            };
            let line = format!("{label:labels$}  {bar}{gap}  {number:>numbers$}  {remark}");
            drawn.push_str(line.trim_end());
            drawn.push('\n');
        }
        drawn
    }
}

/// Returns a bar for a number. The largest number has a bar of all the room, and a number above zero always shows.
fn bar(number: u64, most: u64, room: usize) -> String {
    let eighths = u128::try_from(room).unwrap_or(0).saturating_mul(8);
    let length = u128::from(number).saturating_mul(eighths) / u128::from(most.max(1));
    let length = usize::try_from(length).unwrap_or(0).max(usize::from(number > 0));
    let mut bar = "█".repeat(length / 8);
    bar.extend((length % 8).checked_sub(1).and_then(|part| EIGHTHS.get(part)));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bars() -> Bars {
        Bars::of([
            ("prod/openai".to_owned(), 80, "last week".to_owned()),
            ("dev/x".to_owned(), 1, String::new()),
            ("dev/y".to_owned(), 0, "never".to_owned()),
        ])
    }

    #[test]
    fn bars_are_as_long_as_their_numbers_and_what_is_not_nothing_is_seen() {
        let expected = "prod/openai  ████████  80  last week\n\
                        dev/x        ▏          1\n\
                        dev/y                   0  never\n";
        assert_eq!(bars().draw(36, false), expected);
    }

    #[test]
    fn a_narrow_terminal_gets_numbers_without_bars() {
        for width in 0..20 {
            assert!(!bars().draw(width, false).contains('█'), "{width}");
        }
    }

    #[test]
    fn no_line_is_wider_than_a_terminal_with_room_for_its_text() {
        for width in 31..200 {
            let drawn = bars().draw(width, false);
            assert!(
                drawn.lines().all(|line| line.chars().count() <= width),
                "{width}\n{drawn}"
            );
        }
    }

    #[test]
    fn only_colour_makes_escapes_and_huge_numbers_do_not_overflow() {
        let bars = Bars::of([
            ("x\u{1b}[2J".to_owned(), u64::MAX, String::new()),
            ("y".to_owned(), 1, String::new()),
        ]);
        assert!(!bars.draw(80, false).contains('\u{1b}'));
        assert!(bars.draw(80, true).contains("\u{1b}[36m"));
        assert_eq!(Bars::of([]).draw(80, true), "");
    }
}
