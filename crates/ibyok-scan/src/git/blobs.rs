//! The contents of blobs, scanned on as many threads as there are processors, each with its own `cat-file`.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::engine::{Engine, Scanner};
use crate::error::Error;
use crate::finding::ScanFinding;
use crate::place::ScanPlace;
use crate::progress::Progress;
use crate::report::ScanReport;

use super::program::Git;

/// A text in a repository.
#[derive(Clone, Debug)]
pub(super) struct Blob {
    /// The object's id, in hexadecimal digits.
    pub(super) id: String,
    /// The path that it is found at.
    pub(super) path: Vec<u8>,
    /// The commit that brought it.
    pub(super) commit: Option<String>,
    pub(super) part: Part,
}

/// The part of an object that is scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it: a file.
    Whole,
    /// The message of a commit or a tag, which follows the header's empty line. `path` shows which of the two it is.
    Message,
}

/// The same secret under the same rule in the same file: reported once, for the first text that has it.
type Told = HashMap<(u64, String, String), (usize, ScanFinding)>;

/// Scans blobs.
pub(super) fn scan(git: &Git, blobs: &[Blob], engine: &Engine, progress: &Progress) -> Result<ScanReport, Error> {
    progress.expect(blobs.len());
    let next = AtomicUsize::new(0);
    let all = Mutex::new((ScanReport::default(), Told::new()));
    let threads = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(blobs.len().max(1));
    let failed = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut worker = match Worker::start(git, engine) {
                    Ok(worker) => worker,
                    Err(error) => return keep(&failed, error),
                };
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(blob) = blobs.get(place) else {
                        break;
                    };
                    if let Err(error) = worker.blob(place, blob, progress) {
                        keep(
                            &failed,
                            Error::Git {
                                what: format!("`git cat-file` ended: {error}"),
                            },
                        );
                        break;
                    }
                }
                let mut all = all.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                let (report, told) = &mut *all;
                report.merge(std::mem::take(&mut worker.report));
                for (place, finding) in std::mem::take(&mut worker.told).into_values() {
                    tell(told, place, finding);
                }
            });
        }
    });
    if let Some(error) = failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        return Err(error);
    }
    let (mut report, told) = all.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    report.found(told.into_values().map(|(_, finding)| finding));
    report.sort();
    Ok(report)
}

fn keep(failed: &Mutex<Option<Error>>, error: Error) {
    *failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(error);
}

fn tell(told: &mut Told, place: usize, finding: ScanFinding) {
    let key = (finding.sameness, finding.rule.clone(), finding.path.clone());
    let earlier = told.get(&key).is_some_and(|(other, _)| *other <= place);
    if !earlier {
        told.insert(key, (place, finding));
    }
}

struct Worker<'e> {
    child: Child,
    ask: Option<ChildStdin>,
    answer: BufReader<ChildStdout>,
    scanner: Scanner<'e>,
    report: ScanReport,
    told: Told,
}

impl<'e> Worker<'e> {
    fn start(git: &Git, engine: &'e Engine) -> Result<Self, Error> {
        let mut child = git.start(&["cat-file", "--batch"], Stdio::piped())?;
        let no_pipe = || Error::Git {
            what: "git has no pipe".to_owned(),
        };
        let ask = child.stdin.take().ok_or_else(no_pipe)?;
        let answer = child.stdout.take().ok_or_else(no_pipe)?;
        Ok(Worker {
            child,
            ask: Some(ask),
            answer: BufReader::with_capacity(1 << 16, answer),
            scanner: engine.scanner(),
            report: ScanReport::default(),
            told: Told::new(),
        })
    }

    fn blob(&mut self, at: usize, blob: &Blob, progress: &Progress) -> io::Result<()> {
        let ask = self.ask.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        writeln!(ask, "{}", blob.id)?;
        ask.flush()?;
        let mut place = match blob.part {
            Part::Whole => ScanPlace::of_bytes(&blob.path),
            Part::Message => ScanPlace::of_message(&blob.path),
        };
        if let Some(commit) = &blob.commit {
            place = place.in_commit(commit.as_str());
        }
        let mut header = Vec::new();
        (&mut self.answer).take(256).read_until(b'\n', &mut header)?;
        let Some(size) = size(&header) else {
            if header.last() != Some(&b'\n') {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.report
                .not_read(format!("{}: the object {} is not in this clone", place.path, blob.id));
            return Ok(());
        };
        let mut content = (&mut self.answer).take(size);
        if blob.part == Part::Message {
            skip_header(&mut content)?;
        }
        let mut scanned = self.scanner.scan(&mut content, &place)?;
        io::copy(&mut content, &mut io::sink())?;
        self.answer.read_exact(&mut [0])?;
        progress.add(scanned.bytes);
        for finding in std::mem::take(&mut scanned.findings) {
            tell(&mut self.told, at, finding);
        }
        self.report.add(scanned);
        Ok(())
    }
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        // It ends when it is asked nothing more; what it ends with is of no interest.
        drop(self.ask.take());
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

/// Reads to the end of the first empty line.
fn skip_header(content: &mut impl BufRead) -> io::Result<()> {
    let mut line = Vec::new();
    while content.read_until(b'\n', &mut line)? > 0 && line != b"\n" {
        line.clear();
    }
    Ok(())
}

/// The size in `<id> blob <size>`.
fn size(header: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(header).ok()?;
    let mut words = text.trim_end().split(' ');
    let (_, kind, size) = (words.next()?, words.next()?, words.next()?);
    if kind == "missing" { None } else { size.parse().ok() }
}
