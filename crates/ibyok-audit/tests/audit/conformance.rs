use std::os::unix::fs::FileExt as _;

use ibyok_audit::conformance::{self, SinkHarness};
use ibyok_audit::{Batch, Error, FileSink, Sink, SinkDescription, SinkDurability};
use tempfile::TempDir;

/// The file sink in a directory that goes with it.
struct Scratch {
    sink: Option<FileSink>,
    directory: TempDir,
}

impl Sink for Scratch {
    fn describe(&self) -> SinkDescription {
        self.sink.as_ref().unwrap().describe()
    }
    fn durable(&self) -> bool {
        true
    }
    fn write(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        self.sink.as_mut().unwrap().write(batch)
    }
    fn sync(&mut self) -> Result<(), Error> {
        self.sink.as_mut().unwrap().sync()
    }
    fn close(&mut self) -> Result<(), Error> {
        self.sink.as_mut().unwrap().close()
    }
}

struct File {
    zero_fill: bool,
    segment_bytes: u64,
}

impl File {
    fn open(&self, directory: TempDir) -> Scratch {
        let builder = FileSink::builder(directory.path().join("audit"));
        let builder = builder.zero_fill(self.zero_fill).segment_bytes(self.segment_bytes);
        Scratch {
            sink: Some(builder.open_blocking().unwrap()),
            directory,
        }
    }
}

impl SinkHarness for File {
    type Sink = Scratch;

    fn fresh(&self) -> Scratch {
        self.open(tempfile::tempdir().unwrap())
    }

    fn restart(&self, mut sink: Scratch) -> Scratch {
        drop(sink.sink.take());
        self.open(sink.directory)
    }

    fn log(&self, sink: &Scratch) -> String {
        sink.sink.as_ref().unwrap().state().log().to_owned()
    }

    fn lines(&self, sink: &Scratch) -> Vec<Vec<u8>> {
        let slot = sink.directory.path().join("audit/slot-0");
        let mut segments: Vec<_> = std::fs::read_dir(slot)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        segments.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
        segments.sort();
        let all: Vec<u8> = segments
            .iter()
            .flat_map(|path| std::fs::read(path).unwrap())
            .filter(|byte| *byte != 0)
            .collect();
        all.split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(<[u8]>::to_vec)
            .collect()
    }
}

mod zero_filled {
    ibyok_audit::sink_conformance!(super::File {
        zero_fill: true,
        segment_bytes: 64 << 20
    });
}

mod plain {
    ibyok_audit::sink_conformance!(super::File {
        zero_fill: false,
        segment_bytes: 64 << 20
    });
}

mod in_small_segments {
    ibyok_audit::sink_conformance!(super::File {
        zero_fill: true,
        segment_bytes: 4096
    });
}

/// The fault of a broken sink.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    DropsTheLastLine,
    TurnsBatchesRound,
    ForgetsAtRestart,
    ChangesAByte,
    CutsLargeBatches,
    ForgetsAtClose,
    PromisesTooMuch,
}

/// A sink in memory with one fault.
struct Memory {
    fault: Option<Fault>,
    lines: Vec<Vec<u8>>,
}

impl Sink for Memory {
    fn describe(&self) -> SinkDescription {
        SinkDescription::new("memory", SinkDurability::Synced)
    }
    fn durable(&self) -> bool {
        self.fault != Some(Fault::PromisesTooMuch)
    }
    fn write(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        let mut lines: Vec<Vec<u8>> = batch.lines().map(<[u8]>::to_vec).collect();
        match self.fault {
            Some(Fault::DropsTheLastLine) => drop(lines.pop()),
            Some(Fault::CutsLargeBatches) => lines.truncate(500),
            Some(Fault::ChangesAByte) => lines[0][0] = b'[',
            Some(Fault::TurnsBatchesRound) => {
                lines.append(&mut self.lines);
            }
            _ => {}
        }
        self.lines.append(&mut lines);
        Ok(())
    }
    fn sync(&mut self) -> Result<(), Error> {
        Ok(())
    }
    fn close(&mut self) -> Result<(), Error> {
        if self.fault == Some(Fault::ForgetsAtClose) {
            self.lines.pop();
        }
        Ok(())
    }
}

struct Broken(Option<Fault>);

impl SinkHarness for Broken {
    type Sink = Memory;

    fn fresh(&self) -> Memory {
        Memory {
            fault: self.0,
            lines: Vec::new(),
        }
    }
    fn restart(&self, mut sink: Memory) -> Memory {
        if self.0 == Some(Fault::ForgetsAtRestart) {
            sink.lines.clear();
        }
        sink
    }
    fn lines(&self, sink: &Memory) -> Vec<Vec<u8>> {
        sink.lines.clone()
    }
}

#[test]
fn a_sink_with_one_fault_breaks_its_promise() {
    assert!(conformance::sink_promises(&Broken(None)).is_empty());
    for (fault, promise) in [
        (Fault::DropsTheLastLine, "synced_lines_are_there"),
        (Fault::TurnsBatchesRound, "batches_keep_their_order"),
        (Fault::ForgetsAtRestart, "a_restart_loses_no_synced_line"),
        (Fault::ChangesAByte, "synced_lines_are_there"),
        (Fault::CutsLargeBatches, "a_large_batch_is_taken_whole"),
        (Fault::ForgetsAtClose, "a_close_keeps_every_line"),
        (
            Fault::PromisesTooMuch,
            "the_description_is_what_the_sink_can_acknowledge",
        ),
    ] {
        let broken = conformance::sink_promises(&Broken(Some(fault)));
        let broken = broken.iter().find(|broken| broken.promise() == promise).unwrap();
        assert!(!broken.why().is_empty() && !broken.found().is_empty());
    }
}

#[test]
fn a_broken_promise_shows_the_first_line_that_breaks_it_and_why_it_matters() {
    let broken = conformance::batches_keep_their_order(&Broken(Some(Fault::TurnsBatchesRound))).unwrap_err();
    let shown = broken.to_string();
    assert!(shown.contains("line 1 ") && shown.contains("seq"), "{shown}");
    assert!(shown.contains("it matters because each line holds the hash"), "{shown}");
    assert_eq!(format!("{broken:?}"), shown, "a failing test shows it");
}

/// A place that forgets lines between restarts is noticed too.
#[test]
fn a_file_sink_whose_file_is_cut_at_restart_does_not_pass() {
    struct Cut(File);
    impl SinkHarness for Cut {
        type Sink = Scratch;
        fn fresh(&self) -> Scratch {
            self.0.fresh()
        }
        fn restart(&self, mut sink: Scratch) -> Scratch {
            drop(sink.sink.take());
            let path = sink.directory.path().join("audit/slot-0/audit-00000001.log");
            let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
            file.set_len(700).unwrap();
            file.write_all_at(b"", 0).unwrap();
            self.0.open(sink.directory)
        }
        fn lines(&self, sink: &Scratch) -> Vec<Vec<u8>> {
            self.0.lines(sink)
        }
        fn log(&self, sink: &Scratch) -> String {
            self.0.log(sink)
        }
    }
    let cut = Cut(File {
        zero_fill: false,
        segment_bytes: 1 << 20,
    });
    assert!(conformance::a_restart_loses_no_synced_line(&cut).is_err());
}

#[test]
fn a_file_sink_knows_after_a_restart_where_its_log_ends() {
    let scratch = tempfile::tempdir().unwrap();
    let mut sink = FileSink::builder(scratch.path()).open_blocking().unwrap();
    let (log, prev) = (sink.state().log().to_owned(), "0".repeat(64));
    let line = format!(r#"{{"v":1,"seq":1,"time":"2030-01-01T00:00:00Z","log":"{log}","prev":"{prev}","action":"x"}}"#);
    let line = format!("{line}\n");
    sink.write(&Batch::new(line.as_bytes(), 1, 1)).unwrap();
    sink.sync().unwrap();
    assert_eq!(
        sink.state().next_seq(),
        1,
        "the log tells its sink where it ends only when it is reopened"
    );
    drop(sink);
    let sink = FileSink::builder(scratch.path()).open_blocking().unwrap();
    assert_eq!((sink.state().log(), sink.state().next_seq()), (log.as_str(), 2));
}
