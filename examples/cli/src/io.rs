//! The streams of a command: the answer goes to one, everything that is said to people to another.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::AsFd;

use ibyok_operations::Note;
use serde::Serialize;

use crate::colour::{self, Tone};
use crate::error::{Error, Result};
use crate::show::{clean, clean_lines};

/// The streams from which a command reads and to which it writes.
pub struct Io {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    input: Box<dyn Read>,
    /// The streams that are terminals.
    pub(crate) terminal: Terminal,
    /// True if messages that are no errors are left out.
    pub(crate) quiet: bool,
    /// True once a JSON document has been answered.
    pub(crate) has_document: bool,
}

/// The streams that are terminals, and those that get colour.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Terminal {
    pub(crate) input: bool,
    pub(crate) output: bool,
    pub(crate) error: bool,
    /// True if standard output gets colour.
    pub(crate) colour: bool,
    /// True if standard error gets colour.
    pub(crate) error_colour: bool,
}

impl Io {
    /// The process's own streams, without buffers: a buffer would keep a copy of a secret.
    #[must_use]
    pub fn of_process(environment: &BTreeMap<String, String>) -> Self {
        let input: Box<dyn Read> = match io::stdin().as_fd().try_clone_to_owned() {
            Ok(descriptor) => Box::new(File::from(descriptor)),
            Err(_) => Box::new(io::empty()),
        };
        let out: Box<dyn Write> = match io::stdout().as_fd().try_clone_to_owned() {
            Ok(descriptor) => Box::new(File::from(descriptor)),
            Err(_) => Box::new(io::stdout()),
        };
        let terminal = Terminal {
            input: io::stdin().is_terminal(),
            output: io::stdout().is_terminal(),
            error: io::stderr().is_terminal(),
            colour: colour::wanted(environment, io::stdout().is_terminal()),
            error_colour: colour::wanted(environment, io::stderr().is_terminal()),
        };
        Io {
            out,
            err: Box::new(io::stderr()),
            input,
            terminal,
            quiet: false,
            has_document: false,
        }
    }

    /// Custom streams, none of them a terminal: for programs and tests that run commands without a process.
    #[must_use]
    pub fn new(input: impl Read + 'static, out: impl Write + 'static, err: impl Write + 'static) -> Self {
        Io {
            out: Box::new(out),
            err: Box::new(err),
            input: Box::new(input),
            terminal: Terminal::default(),
            quiet: false,
            has_document: false,
        }
    }

    /// The answer, as it is.
    pub(crate) fn answer(&mut self, bytes: &[u8]) -> Result<()> {
        self.out
            .write_all(bytes)
            .and_then(|()| self.out.flush())
            .map_err(Error::Output)
    }

    /// The answer as a line of text.
    pub(crate) fn answer_line(&mut self, text: &str) -> Result<()> {
        self.answer(format!("{text}\n").as_bytes())
    }

    /// A word of an answer, in the colour of its meaning where answers get colour.
    pub(crate) fn toned(&self, word: &str, tone: Option<Tone>) -> String {
        match tone.filter(|_| self.terminal.colour) {
            Some(tone) => tone.paint(word),
            None => word.to_owned(),
        }
    }

    /// The answer as the one JSON document.
    pub(crate) fn answer_json(&mut self, document: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string_pretty(document)
            .map_err(|error| Error::failed(format!("cannot write the answer as JSON: {error}"), "this is a bug"))?;
        self.has_document = true;
        self.answer_line(&text)
    }

    /// Something for people to know; left out with `--quiet`.
    pub(crate) fn say(&mut self, text: &str) {
        if !self.quiet {
            self.warn(text);
        }
    }

    /// Something that people must know.
    pub(crate) fn warn(&mut self, text: &str) {
        // There is no place left to report that standard error is closed.
        let text = clean_lines(text);
        let text = if self.terminal.error_colour {
            colour::message(&text)
        } else {
            text
        };
        writeln!(self.err, "{text}")
            .and_then(|()| self.err.flush())
            .unwrap_or_default();
    }

    /// A note of a library: something to know, or something that people must know.
    pub(crate) fn note(&mut self, note: &Note) {
        match note {
            Note::Info(text) => self.say(&clean(text)),
            Note::Warning(text) => self.warn(&clean(text)),
        }
    }

    /// The notes of a library.
    pub(crate) fn notes(&mut self, notes: impl IntoIterator<Item = Note>) {
        notes.into_iter().for_each(|note| self.note(&note));
    }

    /// A question without its line break, for the answer to follow.
    pub(crate) fn prompt(&mut self, text: &str) {
        write!(self.err, "{}", clean_lines(text))
            .and_then(|()| self.err.flush())
            .unwrap_or_default();
    }

    /// Standard input, unbuffered.
    pub(crate) fn input(&mut self) -> &mut dyn Read {
        &mut self.input
    }

    /// Leaves nothing unwritten.
    pub(crate) fn flush(&mut self) {
        self.out.flush().and_then(|()| self.err.flush()).unwrap_or_default();
    }

    /// Standard output.
    pub(crate) fn out(&mut self) -> &mut dyn Write {
        &mut self.out
    }

    /// One line from standard input, read byte by byte so that nothing after it is taken; at most 1,000 bytes.
    pub(crate) fn line(&mut self) -> String {
        let mut line = Vec::new();
        let mut byte = [0u8; 1];
        while line.len() < 1000 && matches!(self.input.read(&mut byte), Ok(1)) && byte != [b'\n'] {
            line.extend_from_slice(&byte);
        }
        String::from_utf8_lossy(&line).trim().to_owned()
    }
}

impl std::fmt::Debug for Io {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Io")
            .field("terminal", &self.terminal)
            .field("quiet", &self.quiet)
            .finish_non_exhaustive()
    }
}
