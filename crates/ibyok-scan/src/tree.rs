//! A tree of files, as git sees it: what is ignored is left out, links are not followed.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;

use ignore::{DirEntry, ParallelVisitor, ParallelVisitorBuilder, WalkBuilder, WalkState};
use rustix::fs::OFlags;

use crate::engine::{Engine, Scanner};
use crate::error::Error;
use crate::place::Place;
use crate::printable::printable;
use crate::progress::Progress;
use crate::report::Report;

/// What of a tree is scanned.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct TreeOptions {
    /// Also what git ignores.
    pub no_ignore: bool,
}

impl TreeOptions {
    /// Also what git ignores, or not.
    #[must_use]
    pub fn no_ignore(mut self, no_ignore: bool) -> Self {
        self.no_ignore = no_ignore;
        self
    }
}

/// Scans a file, or every file below a directory: hidden ones too, `.git` not, and what git ignores only if asked. Links are not
/// followed, and what is no file (a pipe, a device) is not opened. On as many threads as there are processors.
///
/// # Errors
/// [`Error::Root`] if there is nothing at `root`. What cannot be read below it is in the report.
pub fn scan_tree(engine: &Engine, root: &Path, options: TreeOptions, progress: &Progress) -> Result<Report, Error> {
    let failed = |source| Error::Root {
        path: printable(root.as_os_str().as_encoded_bytes()),
        source,
    };
    let about = std::fs::metadata(root).map_err(failed)?;
    if about.is_dir() {
        std::fs::read_dir(root).map_err(failed)?;
    } else {
        File::open(root).map_err(failed)?;
    }
    let mut walk = WalkBuilder::new(root);
    walk.standard_filters(!options.no_ignore)
        .hidden(false)
        .follow_links(false)
        .filter_entry(|entry| entry.depth() == 0 || entry.file_name() != ".git")
        .threads(std::thread::available_parallelism().map_or(1, usize::from));
    let report = Mutex::new(Report::default());
    let mut threads = Threads {
        engine,
        progress,
        report: &report,
    };
    walk.build_parallel().visit(&mut threads);
    let mut report = report.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    report.sort();
    Ok(report)
}

/// Makes what each thread scans with.
struct Threads<'s> {
    engine: &'s Engine,
    progress: &'s Progress,
    report: &'s Mutex<Report>,
}

impl<'s> ParallelVisitorBuilder<'s> for Threads<'s> {
    fn build(&mut self) -> Box<dyn ParallelVisitor + 's> {
        Box::new(Thread {
            scanner: self.engine.scanner(),
            progress: self.progress,
            found: Report::default(),
            report: self.report,
        })
    }
}

struct Thread<'s> {
    scanner: Scanner<'s>,
    progress: &'s Progress,
    found: Report,
    report: &'s Mutex<Report>,
}

impl ParallelVisitor for Thread<'_> {
    fn visit(&mut self, entry: Result<DirEntry, ignore::Error>) -> WalkState {
        match entry {
            Ok(entry) => self.file(&entry),
            Err(error) => self.found.not_read(printable(error.to_string().as_bytes())),
        }
        WalkState::Continue
    }
}

impl Thread<'_> {
    fn file(&mut self, entry: &DirEntry) {
        if let Some(error) = entry.error() {
            self.found.notes.push(printable(error.to_string().as_bytes()));
        }
        let path = entry.path();
        let root_link = entry.depth() == 0 && entry.path_is_symlink();
        if !root_link && !entry.file_type().is_some_and(|kind| kind.is_file()) {
            return;
        }
        let shown = path.strip_prefix(".").unwrap_or(path);
        let place = Place::new(shown);
        let scanned = open(path, root_link).and_then(|file| match file {
            Some(mut file) => self.scanner.scan(&mut file, &place).map(Some),
            None => Ok(None),
        });
        match scanned {
            Ok(Some(scanned)) => {
                self.progress.add(scanned.bytes);
                self.found.add(scanned);
            }
            Ok(None) => {}
            Err(error) => self.found.not_read(format!("{}: {error}", place.path)),
        }
    }
}

impl Drop for Thread<'_> {
    fn drop(&mut self) {
        let mut report = self.report.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        report.merge(std::mem::take(&mut self.found));
    }
}

/// Opens a file, and nothing that took its place: neither a link nor a pipe that would hold us.
fn open(path: &Path, follow: bool) -> io::Result<Option<File>> {
    let mut flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    if !follow {
        flags |= OFlags::NOFOLLOW;
    }
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    Ok(file.metadata()?.is_file().then_some(file))
}
