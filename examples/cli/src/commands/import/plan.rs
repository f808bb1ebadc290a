//! What an import is to do with each assignment.

use std::collections::HashMap;

use ibyok_core::{EnvironmentName, KeyName, KeyRef, Secret, VALUE_MAX, Written};
use serde_json::{Value, json};

use crate::dotenv::{Assignment, Parsed};
use crate::error::{Error, Result};

/// What came of an assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Still to be done.
    Pending,
    /// The key is new.
    Created,
    /// The key had this value.
    Unchanged,
    /// The key has a new version.
    Updated,
    /// The key has another value.
    Refused,
    /// There is no value.
    Empty,
    /// The value is a reference already.
    Reference,
    /// It was not wanted.
    Skipped,
}

impl Outcome {
    pub(super) const ALL: [Outcome; 7] = [
        Outcome::Created,
        Outcome::Unchanged,
        Outcome::Updated,
        Outcome::Refused,
        Outcome::Empty,
        Outcome::Reference,
        Outcome::Skipped,
    ];

    pub(super) fn word(self) -> &'static str {
        match self {
            Outcome::Pending => "pending",
            Outcome::Created => "created",
            Outcome::Unchanged => "unchanged",
            Outcome::Updated => "updated",
            Outcome::Refused => "refused",
            Outcome::Empty => "empty",
            Outcome::Reference => "reference",
            Outcome::Skipped => "skipped",
        }
    }

    /// Whether the vault holds the value now.
    fn is_stored(self) -> bool {
        matches!(self, Outcome::Created | Outcome::Unchanged | Outcome::Updated)
    }

    pub(super) fn is_stored_or_refused(self) -> bool {
        self.is_stored() || self == Outcome::Refused
    }
}

/// One assignment, and what becomes of it.
pub(super) struct Entry {
    pub(super) variable: String,
    pub(super) line: usize,
    pub(super) key: KeyRef,
    /// The value, until it is stored.
    pub(super) value: Option<Secret>,
    pub(super) outcome: Outcome,
    /// What the vault said when it stored the value.
    pub(super) told: Option<Written>,
    literal_dollar: bool,
    renamed: bool,
}

impl Entry {
    pub(super) fn document(&self) -> Value {
        let reference = self.outcome.is_stored_or_refused().then(|| self.key.to_string());
        let mut document =
            json!({ "variable": self.variable, "line": self.line, "ref": reference, "outcome": self.outcome.word() });
        if let (Value::Object(map), Some(told)) = (&mut document, &self.told)
            && let Some(provider) = &told.provider
        {
            map.insert("provider".to_owned(), json!(provider));
        }
        document
    }
}

/// Everything that an import is to do.
pub(super) struct Plan {
    pub(super) entries: Vec<Entry>,
    bare: Vec<usize>,
}

impl Plan {
    pub(super) fn count(&self, outcome: Outcome) -> usize {
        self.entries.iter().filter(|entry| entry.outcome == outcome).count()
    }

    /// The entries whose values the vault holds now.
    pub(super) fn stored(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.outcome.is_stored())
    }

    /// What a person should know about the file.
    pub(super) fn notes(&self) -> Vec<String> {
        let of = |wanted: &dyn Fn(&&Entry) -> bool| {
            let named = self
                .entries
                .iter()
                .filter(wanted)
                .map(|entry| format!("{} (line {})", entry.variable, entry.line));
            named.collect::<Vec<_>>()
        };
        let mut notes = Vec::new();
        let mut note = |what: &str, which: Vec<String>| {
            if !which.is_empty() {
                notes.push(format!("{what}: {}", shortened(&which)));
            }
        };
        note(
            "a `$` is kept as it is, and not expanded",
            of(&|e| e.literal_dollar && e.outcome == Outcome::Pending),
        );
        note(
            "the leading `_` is no part of the key's name",
            of(&|e| e.renamed && e.outcome == Outcome::Pending),
        );
        note("empty, and left where it is", of(&|e| e.outcome == Outcome::Empty));
        note(
            "no value, and left where it is",
            self.bare.iter().map(|line| format!("line {line}")).collect(),
        );
        notes
    }
}

impl Plan {
    /// Whose keys were recognised, after they were stored.
    pub(super) fn recognised(&self) -> Option<String> {
        let told = self
            .entries
            .iter()
            .filter_map(|entry| entry.told.as_ref().map(|told| (entry, told)));
        let named: Vec<String> = told
            .filter(|(_, told)| told.recognised)
            .filter_map(|(entry, told)| Some(format!("{} as {}", entry.variable, told.provider.as_ref()?)))
            .collect();
        (!named.is_empty()).then(|| format!("recognised: {}", shortened(&named)))
    }

    /// What a person should look at, with the line it is about.
    pub(super) fn warnings(&self) -> impl Iterator<Item = String> {
        self.entries.iter().flat_map(|entry| {
            let warnings = entry.told.iter().flat_map(|told| &told.warnings);
            warnings.map(|warning| format!("{} (line {}): {warning}", entry.variable, entry.line))
        })
    }
}

fn shortened(items: &[String]) -> String {
    let shown = items.iter().take(10).cloned().collect::<Vec<_>>().join(", ");
    match items.len() {
        0..=10 => shown,
        more => format!("{shown} and {} more", more - 10),
    }
}

/// Decides what is to be done, and finds everything that is wrong with the names and sizes of what is wanted.
///
/// # Errors
/// [`Error::Usage`] naming the line, the vault's `too_large` likewise.
pub(super) fn make(parsed: Parsed, environment: &EnvironmentName, wants: impl Fn(&str) -> bool) -> Result<Plan> {
    let mut entries = Vec::with_capacity(parsed.assignments.len());
    let mut names: HashMap<String, (String, usize)> = HashMap::new();
    for assignment in parsed.assignments {
        let entry = entry(assignment, environment, &wants)?;
        if entry.outcome == Outcome::Pending
            && let Some((other, line)) = names.insert(entry.key.to_string(), (entry.variable.clone(), entry.line))
        {
            return Err(Error::usage(
                format!(
                    "`{other}` on line {line} and `{}` on line {} would be one key",
                    entry.variable, entry.line
                ),
                "leave one of them out with `--skip`",
            ));
        }
        entries.push(entry);
    }
    Ok(Plan {
        entries,
        bare: parsed.bare,
    })
}

fn entry(assignment: Assignment, environment: &EnvironmentName, wants: impl Fn(&str) -> bool) -> Result<Entry> {
    let Assignment {
        variable,
        value,
        line,
        literal_dollar,
    } = assignment;
    let name = variable.trim_start_matches('_');
    let key = |name: &str| {
        name.parse::<KeyName>()
            .map(|name| KeyRef::new(environment.clone(), name))
    };
    let outcome = match () {
        () if !wants(name) => Outcome::Skipped,
        () if value.is_empty() => Outcome::Empty,
        () if value.starts_with("ibyok://") => Outcome::Reference,
        () => Outcome::Pending,
    };
    let key = match (key(name), outcome) {
        (Ok(key), _) => key,
        // Nothing is done with it: its name need not be one of a key.
        (Err(_), Outcome::Skipped | Outcome::Empty | Outcome::Reference) => {
            KeyRef::from_parts(environment.clone(), "unnamed")?
        }
        (Err(error), _) => {
            let hint = error.hint().unwrap_or_default();
            return Err(Error::usage(
                format!("line {line}: {error}"),
                format!("{hint}, or leave it out with `--skip`"),
            ));
        }
    };
    if value.len() > VALUE_MAX {
        let hint = "a file belongs somewhere else; leave it out with `--skip`";
        let what = format!("line {line}: the value of `{variable}` is over the limit of {VALUE_MAX} bytes");
        return Err(Error::usage(what, hint));
    }
    let renamed = name.len() != variable.len();
    let value = (outcome == Outcome::Pending).then(|| Secret::copy_of(value.as_bytes()));
    Ok(Entry {
        variable,
        line,
        key,
        value,
        outcome,
        told: None,
        literal_dollar,
        renamed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(file: &str, wants: impl Fn(&str) -> bool) -> Result<Plan> {
        make(crate::dotenv::parse(file).unwrap(), &"dev".parse().unwrap(), wants)
    }

    #[test]
    fn what_is_empty_unwanted_or_a_reference_is_left_where_it_is() {
        let plan = plan("A=1\nB=\nC=ibyok://dev/C\nD=2\n", |name| name != "D").unwrap();
        let outcomes: Vec<&str> = plan.entries.iter().map(|entry| entry.outcome.word()).collect();
        assert_eq!(outcomes, ["pending", "empty", "reference", "skipped"]);
        assert_eq!(plan.notes(), ["empty, and left where it is: B (line 2)"]);
    }

    #[test]
    fn a_leading_underscore_is_dropped_and_said() {
        let plan = plan("_A=1\n", |_| true).unwrap();
        assert_eq!(plan.entries[0].key.to_string(), "dev/A");
        assert_eq!(plan.entries[0].variable, "_A");
        assert_eq!(plan.notes().len(), 1);
    }

    #[test]
    fn two_variables_of_one_name_are_refused_with_both_lines() {
        let error = plan("A=1\n_A=2\n", |_| true).err().unwrap().to_string();
        assert_eq!(error, "`A` on line 1 and `_A` on line 2 would be one key");
    }

    #[test]
    fn a_value_over_the_limit_names_its_line_before_anything_is_stored() {
        let file = format!("A=1\nB={}\n", "x".repeat(VALUE_MAX + 1));
        assert!(plan(&file, |_| true).err().unwrap().to_string().starts_with("line 2: "));
        assert!(plan(&file, |name| name != "B").is_err());
    }
}
