//! From a text to findings.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ibyok_providers::Catalogue;

use crate::detect::{Assignments, By, Candidates, Hit, Shapes, passwords, private_keys, surest};
use crate::excuse::{Excuse, excuse};
use crate::excused::ExcusedFiles;
use crate::finding::ScanFinding;
use crate::matcher::{KnownKey, Matcher};
use crate::place::{Kind, ScanPlace};
use crate::printable::printable;
use crate::stream::{Counter, Window, windows};
use crate::utf16::{self, Utf16};

/// The number of bytes at the start of a text that decide whether it is binary, as for git.
const START: usize = 8 * 1024;

/// The largest number of characters of a name and of a prefix that a finding shows.
const NAME_SHOWN: usize = 40;
const PREFIX_SHOWN: usize = 4;

/// An engine that finds secrets. Made once, used by all threads.
#[derive(Debug)]
pub struct Engine {
    shapes: Shapes,
    assignments: Assignments,
    matcher: Option<Arc<dyn Matcher>>,
    binary: bool,
    excused: Option<ExcusedFiles>,
    sameness: RandomState,
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

impl Engine {
    /// Everything that the built-in catalogue and our own rules know of.
    #[must_use]
    pub fn new() -> Self {
        let catalogue = Catalogue::builtin();
        Engine {
            shapes: Shapes::of(catalogue),
            assignments: Assignments::of(catalogue),
            matcher: None,
            binary: false,
            excused: None,
            sameness: RandomState::new(),
        }
    }

    /// Also finds the keys that a matcher knows.
    #[must_use]
    pub fn with_matcher(mut self, matcher: Arc<dyn Matcher>) -> Self {
        self.matcher = Some(matcher);
        self
    }

    /// Also in texts that are binary: that have a NUL in their first 8 KiB, and are not UTF-16.
    #[must_use]
    pub fn binary(mut self, binary: bool) -> Self {
        self.binary = binary;
        self
    }

    /// Excuses findings in these files, except for keys that the matcher knows.
    #[must_use]
    pub fn excusing(mut self, excused: Option<ExcusedFiles>) -> Self {
        self.excused = excused;
        self
    }

    /// Returns the path of a root below the top, for excuses.
    pub(crate) fn below_top(&self, root: &Path) -> Option<PathBuf> {
        self.excused.as_ref()?.below_top(root)
    }

    /// Returns a scanner, which scans one text after another. Each thread needs its own. A scanner holds a megabyte.
    #[must_use]
    pub fn scanner(&self) -> Scanner<'_> {
        Scanner {
            engine: self,
            candidates: Candidates::default(),
            buffer: Vec::new(),
        }
    }
}

/// Scans texts, one after another.
#[derive(Debug)]
pub struct Scanner<'e> {
    engine: &'e Engine,
    candidates: Candidates,
    buffer: Vec<u8>,
}

/// The result of scanning one text.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Scanned {
    /// The findings, in order.
    pub findings: Vec<ScanFinding>,
    /// The number of findings that were excused on their lines.
    pub excused: u64,
    /// The number of keys in the text that their provider publishes by design. They are no findings.
    pub public: u64,
    /// The number of bytes read.
    pub bytes: u64,
    /// True if the text is binary and was left out.
    pub binary: bool,
}

impl Scanner<'_> {
    /// Scans a text to its end, in bounded memory.
    ///
    /// # Errors
    /// The errors of reading.
    pub fn scan(&mut self, source: &mut dyn Read, place: &ScanPlace) -> io::Result<Scanned> {
        let mut start = Vec::with_capacity(START);
        source.take(START as u64).read_to_end(&mut start)?;
        let order = utf16::order(&start);
        let mut scanned = Scanned::default();
        if order.is_none() && !self.engine.binary && memchr::memchr(0, &start).is_some() {
            scanned.binary = true;
            return Ok(scanned);
        }
        let mut whole = start.as_slice().chain(source);
        match order {
            Some(order) => self.text(&mut Utf16::new(whole, order), place, &mut scanned)?,
            None => self.text(&mut whole, place, &mut scanned)?,
        }
        Ok(scanned)
    }

    fn text(&mut self, source: &mut dyn Read, place: &ScanPlace, scanned: &mut Scanned) -> io::Result<()> {
        let Scanner {
            engine,
            candidates,
            buffer,
        } = self;
        scanned.bytes = windows(buffer, source, |window| {
            let mut hits = Vec::new();
            engine.shapes.find(window, &mut hits);
            private_keys(window, &mut hits);
            if place.kind != Kind::Generated {
                passwords(window, &mut hits);
                let settings = place.kind == Kind::Settings;
                engine.assignments.find(window, settings, &mut hits);
            }
            if let Some(matcher) = &engine.matcher {
                candidates.find(matcher.as_ref(), window, &mut hits);
            }
            let mut going = Going::over(window);
            for (hit, known) in surest(hits) {
                engine.judge(&mut going, place, &hit, known, scanned);
            }
        })?;
        Ok(())
    }
}

impl Engine {
    /// Makes a finding of a hit, if its line does not excuse it. A key that the matcher knows is a leak in spite of
    /// any excuse.
    fn judge(
        &self,
        going: &mut Going<'_>,
        place: &ScanPlace,
        hit: &Hit,
        known: Option<KnownKey>,
        scanned: &mut Scanned,
    ) {
        let window = going.window;
        let of_file = || {
            let path = place.below_top.as_ref();
            path.zip(self.excused.as_ref())
                .is_some_and(|(path, excused)| excused.covers(path))
        };
        if known.is_none() && matches!(hit.by, By::Public(_)) {
            scanned.public += 1;
            return;
        }
        let note = match going.excuse_of(hit) {
            Excuse::None | Excuse::Bare if known.is_none() && of_file() => {
                scanned.excused += 1;
                return;
            }
            Excuse::None => None,
            Excuse::Reason if known.is_none() => {
                scanned.excused += 1;
                return;
            }
            Excuse::Reason => Some("not excused: it is a key of the vault".to_owned()),
            Excuse::Bare => Some("not excused: `ibyok:allow` needs a reason after it".to_owned()),
        };
        let (line, column) = going.counter.position(hit.span.start);
        let secret = window.get(hit.span.clone());
        let mut finding = ScanFinding {
            rule: hit.by.rule(),
            provider: hit.by.provider().map(|provider| provider.id().to_owned()),
            path: place.path.clone(),
            line,
            column,
            commit: place.commit.clone(),
            excerpt: excerpt(window, hit),
            known_key: None,
            known_version: None,
            note,
            sameness: self.sameness.hash_one(secret),
        };
        if let Some(known) = known {
            finding.is(known);
        }
        scanned.findings.push(finding);
    }
}

/// Goes over a window's hits in order: each line is read once, since one line may hold thousands of them.
struct Going<'w> {
    window: &'w Window<'w>,
    counter: Counter<'w>,
    line: Range<usize>,
    excuse: Excuse,
}

impl<'w> Going<'w> {
    fn over(window: &'w Window<'w>) -> Self {
        Going {
            window,
            counter: window.counter(),
            line: 0..0,
            excuse: Excuse::None,
        }
    }

    /// The excuse of a hit's line; of a private key, which has no room for one, of the line before too.
    fn excuse_of(&mut self, hit: &Hit) -> Excuse {
        if !self.line.contains(&hit.span.start) {
            self.line = self.window.line(hit.span.start);
            self.excuse = excuse(self.window.get(self.line.clone()));
        }
        if self.excuse == Excuse::None && matches!(hit.by, By::PrivateKey) && self.line.start > 0 {
            return excuse(self.window.get(self.window.line(self.line.start - 1)));
        }
        self.excuse
    }
}

/// The name that a secret is given to, and the characters that all such secrets begin with; nothing else of it.
fn excerpt(window: &Window<'_>, hit: &Hit) -> String {
    if matches!(hit.by, By::PrivateKey) {
        return printable(window.get(hit.span.clone()));
    }
    let shown = hit.prefix.min(PREFIX_SHOWN);
    let prefix = printable(window.get(hit.span.start..hit.span.start + shown));
    let name = hit.name.clone().map(|name| window.get(name)).unwrap_or_default();
    let telling = !name.is_empty() && name.len() <= NAME_SHOWN;
    if telling {
        format!("{} = {prefix}…", printable(name))
    } else {
        format!("{prefix}…")
    }
}
