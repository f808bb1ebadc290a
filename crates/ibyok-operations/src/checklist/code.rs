//! Checks the code: no keys in it, and ignore files that keep them out.

use ibyok_core::audit::words::{counted, is_or_are};

use super::{Item, some};

/// The facts about code, as a scan finds them.
#[derive(Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a caller builds it from whichever scan it ran")]
pub struct CodeFacts {
    /// The places of keys in the code, as `path:line`.
    pub findings: Vec<String>,
    /// The number of findings that somebody excused.
    pub excused: u64,
    /// The number of files that the scan read.
    pub files: u64,
    /// The number of parts that the scan could not read.
    pub unread: u64,
    /// The files of [`NEVER_COMMITTED`](super::NEVER_COMMITTED) that git would take.
    pub not_ignored: Vec<String>,
}

/// Judges the code.
#[must_use]
pub fn of_code(facts: &CodeFacts) -> Vec<Item> {
    vec![keys_in_code(facts), ignore_files(&facts.not_ignored)]
}

fn keys_in_code(facts: &CodeFacts) -> Item {
    const ID: &str = "no-keys-in-code";
    let found = &facts.findings;
    if !found.is_empty() {
        return Item::open(
            ID,
            format!("{}: {}", counted(found.len(), "finding"), some(found)),
            "`ibyok scan` lists them: move the values into the vault, and rotate them; excuse published test values in .ibyokignore",
        );
    }
    // A part that was not read may hold a key, so it is not taken for clean.
    if facts.unread > 0 {
        let detail = format!("cannot read {} of the code", counted(facts.unread, "part"));
        return Item::open(ID, detail, "`ibyok scan` names them");
    }
    if facts.files == 0 {
        return Item::open(
            ID,
            "the scan found no file",
            "give the directory of the code: `ibyok checklist PATH`",
        );
    }
    let excused = match facts.excused {
        0 => String::new(),
        count => format!("; {count} {} excused", is_or_are(count)),
    };
    let hold = if facts.files == 1 { "holds" } else { "hold" };
    let files = counted(facts.files, "file");
    Item::ok(ID, format!("{files} {hold} no key{excused}"))
}

fn ignore_files(not_ignored: &[String]) -> Item {
    if not_ignored.is_empty() {
        return Item::ok("ignore-files", "git ignores files with secrets");
    }
    Item::open(
        "ignore-files",
        format!("git does not ignore {}", some(not_ignored)),
        "`ibyok checklist --fix` adds .env, .env.local, .env.*.local, *.pem and credentials.json to .gitignore",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(facts: &CodeFacts) -> (bool, String) {
        let item = of_code(facts).remove(0);
        (item.ok, item.detail)
    }

    #[test]
    fn code_that_nobody_read_is_not_clean() {
        let clean = CodeFacts {
            files: 2,
            excused: 1,
            ..CodeFacts::default()
        };
        assert_eq!(judged(&clean), (true, "2 files hold no key; 1 is excused".to_owned()));
        let unread = CodeFacts {
            unread: 1,
            ..clean.clone()
        };
        assert!(!judged(&unread).0 && !judged(&CodeFacts::default()).0);
        let found = CodeFacts {
            findings: (1..=7).map(|line| format!("a:{line}")).collect(),
            ..clean
        };
        assert_eq!(
            judged(&found),
            (false, "7 findings: a:1, a:2, a:3, a:4, a:5 and 2 more".to_owned())
        );
    }
}
