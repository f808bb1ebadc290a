//! The example of a sink keeps every promise of a sink.
#![expect(clippy::unwrap_used, reason = "a test's set-up may fail")]

use std::sync::atomic::{AtomicU32, Ordering};

use example_sink::OneFile;
use ibyok_audit::Sink as _;
use ibyok_audit::conformance::SinkHarness;
use tempfile::TempDir;

/// A file for each sink, named after its description.
struct Files(TempDir, AtomicU32);

impl Files {
    fn new() -> Self {
        let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        Self(scratch, AtomicU32::new(0))
    }

    fn path(sink: &OneFile) -> String {
        sink.describe().name.trim_start_matches("file ").to_owned()
    }
}

impl SinkHarness for Files {
    type Sink = OneFile;

    fn fresh(&self) -> OneFile {
        let number = self.1.fetch_add(1, Ordering::Relaxed);
        OneFile::open(&self.0.path().join(number.to_string())).unwrap()
    }

    fn restart(&self, sink: OneFile) -> OneFile {
        OneFile::open(Files::path(&sink).as_ref()).unwrap()
    }

    fn lines(&self, sink: &OneFile) -> Vec<Vec<u8>> {
        let bytes = std::fs::read(Files::path(sink)).unwrap();
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(<[u8]>::to_vec).collect()
    }
}

ibyok_audit::sink_conformance!(Files::new());
