//! A tree of files, as git sees it: ignored files are left out, links are not followed.

use std::collections::BTreeMap;
use std::fs::{File, FileType, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use ignore::{DirEntry, ParallelVisitor, ParallelVisitorBuilder, WalkBuilder, WalkState};
use rustix::fs::OFlags;

use crate::engine::{Engine, Scanner};
use crate::error::Error;
use crate::git::Repository;
use crate::place::ScanPlace;
use crate::printable::printable;
use crate::progress::Progress;
use crate::report::ScanReport;

/// The choice of files in a tree to scan.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct TreeOptions {
    /// Also scan files that git ignores.
    pub no_ignore: bool,
}

impl TreeOptions {
    /// Sets whether to scan files that git ignores.
    #[must_use]
    pub fn no_ignore(mut self, no_ignore: bool) -> Self {
        self.no_ignore = no_ignore;
        self
    }
}

/// Scans a file, or every file below a directory: hidden ones too, `.git` not, and files that git ignores only if
/// asked. Links are not followed. Pipes, sockets and devices are not opened: the report's notes name them. On as many
/// threads as there are processors.
///
/// A root under `/dev/fd`, such as `/dev/fd/63` for the shell's `<(…)`, is a descriptor that this process holds open.
/// It is read to its end, even if it is a pipe.
///
/// # Errors
/// [`Error::Root`] if there is nothing at `root`, or it is a pipe, a socket or a device. The report lists items below
/// it that cannot be read.
pub fn scan_tree(engine: &Engine, root: &Path, options: TreeOptions, progress: &Progress) -> Result<ScanReport, Error> {
    let failed = |source| Error::Root {
        path: printable(root.as_os_str().as_encoded_bytes()),
        source,
    };
    let about = std::fs::metadata(root).map_err(failed)?;
    if about.is_dir() {
        std::fs::read_dir(root).map_err(failed)?;
    } else if is_descriptor(root) {
        let mut descriptor = open_descriptor(root).map_err(failed)?;
        return scan_stream(engine, &mut descriptor, root, progress).map_err(failed);
    } else if about.is_file() {
        File::open(root).map_err(failed)?;
    } else {
        // Opening a pipe would wait for somebody to write to it.
        let what = kind_of(about.file_type());
        return Err(failed(io::Error::other(format!("it is {what}, not a file"))));
    }
    let mut walk = WalkBuilder::new(root);
    // Git does not know of `.ignore`, by which people keep their searches short.
    walk.standard_filters(!options.no_ignore)
        .ignore(false)
        .hidden(false)
        .follow_links(false)
        .filter_entry(|entry| entry.depth() == 0 || entry.file_name() != ".git")
        .threads(std::thread::available_parallelism().map_or(1, usize::from));
    let report = Mutex::new(ScanReport::default());
    let mut threads = Threads {
        engine,
        progress,
        report: &report,
        root,
        below_top: engine.below_top(root),
    };
    walk.build_parallel().visit(&mut threads);
    let mut report = report.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    report.sort();
    Ok(report)
}

/// Scans one text to its end, such as standard input. Findings and messages call it `shown`.
///
/// # Errors
/// The errors of reading.
pub fn scan_stream(
    engine: &Engine,
    source: &mut dyn Read,
    shown: &Path,
    progress: &Progress,
) -> io::Result<ScanReport> {
    let scanned = engine.scanner().scan(source, &ScanPlace::new(shown).below_top(None))?;
    progress.add(scanned.bytes);
    let mut report = ScanReport::default();
    report.add(scanned);
    Ok(report)
}

/// Scans files below a root that [`scan_tree`] leaves out: files that git both ignores and tracks. Their
/// paths are relative to the root. A link, or a path that is no file by now, is left out.
#[must_use]
pub fn scan_files(engine: &Engine, root: &Path, files: &[PathBuf], progress: &Progress) -> ScanReport {
    let report = Mutex::new(ScanReport::default());
    let mut thread = Thread {
        scanner: engine.scanner(),
        progress,
        found: ScanReport::default(),
        report: &report,
        root,
        below_top: engine.below_top(root),
    };
    for file in files {
        let path = root.join(file);
        if std::fs::symlink_metadata(&path).is_ok_and(|about| about.is_file()) {
            thread.scan(&path, false);
        }
    }
    drop(thread);
    report.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Scans a tree as git would commit it: ignored files only with `no_ignore`, or if git tracks them. `environment` is the environment for git.
///
/// # Errors
/// As [`scan_tree`].
pub fn scan_checkout(
    engine: &Engine,
    root: &Path,
    no_ignore: bool,
    environment: &BTreeMap<String, String>,
    progress: &Progress,
) -> Result<ScanReport, Error> {
    let options = TreeOptions::default().no_ignore(no_ignore);
    let report = scan_tree(engine, root, options, progress)?;
    if no_ignore || !root.is_dir() {
        return Ok(report);
    }
    // Where there is no repository, or no git, nothing is tracked.
    let tracked = Repository::open(root, environment).and_then(|repository| repository.ignored_and_tracked());
    Ok(match tracked {
        Ok(files) if !files.is_empty() => report.and(scan_files(engine, root, &files, progress)),
        _ => report,
    })
}

/// Makes the state with which each thread scans.
struct Threads<'s> {
    engine: &'s Engine,
    progress: &'s Progress,
    report: &'s Mutex<ScanReport>,
    root: &'s Path,
    below_top: Option<PathBuf>,
}

impl<'s> ParallelVisitorBuilder<'s> for Threads<'s> {
    fn build(&mut self) -> Box<dyn ParallelVisitor + 's> {
        Box::new(Thread {
            scanner: self.engine.scanner(),
            progress: self.progress,
            found: ScanReport::default(),
            report: self.report,
            root: self.root,
            below_top: self.below_top.clone(),
        })
    }
}

struct Thread<'s> {
    scanner: Scanner<'s>,
    progress: &'s Progress,
    found: ScanReport,
    report: &'s Mutex<ScanReport>,
    root: &'s Path,
    below_top: Option<PathBuf>,
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
        match entry.file_type() {
            Some(kind) if kind.is_file() || root_link => self.scan(path, root_link),
            Some(kind) if !(kind.is_dir() || kind.is_symlink()) => self.left_out(path, kind),
            _ => {}
        }
    }

    fn left_out(&mut self, path: &Path, kind: FileType) {
        let shown = printable(path.as_os_str().as_encoded_bytes());
        self.found.left_out(format!("{shown} ({})", kind_of(kind)));
    }

    fn scan(&mut self, path: &Path, follow: bool) {
        let shown = path.strip_prefix(".").unwrap_or(path);
        let place = ScanPlace::new(shown).below_top(self.place_below_top(path));
        let scanned = open(path, follow).and_then(|file| match file {
            Some(mut file) => self.scanner.scan(&mut file, &place).map(Some),
            None => Ok(None),
        });
        match scanned {
            Ok(Some(scanned)) => {
                self.progress.add(scanned.bytes);
                self.found.add(scanned);
            }
            Ok(None) => self.found.left_out(place.path.clone()),
            Err(error) => self.found.not_read(format!("{}: {error}", place.path)),
        }
    }

    fn place_below_top(&self, path: &Path) -> Option<PathBuf> {
        let (top, below) = (self.below_top.as_ref()?, path.strip_prefix(self.root).ok()?);
        // Joining nothing would make a directory of the file that the root is.
        Some(if below.as_os_str().is_empty() {
            top.clone()
        } else {
            top.join(below)
        })
    }
}

impl Drop for Thread<'_> {
    fn drop(&mut self) {
        let mut report = self.report.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        report.merge(std::mem::take(&mut self.found));
    }
}

/// Returns true if a path names a descriptor of this process, and no file of the disk: `/dev/stdin`, `/dev/fd/3`,
/// `/proc/self/fd/3`.
fn is_descriptor(path: &Path) -> bool {
    let number = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    let Some(path) = path.to_str() else { return false };
    let fd = path
        .strip_prefix("/dev/fd/")
        .or_else(|| path.strip_prefix("/proc/self/fd/"));
    path == "/dev/stdin" || fd.is_some_and(number)
}

/// Opens a descriptor a second time. Opening does not wait for a pipe's writer, and reading does.
fn open_descriptor(path: &Path) -> io::Result<File> {
    let flags = i32::try_from((OFlags::NONBLOCK | OFlags::NOCTTY).bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let flags = rustix::fs::fcntl_getfl(&file)?;
    rustix::fs::fcntl_setfl(&file, flags.difference(OFlags::NONBLOCK))?;
    Ok(file)
}

/// Returns the name of a file type that is neither a file nor a directory.
fn kind_of(kind: FileType) -> &'static str {
    if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

/// Opens a file, and nothing that took its place: neither a link nor a pipe that would hold us.
pub(crate) fn open(path: &Path, follow: bool) -> io::Result<Option<File>> {
    let mut flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    if !follow {
        flags |= OFlags::NOFOLLOW;
    }
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    Ok(file.metadata()?.is_file().then_some(file))
}
