//! Lines as messages of syslog (RFC 5424).

mod format;
#[cfg(feature = "syslog-tls")]
mod tls;
mod transport;

use std::fmt;

use ibyok_audit::{Batch, Error as LogError, Sink, SinkDescription, SinkDurability};

use self::format::Writer;
use self::transport::{Target, Transport};
use crate::error::Error;
use crate::progress::Progress;

/// The lines between two notes of what was sent.
const LINES: usize = 100;

/// The form of a URL, for hints.
pub(crate) const FORM: &str = "use `udp://host:514`, `tcp://host:601`, `tls://host:6514` or `unix:///dev/log`";

/// Sends each line as one message of syslog.
///
/// A message has facility 13 (log audit), the severity of the outcome, the line's own time, `ibyok` as its application and the action as its
/// message id; its text is the line. TCP and TLS count octets (RFC 6587, RFC 5425).
///
/// Syslog acknowledges nothing, so the sink is best effort. It notices a receiver that has closed its connection, and sends the
/// batch again; a receiver may get a line twice.
pub struct SyslogSink {
    name: String,
    target: Target,
    transport: Option<Transport>,
    writer: Writer,
    progress: Progress,
}

impl SyslogSink {
    /// Checks the URL. Connects only when there are lines. `authorities` (PEM) are trusted instead of the system's, for TLS.
    ///
    /// # Errors
    /// Fails for a URL that is not `udp://HOST[:PORT]`, `tcp://HOST[:PORT]`, `tls://HOST[:PORT]` or `unix:///PATH`, and for authorities
    /// without a certificate or without TLS.
    pub fn new(url: &str, authorities: Option<&[u8]>) -> Result<Self, Error> {
        let target = Target::parse(url, authorities)?;
        Ok(Self {
            name: format!("syslog {target}"),
            target,
            transport: None,
            writer: Writer::new(),
            progress: Progress::default(),
        })
    }

    fn send(&mut self, batch: &Batch<'_>) -> std::io::Result<()> {
        let mut transport = match self.transport.take() {
            Some(transport) if transport.is_open() => transport,
            _ => self.target.connect()?,
        };
        for line in batch.lines() {
            transport.send(self.writer.message(line))?;
        }
        transport.flush()?;
        self.transport = Some(transport);
        Ok(())
    }
}

impl fmt::Debug for SyslogSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyslogSink")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Sink for SyslogSink {
    fn describe(&self) -> SinkDescription {
        SinkDescription::new(&self.name, SinkDurability::BestEffort)
    }

    fn durable(&self) -> bool {
        false
    }

    fn write(&mut self, batch: &Batch<'_>) -> Result<(), LogError> {
        for part in batch.parts(LINES, usize::MAX) {
            if !self.progress.has(&part) {
                self.send(&part).map_err(LogError::other)?;
                self.progress.is_past(&part);
            }
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), LogError> {
        Ok(())
    }

    fn close(&mut self) -> Result<(), LogError> {
        self.transport = None;
        Ok(())
    }
}
