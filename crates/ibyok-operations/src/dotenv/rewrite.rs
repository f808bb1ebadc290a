//! Puts references in the place of values, and leaves every other byte of the file alone.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::error::Result;
use super::statement::split;

/// The file with the values of some variables replaced by references. Comments, order, line ends, `export` and everything else
/// stay as they are.
///
/// # Errors
/// As [`parse`](super::parse).
pub fn rewrite(file: &str, references: &BTreeMap<String, String>) -> Result<Zeroizing<String>> {
    let (mark, body) = match file.strip_prefix('\u{feff}') {
        Some(body) => ("\u{feff}", body),
        None => ("", file),
    };
    let parsed = super::parse(body)?;
    let on_line: BTreeMap<usize, &str> = parsed
        .assignments
        .iter()
        .map(|assignment| (assignment.line, assignment.variable.as_str()))
        .collect();
    let mut written = Zeroizing::new(String::with_capacity(file.len() + 64));
    written.push_str(mark);
    let mut copied = 0;
    for statement in split(body) {
        let reference = on_line
            .get(&statement.line)
            .and_then(|variable| references.get(*variable));
        if let (Some(reference), Some(value)) = (reference, statement.value) {
            written.push_str(body.get(copied..value.start).unwrap_or(""));
            // A reference may hold `?` and `#`: quoted, every reader takes it whole.
            written.push_str(&format!("\"{reference}\""));
            copied = value.end;
        }
    }
    written.push_str(body.get(copied..).unwrap_or(""));
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(names: &[&str]) -> BTreeMap<String, String> {
        names
            .iter()
            .map(|name| ((*name).to_owned(), format!("ibyok://prod/{name}")))
            .collect()
    }

    #[test]
    fn everything_but_the_values_stays() {
        let file = "\u{feff}# keys\r\nexport A = 'x # y'  # mine\r\n\r\nB=\"1\n2\" # two\r\nC=kept\r\nD=a#b";
        let expected = "\u{feff}# keys\r\nexport A = \"ibyok://prod/A\"  # mine\r\n\r\nB=\"ibyok://prod/B\" # two\r\nC=kept\r\nD=\"ibyok://prod/D\"";
        assert_eq!(rewrite(file, &references(&["A", "B", "D"])).unwrap().as_str(), expected);
    }

    #[test]
    fn what_was_rewritten_reads_back_as_the_references() {
        let file = "A=1\nexport B=\"x\\\"y\"\nC=`z`\n";
        let written = rewrite(file, &references(&["A", "B", "C"])).unwrap();
        let values: Vec<String> = super::super::parse(&written)
            .unwrap()
            .assignments
            .iter()
            .map(|a| a.value.to_string())
            .collect();
        assert_eq!(values, ["ibyok://prod/A", "ibyok://prod/B", "ibyok://prod/C"]);
    }
}
