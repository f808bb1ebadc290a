//! Plans the outcome of each assignment of an import.

use std::collections::{BTreeMap, HashMap};

use ibyok_core::{
    EnvironmentName, KeyName, KeyRef, Secret,
    keys::{VALUE_MAX, VariableKind, Written},
};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::dotenv::{Assignment, Error, Parsed, Remarks, Result, WORDS, each_once, is_one_word};

/// The outcome of an assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a program words each outcome, and must word a new one"
)]
pub enum Outcome {
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
    /// The vault did not take the value; the entry says why.
    Failed,
    /// There is no value.
    Empty,
    /// The value is a reference already.
    Reference,
    /// It was not wanted.
    Skipped,
    /// No key can have its name, or no program its variable.
    Left,
}

impl Outcome {
    /// Every outcome but [`Outcome::Pending`], in the order in which they are counted.
    pub const ALL: [Outcome; 9] = [
        Outcome::Created,
        Outcome::Unchanged,
        Outcome::Updated,
        Outcome::Refused,
        Outcome::Failed,
        Outcome::Empty,
        Outcome::Reference,
        Outcome::Skipped,
        Outcome::Left,
    ];

    /// Returns the outcome's word: `created`, `unchanged`, …
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Pending => "pending",
            Outcome::Created => "created",
            Outcome::Unchanged => "unchanged",
            Outcome::Updated => "updated",
            Outcome::Refused => "refused",
            Outcome::Failed => "failed",
            Outcome::Empty => "empty",
            Outcome::Reference => "reference",
            Outcome::Skipped => "skipped",
            Outcome::Left => "left",
        }
    }

    /// Returns true if the vault holds the value now.
    fn is_stored(self) -> bool {
        matches!(self, Outcome::Created | Outcome::Unchanged | Outcome::Updated)
    }

    fn has_key(self) -> bool {
        self.is_stored() || matches!(self, Outcome::Refused | Outcome::Failed)
    }
}

/// One assignment, and the action for it.
#[non_exhaustive]
pub struct Entry {
    /// The variable, as the file names it.
    pub variable: String,
    /// The line that the assignment begins on, from 1.
    pub line: usize,
    /// The key; `None` for a value that is left where it is.
    pub key: Option<KeyRef>,
    /// The reason why it is left where it is.
    why: Option<String>,
    /// The value, until it is stored.
    pub(crate) value: Option<Secret>,
    /// The outcome.
    pub outcome: Outcome,
    /// The answer of the vault when it stored the value.
    pub told: Option<Written>,
    remarks: Remarks,
    renamed: bool,
}

impl Entry {
    /// Returns the key that has the value now, that has another value, or that did not take the value.
    #[must_use]
    pub fn reference(&self) -> Option<String> {
        let known = self.key.as_ref().filter(|_| self.outcome.has_key());
        known.map(ToString::to_string)
    }

    /// Keeps the reason why the vault did not take the value.
    pub(crate) fn failed(&mut self, why: String) {
        self.outcome = Outcome::Failed;
        self.why = Some(why);
    }

    /// Returns the reason why the assignment is left where it is, or why the vault did not take its value.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        self.why.as_deref()
    }

    /// Returns the reason why the vault did not take the value.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.why.as_deref().filter(|_| self.outcome == Outcome::Failed)
    }
}

/// Everything that an import is to do.
#[non_exhaustive]
pub struct Plan {
    /// The assignments of the file, in its order.
    pub entries: Vec<Entry>,
    bare: Vec<usize>,
}

impl Plan {
    /// Counts the assignments with this outcome.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.entries.iter().filter(|entry| entry.outcome == outcome).count()
    }

    /// The entries whose values the vault holds now.
    pub fn stored(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.outcome.is_stored())
    }

    /// Returns the references that replace stored values in the file, by variable. `namespace` is the part of a reference before the
    /// environment, such as `acme/`; it is empty in the home namespace.
    #[must_use]
    pub fn references(&self, namespace: &str) -> BTreeMap<String, String> {
        let stored = self.stored().filter_map(|entry| {
            let reference = format!("ibyok://{namespace}{}", entry.key.as_ref()?);
            Some((entry.variable.clone(), reference))
        });
        stored.collect()
    }

    /// Returns notes about the file, for a person.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
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
        for (has, said) in WORDS {
            let judged = |e: &&Entry| matches!(e.outcome, Outcome::Pending | Outcome::Empty);
            note(said, of(&|e| judged(e) && has(&e.remarks)));
        }
        note(
            "the name of the key drops the leading `_`",
            of(&|e| e.renamed && e.outcome == Outcome::Pending),
        );
        note(
            "not imported, because the value is empty",
            of(&|e| e.outcome == Outcome::Empty),
        );
        note(
            "not imported, because the line has no value",
            self.bare.iter().map(|line| format!("line {line}")).collect(),
        );
        notes
    }
}

/// The entry as JSON: `variable`, `line`, `ref`, `outcome`, and `provider` and `why` if there are any. It never holds the value.
impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("variable", &self.variable)?;
        map.serialize_entry("line", &self.line)?;
        map.serialize_entry("ref", &self.reference())?;
        map.serialize_entry("outcome", self.outcome.word())?;
        if let Some(provider) = self.told.as_ref().and_then(|told| told.provider.as_ref()) {
            map.serialize_entry("provider", provider)?;
        }
        if let Some(why) = self.why() {
            map.serialize_entry("why", why)?;
        }
        map.end()
    }
}

impl Plan {
    /// Counts the assignments by outcome, in words: `2 created, 1 skipped`.
    #[must_use]
    pub fn counts(&self) -> String {
        let counts = Outcome::ALL.iter().filter_map(|outcome| match self.count(*outcome) {
            0 => None,
            count => Some(format!("{count} {}", outcome.word())),
        });
        let counts: Vec<String> = counts.collect();
        match counts.is_empty() {
            true => "nothing to import".to_owned(),
            false => counts.join(", "),
        }
    }

    /// Describes the values that the vault did not take, each with its line and the reason.
    pub fn failures(&self) -> impl Iterator<Item = String> {
        self.entries.iter().filter_map(|entry| {
            let why = entry.failure()?;
            Some(format!(
                "line {}: `{}` is not stored: {why}",
                entry.line, entry.variable
            ))
        })
    }

    /// Names the keys whose provider was recognised when they were stored.
    #[must_use]
    pub fn recognised(&self) -> Option<String> {
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

    /// Assignments that are left where they are, each with its line and the reason.
    pub fn left(&self) -> impl Iterator<Item = String> {
        self.entries.iter().filter_map(|entry| {
            let why = entry.why.as_ref()?;
            Some(format!(
                "line {}: did not import `{}`: {why}",
                entry.line, entry.variable
            ))
        })
    }

    /// Returns warnings for a person, each with its line.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
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

/// Decides the outcome of each wanted assignment, and finds every fault in them. Does not judge the others.
///
/// # Errors
/// [`Error`] naming the line.
pub fn make(
    parsed: Parsed,
    environment: &EnvironmentName,
    by_token: bool,
    wants: impl Fn(&str) -> bool,
) -> Result<Plan> {
    let wanted = |variable: &str| wants(variable.trim_start_matches('_'));
    let assigned = parsed.assignments.iter();
    each_once(
        assigned
            .filter(|a| wanted(&a.variable))
            .map(|a| (a.variable.as_str(), a.line)),
    )?;
    let mut entries = Vec::with_capacity(parsed.assignments.len());
    let mut names: HashMap<String, (String, usize)> = HashMap::new();
    for assignment in parsed.assignments {
        let is_wanted = wanted(&assignment.variable);
        let entry = entry(assignment, environment, by_token, is_wanted)?;
        if let (Outcome::Pending, Some(key)) = (entry.outcome, &entry.key)
            && let Some((other, line)) = names.insert(key.to_string(), (entry.variable.clone(), entry.line))
        {
            return Err(Error::new(
                format!(
                    "`{other}` on line {line} and `{}` on line {} give the same key name",
                    entry.variable, entry.line
                ),
                "skip one of them with `--skip`",
            ));
        }
        entries.push(entry);
    }
    Ok(Plan {
        entries,
        bare: parsed.bare,
    })
}

fn entry(assignment: Assignment, environment: &EnvironmentName, by_token: bool, is_wanted: bool) -> Result<Entry> {
    if is_wanted {
        assignment.undisputed()?;
    }
    let (line, variable) = (assignment.line, assignment.variable);
    let (key, why) = match key(&variable, environment, by_token) {
        Ok(key) => (Some(key), None),
        Err(why) => (None, Some(why)),
    };
    let outcome = match () {
        () if !is_wanted => Outcome::Skipped,
        () if !is_one_word(&variable) => {
            let hint = "write `NAME=value`, a comment, or an empty line; or skip the line with `--skip`";
            return Err(Error::new(format!("line {line} is not an assignment"), hint));
        }
        () if assignment.value.is_empty() => Outcome::Empty,
        () if assignment.value.starts_with("ibyok://") => Outcome::Reference,
        () if key.is_none() => Outcome::Left,
        () => Outcome::Pending,
    };
    if outcome == Outcome::Pending && assignment.value.len() > VALUE_MAX {
        let hint = "store large data elsewhere, and skip the variable with `--skip`";
        let what = format!("line {line}: the value of `{variable}` is larger than the limit of {VALUE_MAX} bytes");
        return Err(Error::new(what, hint));
    }
    Ok(Entry {
        renamed: variable.starts_with('_'),
        value: (outcome == Outcome::Pending).then(|| Secret::copy_of(assignment.value.as_bytes())),
        why: why.filter(|_| outcome == Outcome::Left),
        variable,
        line,
        key,
        outcome,
        told: None,
        remarks: assignment.remarks,
    })
}

/// The key of a variable, or the reason why there is none.
fn key(variable: &str, environment: &EnvironmentName, by_token: bool) -> Result<KeyRef, String> {
    let kind = VariableKind::of(variable);
    match kind {
        VariableKind::Malformed => return Err("it is not the name of a variable".to_owned()),
        VariableKind::Reserved => return Err("the name is reserved for IBYOK, or decides where requests go".to_owned()),
        VariableKind::RunsCode => return Err("the variable decides which code a program runs".to_owned()),
        VariableKind::Unproven if by_token => {
            return Err("a token may not choose this variable, because it may steer a program".to_owned());
        }
        VariableKind::Unproven | VariableKind::Evident => {}
    }
    let name = variable.trim_start_matches('_').parse::<KeyName>();
    name.map(|name| KeyRef::new(environment.clone(), name))
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(file: &str, wants: impl Fn(&str) -> bool) -> Result<Plan> {
        make(
            crate::dotenv::parse(file).unwrap(),
            &"dev".parse().unwrap(),
            false,
            wants,
        )
    }

    #[test]
    fn what_is_empty_unwanted_or_a_reference_is_left_where_it_is() {
        let plan = plan("A=1\nB=\nC=ibyok://dev/C\nD=2\n", |name| name != "D").unwrap();
        let outcomes: Vec<&str> = plan.entries.iter().map(|entry| entry.outcome.word()).collect();
        assert_eq!(outcomes, ["pending", "empty", "reference", "skipped"]);
        assert_eq!(plan.notes(), ["not imported, because the value is empty: B (line 2)"]);
    }

    #[test]
    fn a_leading_underscore_is_dropped_and_said() {
        let plan = plan("_A=1\n", |_| true).unwrap();
        assert_eq!(plan.entries[0].key.as_ref().unwrap().to_string(), "dev/A");
        assert_eq!(plan.entries[0].variable, "_A");
        assert_eq!(plan.notes().len(), 1);
    }

    #[test]
    fn two_variables_of_one_name_are_refused_with_both_lines() {
        let error = plan("A=1\n_A=2\n", |_| true).err().unwrap().to_string();
        assert_eq!(error, "`A` on line 1 and `_A` on line 2 give the same key name");
    }

    #[test]
    fn a_value_over_the_limit_names_its_line_before_anything_is_stored() {
        let file = format!("A=1\nB={}\n", "x".repeat(VALUE_MAX + 1));
        assert!(plan(&file, |_| true).err().unwrap().to_string().starts_with("line 2: "));
        assert!(plan(&file, |name| name != "B").is_ok());
    }

    #[test]
    fn a_name_that_no_key_can_have_is_left_with_its_line_and_blocks_nothing() {
        let file =
            "A=1\ngo-version=2\nspring.datasource.password=3\nPATH=/bin\nhttps_proxy=4\nIBYOK_TOKEN=5\n9A=6\n__=7\n";
        let plan = plan(file, |_| true).unwrap();
        let outcomes: Vec<&str> = plan.entries.iter().map(|entry| entry.outcome.word()).collect();
        assert_eq!(
            outcomes,
            ["pending", "left", "left", "left", "left", "left", "left", "left"]
        );
        let left: Vec<String> = plan.left().collect();
        assert_eq!(
            left[0],
            "line 2: did not import `go-version`: it is not the name of a variable"
        );
        assert_eq!(
            left[2],
            "line 4: did not import `PATH`: the variable decides which code a program runs"
        );
    }

    #[test]
    fn nothing_is_wrong_with_what_is_not_wanted() {
        let file = "A=1\nhello world=2\nB=3\nB=4\n";
        assert!(plan(file, |name| name == "A").is_ok());
        assert!(
            plan(file, |name| name != "B")
                .err()
                .unwrap()
                .to_string()
                .contains("line 2")
        );
        assert!(
            plan(file, |name| name != "hello world")
                .err()
                .unwrap()
                .to_string()
                .contains("line 4")
        );
    }

    #[test]
    fn a_tokens_file_brings_only_variables_that_evidently_hold_credentials() {
        let parsed = crate::dotenv::parse("API_KEY=1\nMAKEFILES=2\n").unwrap();
        let plan = make(parsed, &"dev".parse().unwrap(), true, |_| true).unwrap();
        assert_eq!(plan.entries[1].outcome, Outcome::Left);
    }
}
