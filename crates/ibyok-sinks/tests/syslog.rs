//! Syslog over UDP, TCP, TLS and local sockets.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests may panic on unexpected results")]

mod feed;

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::sync::{Arc, Mutex};

use ibyok_audit::conformance::SinkHarness;
use ibyok_audit::{Batch, Error, Sink, SinkDescription, SinkDurability};
use ibyok_sinks::SyslogSink;

use crate::feed::{batch, lines, split};

/// The line in a message, after a check of its head.
fn line_of(message: &[u8]) -> Vec<u8> {
    let message = String::from_utf8(message.to_vec()).unwrap();
    let fields: Vec<&str> = message.splitn(8, ' ').collect();
    let [head, _, _, application, process, _, data, line] = fields[..] else {
        panic!("{message}");
    };
    assert!(
        head.ends_with(">1") && application == "ibyok" && data == "-",
        "{message}"
    );
    assert_eq!(process, std::process::id().to_string());
    line.as_bytes().to_vec()
}

/// Reads one message that counts its octets; `None` at the end of the connection.
fn counted(stream: &mut BufReader<impl std::io::Read>) -> Option<Vec<u8>> {
    let mut length = Vec::new();
    stream.read_until(b' ', &mut length).unwrap();
    let length: usize = std::str::from_utf8(&length).unwrap().trim().parse().ok()?;
    let mut message = vec![0; length];
    stream.read_exact(&mut message).unwrap();
    Some(message)
}

/// A receiver on TCP that keeps what it gets.
#[derive(Clone)]
struct Receiver {
    port: u16,
    lines: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Receiver {
    fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let receiver = Receiver {
            port: listener.local_addr().unwrap().port(),
            lines: Arc::default(),
        };
        let lines = Arc::clone(&receiver.lines);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (lines, mut stream) = (Arc::clone(&lines), BufReader::new(stream.unwrap()));
                std::thread::spawn(move || {
                    while let Some(message) = counted(&mut stream) {
                        lines.lock().unwrap().push(line_of(&message));
                    }
                });
            }
        });
        receiver
    }

    fn sink(&self) -> SyslogSink {
        SyslogSink::new(&format!("tcp://127.0.0.1:{}", self.port), None).unwrap()
    }

    /// The lines, once there are so many: nothing acknowledges them.
    fn lines(&self, count: usize) -> Vec<Vec<u8>> {
        loop {
            let lines = self.lines.lock().unwrap().clone();
            if lines.len() >= count {
                return lines;
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }
}

struct Receivers;

struct Counting {
    sink: SyslogSink,
    receiver: Receiver,
    sent: usize,
}

impl Sink for Counting {
    fn describe(&self) -> SinkDescription {
        self.sink.describe()
    }

    fn durable(&self) -> bool {
        self.sink.durable()
    }

    fn write(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        self.sent += batch.lines().count();
        self.sink.write(batch)
    }

    fn sync(&mut self) -> Result<(), Error> {
        self.sink.sync()
    }

    fn close(&mut self) -> Result<(), Error> {
        self.sink.close()
    }
}

impl SinkHarness for Receivers {
    type Sink = Counting;

    fn fresh(&self) -> Counting {
        let receiver = Receiver::start();
        Counting {
            sink: receiver.sink(),
            receiver,
            sent: 0,
        }
    }

    fn restart(&self, counting: Counting) -> Counting {
        Counting {
            sink: counting.receiver.sink(),
            ..counting
        }
    }

    fn lines(&self, counting: &Counting) -> Vec<Vec<u8>> {
        counting.receiver.lines(counting.sent)
    }
}

ibyok_audit::sink_conformance!(Receivers);

#[test]
fn udp_carries_one_line_in_a_datagram() {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("udp://{}", socket.local_addr().unwrap());
    let mut sink = SyslogSink::new(&url, None).unwrap();
    let bytes = lines("AbC", 1..=3);
    sink.write(&batch(&bytes, 1)).unwrap();
    let mut buffer = [0; 2048];
    for line in split(&bytes) {
        let length = socket.recv(&mut buffer).unwrap();
        assert_eq!(line_of(&buffer[..length]), line);
    }
    let described = sink.describe();
    assert_eq!(
        (described.name, described.durability),
        (format!("syslog {url}"), SinkDurability::BestEffort)
    );
}

#[test]
fn a_local_socket_may_be_of_datagrams_or_a_stream() {
    let scratch = tempfile::tempdir().unwrap();
    let bytes = lines("AbC", 1..=2);
    let path = scratch.path().join("log");
    let mut sink = SyslogSink::new(&format!("unix://{}", path.display()), None).unwrap();
    assert!(sink.write(&batch(&bytes, 1)).is_err(), "nobody is there");
    let socket = UnixDatagram::bind(&path).unwrap();
    sink.write(&batch(&bytes, 1)).unwrap();
    let mut buffer = [0; 2048];
    for line in split(&bytes) {
        let length = socket.recv(&mut buffer).unwrap();
        assert_eq!(line_of(&buffer[..length]), line);
    }
    let path = scratch.path().join("stream");
    let listener = UnixListener::bind(&path).unwrap();
    let mut sink = SyslogSink::new(&format!("unix://{}", path.display()), None).unwrap();
    sink.write(&batch(&bytes, 1)).unwrap();
    sink.close().unwrap();
    let stream = BufReader::new(listener.accept().unwrap().0);
    let found: Vec<Vec<u8>> = stream.split(b'\n').map(|line| line_of(&line.unwrap())).collect();
    assert_eq!(found, split(&bytes));
}

#[test]
fn a_receiver_that_restarted_gets_the_next_batch() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    let mut sink = SyslogSink::new(&url, None).unwrap();
    let (one, two) = (lines("AbC", 1..=1), lines("AbC", 2..=2));
    sink.write(&batch(&one, 1)).unwrap();
    let mut stream = BufReader::new(listener.accept().unwrap().0);
    assert_eq!(line_of(&counted(&mut stream).unwrap()), split(&one)[0]);
    // The receiver ends the connection, and the kernel has told this side about it.
    let ended: TcpStream = stream.into_inner();
    drop(ended);
    std::thread::sleep(std::time::Duration::from_millis(100));
    sink.write(&batch(&two, 2)).unwrap();
    let mut stream = BufReader::new(listener.accept().unwrap().0);
    assert_eq!(line_of(&counted(&mut stream).unwrap()), split(&two)[0]);
}

#[test]
fn a_receiver_that_is_down_is_an_error_and_no_panic() {
    let gone = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let bytes = lines("AbC", 1..=1);
    let mut sink = SyslogSink::new(&format!("tcp://{gone}"), None).unwrap();
    assert!(sink.write(&batch(&bytes, 1)).is_err());
    assert!(!sink.durable());
}
