//! A program whose output is masked: it runs below us, and everything that it writes passes through us.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ibyok_core::mask::{Mask, MaskedStream};
use rustix::process::{Pid, Signal, getpgrp, kill_process};
use tokio::signal::unix::{SignalKind, signal};
use zeroize::Zeroizing;

/// The number of bytes read at once.
const CHUNK: usize = 64 * 1024;

/// The time without output after which a held end is shown that is only a little of a value.
const IDLE: Duration = Duration::from_millis(100);

/// The longest time to wait for output after the program has ended. A process that it left running may hold the pipe
/// open.
const AFTER: Duration = Duration::from_secs(2);

/// Signals that are passed on to the program, which in a terminal it gets by itself.
const FROM_TERMINAL: [Signal; 2] = [Signal::INT, Signal::QUIT];
const PASSED_ON: [Signal; 6] = [
    Signal::TERM,
    Signal::HUP,
    Signal::USR1,
    Signal::USR2,
    Signal::WINCH,
    Signal::ALARM,
];

/// The streams of a program that are masked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a program has two streams")]
pub struct Streams {
    /// Its standard output.
    pub out: bool,
    /// Its standard error.
    pub err: bool,
}

/// Starts the program, masks its output, and returns its exit code: 128 and the signal's number if a signal ended it. Signals that
/// come meanwhile are passed on to the program.
///
/// `spawn` starts the command, for a caller that must prepare its process for it. Call it within a tokio runtime.
///
/// # Errors
/// The error of starting the program, which then does not run.
pub async fn run_masked(
    mut command: Command,
    mask: &Mask,
    streams: Streams,
    spawn: impl FnOnce(&mut Command) -> io::Result<Child>,
) -> io::Result<u8> {
    // From before the start, so that no signal ends us and leaves the program without its output.
    let signals = signals()?;
    if streams.out {
        command.stdout(Stdio::piped());
    }
    if streams.err {
        command.stderr(Stdio::piped());
    }
    let mut child = spawn(&mut command)?;
    // The command holds the values as they were handed over.
    drop(command);
    let pid = Pid::from_child(&child);
    let out = child
        .stdout
        .take()
        .map(|pipe| pass(pipe.into(), own(&io::stdout()), mask.stream()));
    let err = child
        .stderr
        .take()
        .map(|pipe| pass(pipe.into(), own(&io::stderr()), mask.stream()));
    let status = ended(child, pid, signals).await?;
    for passing in [out, err].into_iter().flatten() {
        passing.finish();
    }
    Ok(code(status))
}

/// Our own stream, without a buffer.
fn own(stream: &impl std::os::fd::AsFd) -> Option<File> {
    stream.as_fd().try_clone_to_owned().map(File::from).ok()
}

fn code(status: ExitStatus) -> u8 {
    let signal = status.signal().map(|signal| 128 + signal);
    let code = status.code().or(signal).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

/// Waits for the program, and passes signals on to it meanwhile.
async fn ended(mut child: Child, pid: Pid, mut signals: tokio::sync::mpsc::Receiver<Signal>) -> io::Result<ExitStatus> {
    let mut wait = tokio::task::spawn_blocking(move || child.wait());
    loop {
        tokio::select! {
            ended = &mut wait => return ended.map_err(io::Error::other)?,
            Some(signal) = signals.recv() => {
                // That it has ended meanwhile is no fault of anybody's.
                kill_process(pid, signal).unwrap_or_default();
            }
        }
    }
}

/// The signals that are to be passed on, as they come.
fn signals() -> io::Result<tokio::sync::mpsc::Receiver<Signal>> {
    let (sender, receiver) = tokio::sync::mpsc::channel(16);
    for which in PASSED_ON.into_iter().chain(FROM_TERMINAL) {
        let mut incoming = signal(SignalKind::from_raw(which.as_raw()))?;
        let sender = sender.clone();
        tokio::spawn(async move {
            while incoming.recv().await.is_some() {
                let is_passed_on = !FROM_TERMINAL.contains(&which) || !is_in_foreground();
                if is_passed_on && sender.send(which).await.is_err() {
                    return;
                }
            }
        });
    }
    Ok(receiver)
}

/// Returns true if a terminal sends its signals to the whole group, including the program.
fn is_in_foreground() -> bool {
    rustix::termios::tcgetpgrp(io::stdin()).is_ok_and(|group| group == getpgrp())
}

/// One of the program's streams on its way to this process's.
struct Passing {
    reading: JoinHandle<()>,
    writing: JoinHandle<()>,
    done: Receiver<()>,
}

impl Passing {
    /// Waits until everything was written, or until something that the program left running has said nothing for a while.
    fn finish(self) {
        if self.done.recv_timeout(AFTER) != Err(RecvTimeoutError::Timeout) {
            self.reading.join().unwrap_or_default();
            self.writing.join().unwrap_or_default();
        }
    }
}

fn pass(from: OwnedFd, to: Option<File>, stream: MaskedStream) -> Passing {
    let (chunks, received) = sync_channel(4);
    let (finished, done) = sync_channel(1);
    Passing {
        reading: thread::spawn(move || read(File::from(from), &chunks)),
        writing: thread::spawn(move || {
            if let Some(to) = to {
                // If nobody reads any more, the program learns it from its own next write.
                write(&received, to, stream).unwrap_or_default();
            }
            drop(received);
            finished.send(()).unwrap_or_default();
        }),
        done,
    }
}

fn read(mut from: File, chunks: &SyncSender<Zeroizing<Vec<u8>>>) {
    loop {
        let mut chunk = Zeroizing::new(vec![0; CHUNK]);
        match from.read(&mut chunk) {
            Ok(0) => return,
            Ok(length) => {
                chunk.truncate(length);
                if chunks.send(chunk).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

fn write(chunks: &Receiver<Zeroizing<Vec<u8>>>, mut to: File, mut stream: MaskedStream) -> io::Result<()> {
    let mut out = Vec::with_capacity(CHUNK);
    loop {
        match chunks.recv_timeout(IDLE) {
            Ok(chunk) => stream.push(&chunk, &mut out),
            Err(RecvTimeoutError::Timeout) => stream.idle(&mut out),
            Err(RecvTimeoutError::Disconnected) => break,
        }
        to.write_all(&out)?;
        out.clear();
    }
    stream.finish(&mut out);
    to.write_all(&out)
}
