use std::os::unix::fs::FileExt as _;

use ibyok_audit::conformance::{self, Harness, Verdict};
use ibyok_audit::{Batch, Durability, Error, FileSink, Head, Place, Sink, SinkDescription};
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
    fn place(&self) -> Option<Place> {
        self.sink.as_ref().unwrap().place()
    }
    fn write(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        self.sink.as_mut().unwrap().write(batch)
    }
    fn sync(&mut self) -> Result<(), Error> {
        self.sink.as_mut().unwrap().sync()
    }
    fn reopen(&mut self, head: &Head) -> Result<(), Error> {
        self.sink.as_mut().unwrap().reopen(head)
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

impl Harness for File {
    type Sink = Scratch;

    fn fresh(&self) -> Scratch {
        self.open(tempfile::tempdir().unwrap())
    }

    fn restart(&self, mut sink: Scratch) -> Scratch {
        drop(sink.sink.take());
        self.open(sink.directory)
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

/// What is wrong with a broken sink.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    DropsTheLastLine,
    TurnsBatchesRound,
    ForgetsAtRestart,
    ChangesAByte,
    CutsLargeBatches,
    PromisesTooMuch,
}

/// A sink in memory with one fault.
struct Memory {
    fault: Option<Fault>,
    lines: Vec<Vec<u8>>,
}

impl Sink for Memory {
    fn describe(&self) -> SinkDescription {
        SinkDescription::new("memory", Durability::Synced)
    }
    fn durable(&self) -> bool {
        self.fault != Some(Fault::PromisesTooMuch)
    }
    fn place(&self) -> Option<Place> {
        None
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
    fn reopen(&mut self, _head: &Head) -> Result<(), Error> {
        Ok(())
    }
    fn close(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

struct Broken(Option<Fault>);

impl Harness for Broken {
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

fn whole_suite(harness: &Broken) -> Verdict {
    conformance::what_was_synced_is_there(harness)?;
    conformance::batches_keep_their_order(harness)?;
    conformance::a_large_batch_is_taken_whole(harness)?;
    conformance::a_restart_loses_nothing_that_was_synced(harness)?;
    conformance::a_close_keeps_every_line(harness)?;
    conformance::a_place_knows_where_its_log_ends(harness)?;
    conformance::a_sink_promises_what_it_can_acknowledge(harness)
}

#[test]
fn a_sink_with_one_fault_does_not_pass() {
    whole_suite(&Broken(None)).unwrap();
    for fault in [
        Fault::DropsTheLastLine,
        Fault::TurnsBatchesRound,
        Fault::ForgetsAtRestart,
        Fault::ChangesAByte,
        Fault::CutsLargeBatches,
        Fault::PromisesTooMuch,
    ] {
        assert!(whole_suite(&Broken(Some(fault))).is_err());
    }
}

/// A place that forgets lines between restarts is noticed too.
#[test]
fn a_file_sink_whose_file_is_cut_at_restart_does_not_pass() {
    struct Cut(File);
    impl Harness for Cut {
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
    }
    let cut = Cut(File {
        zero_fill: false,
        segment_bytes: 1 << 20,
    });
    assert!(conformance::a_restart_loses_nothing_that_was_synced(&cut).is_err());
    assert!(conformance::a_place_knows_where_its_log_ends(&cut).is_err());
}
