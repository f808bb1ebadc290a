//! Every text that any commit holds, each once.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use crate::engine::Engine;
use crate::error::Error;
use crate::printable::printable;
use crate::progress::Progress;
use crate::report::ScanReport;

use super::blobs::{Blob, Part, scan};
use super::{Repository, submodules};

impl Repository {
    /// Scans every blob that can be reached from any branch, tag, stash or other reference, each once, under the path and in the commit
    /// that first had it. The same secret in later texts of the same file is the same finding. The messages of commits and of
    /// annotated tags are scanned too: their findings have the paths `commit message` and `message of tag NAME`.
    ///
    /// # Errors
    /// [`Error::Git`] for a repository that git cannot read. Objects that are not in this clone are counted.
    pub fn scan_history(&self, engine: &Engine, progress: &Progress) -> Result<ScanReport, Error> {
        // Oldest first, each commit's new objects after it.
        let listed = self.git.answer(&[
            "rev-list",
            "--all",
            "--objects",
            "--in-commit-order",
            "--reverse",
            "--missing=print",
        ])?;
        let objects = objects(&listed);
        let kinds = self.kinds(&objects)?;
        let blobs: Vec<Blob> = objects
            .iter()
            .zip(kinds)
            .filter_map(|(object, kind)| object.text(kind))
            .collect();
        let mut report = scan(&self.git, &blobs, engine, progress)?;
        for id in missing(&listed) {
            report.not_read(format!("the object {} is not in this clone", printable(id)));
        }
        if self.is_shallow()? {
            report
                .notes
                .push("older commits, because the clone is shallow (`git fetch --unshallow` gets them)".to_owned());
        }
        let gitlinks = self
            .git
            .ask(&["ls-tree", "-r", "-z", "--full-tree", "HEAD"])?
            .unwrap_or_default();
        let gitlinks = gitlinks
            .split(|byte| *byte == 0)
            .filter(|line| line.starts_with(b"160000 "));
        report.notes.extend(submodules(gitlinks.count()));
        Ok(report)
    }

    /// The kinds of objects. One that is not here may be a blob.
    fn kinds(&self, objects: &[Object<'_>]) -> Result<Vec<Kind>, Error> {
        let mut child = self
            .git
            .start(&["cat-file", "--batch-check=%(objecttype)", "--buffer"], Stdio::piped())?;
        let (ask, answer) = (child.stdin.take(), child.stdout.take());
        let kinds = std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut ask = std::io::BufWriter::new(ask?);
                for object in objects {
                    ask.write_all(object.id).and_then(|()| ask.write_all(b"\n")).ok()?;
                }
                ask.flush().ok()
            });
            let lines = answer
                .into_iter()
                .flat_map(|answer| BufReader::new(answer).split(b'\n'));
            lines
                .map_while(Result::ok)
                .map(|line| match line.as_slice() {
                    b"commit" => Kind::Commit,
                    b"tag" => Kind::Tag,
                    b"tree" => Kind::Tree,
                    _ => Kind::Blob,
                })
                .collect::<Vec<_>>()
        });
        child.wait().map(drop).unwrap_or_default();
        if kinds.len() == objects.len() {
            Ok(kinds)
        } else {
            Err(Error::Git {
                what: "`git cat-file` did not answer for every object".to_owned(),
            })
        }
    }
}

/// The kind of an object.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Commit,
    Tag,
    Tree,
    Blob,
}

/// An object in the list.
struct Object<'a> {
    id: &'a [u8],
    path: &'a [u8],
    commit: &'a [u8],
}

impl Object<'_> {
    /// Returns the part of the object that is scanned.
    fn text(&self, kind: Kind) -> Option<Blob> {
        let (path, part) = match kind {
            Kind::Tree => return None,
            Kind::Blob => (self.path.to_vec(), Part::Whole),
            Kind::Commit => (b"commit message".to_vec(), Part::Message),
            Kind::Tag => ([b"message of tag ", self.path].concat(), Part::Message),
        };
        let of_commit = !matches!(kind, Kind::Tag);
        Some(Blob {
            id: String::from_utf8_lossy(self.id).into_owned(),
            path,
            commit: of_commit.then(|| String::from_utf8_lossy(self.commit).into_owned()),
            part,
        })
    }
}

/// Objects that are not in this clone: lines of `?id`.
fn missing(listed: &[u8]) -> impl Iterator<Item = &[u8]> {
    listed
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.strip_prefix(b"?"))
}

/// Lines are `id` of a commit, or `id path` of a blob that it added.
fn objects(listed: &[u8]) -> Vec<Object<'_>> {
    let mut commit: &[u8] = b"";
    let mut objects = Vec::new();
    for line in listed
        .split(|byte| *byte == b'\n')
        .filter(|line| line.first().is_some_and(|byte| *byte != b'?'))
    {
        match memchr::memchr(b' ', line) {
            None => {
                commit = line;
                objects.push(Object {
                    id: line,
                    path: b"",
                    commit,
                });
            }
            Some(space) => {
                let (id, path) = (line.get(..space), line.get(space + 1..));
                objects.push(Object {
                    id: id.unwrap_or_default(),
                    path: path.unwrap_or_default(),
                    commit,
                });
            }
        }
    }
    objects
}
