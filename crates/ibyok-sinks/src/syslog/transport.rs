//! The ways to a receiver of syslog.

use std::fmt;
use std::io::{self, BufWriter, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

use super::FORM;
#[cfg(feature = "syslog-tls")]
use super::tls::{Authorities, TlsStream};
use crate::error::Error;
use crate::place;

/// The longest time to connect, and to hand over bytes.
const PATIENCE: Duration = Duration::from_millis(1500);

/// A receiver.
pub(super) enum Target {
    Udp(String, u16),
    Tcp(String, u16),
    #[cfg(feature = "syslog-tls")]
    Tls(String, u16, Authorities),
    Unix(PathBuf),
}

impl Target {
    pub(super) fn parse(text: &str, authorities: Option<&[u8]>) -> Result<Self, Error> {
        let url = place::parse(text, FORM)?;
        if authorities.is_some() && url.scheme() != "tls" {
            return Err(Error::new("authorities are for syslog over TLS alone", FORM));
        }
        let extras =
            !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some();
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let wrong = |what: &str| Err(Error::new(format!("the URL of a syslog sink {what}"), FORM));
        if extras {
            return wrong("has a user, a query or a fragment");
        }
        if url.scheme() == "unix" {
            return match url.path() {
                path if host.is_empty() && path.len() > 1 => Ok(Target::Unix(PathBuf::from(path))),
                _ => wrong("names no socket"),
            };
        }
        if host.is_empty() || !matches!(url.path(), "" | "/") {
            return wrong("needs a host and no path");
        }
        match url.scheme() {
            "udp" => Ok(Target::Udp(host, url.port().unwrap_or(514))),
            "tcp" => Ok(Target::Tcp(host, url.port().unwrap_or(601))),
            #[cfg(feature = "syslog-tls")]
            "tls" => Ok(Target::Tls(
                host,
                url.port().unwrap_or(6514),
                Authorities::read(authorities)?,
            )),
            #[cfg(not(feature = "syslog-tls"))]
            "tls" => wrong("asks for TLS, which this program was built without"),
            _ => wrong("has an unknown scheme"),
        }
    }

    pub(super) fn connect(&self) -> io::Result<Transport> {
        match self {
            Target::Udp(host, port) => {
                let to = resolve(host, *port)?;
                let here: SocketAddr = match to {
                    SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
                    SocketAddr::V6(_) => ([0; 16], 0).into(),
                };
                let socket = UdpSocket::bind(here)?;
                socket.connect(to)?;
                socket.set_write_timeout(Some(PATIENCE))?;
                Ok(Transport::Udp(socket))
            }
            Target::Tcp(host, port) => Ok(Transport::Tcp(BufWriter::new(tcp(host, *port)?))),
            #[cfg(feature = "syslog-tls")]
            Target::Tls(host, port, authorities) => {
                let stream = authorities.connect(host, tcp(host, *port)?)?;
                Ok(Transport::Tls(Box::new(BufWriter::new(stream))))
            }
            Target::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.set_write_timeout(Some(PATIENCE))?;
                match socket.connect(path) {
                    Ok(()) => Ok(Transport::UnixDatagram(socket)),
                    // Some receivers listen on a stream.
                    Err(error) if error.raw_os_error() == Some(rustix::io::Errno::PROTOTYPE.raw_os_error()) => {
                        let stream = UnixStream::connect(path)?;
                        stream.set_write_timeout(Some(PATIENCE))?;
                        Ok(Transport::UnixStream(BufWriter::new(stream)))
                    }
                    Err(error) => Err(error),
                }
            }
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Udp(host, port) => write!(f, "udp://{host}:{port}"),
            Target::Tcp(host, port) => write!(f, "tcp://{host}:{port}"),
            #[cfg(feature = "syslog-tls")]
            Target::Tls(host, port, _) => write!(f, "tls://{host}:{port}"),
            Target::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

fn resolve(host: &str, port: u16) -> io::Result<SocketAddr> {
    let mut found = (host, port).to_socket_addrs()?;
    found
        .next()
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("`{host}` has no address")))
}

fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&resolve(host, port)?, PATIENCE)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A connection to a receiver.
pub(super) enum Transport {
    Udp(UdpSocket),
    Tcp(BufWriter<TcpStream>),
    #[cfg(feature = "syslog-tls")]
    Tls(Box<BufWriter<TlsStream>>),
    UnixDatagram(UnixDatagram),
    UnixStream(BufWriter<UnixStream>),
}

impl Transport {
    /// Returns false if the other side has closed a connection. The kernel would still take bytes for it, and lose them.
    pub(super) fn is_open(&self) -> bool {
        match self {
            Transport::Udp(_) | Transport::UnixDatagram(_) => true,
            Transport::Tcp(stream) => is_open(stream.get_ref()),
            #[cfg(feature = "syslog-tls")]
            Transport::Tls(stream) => is_open(&stream.get_ref().sock),
            Transport::UnixStream(stream) => is_open(stream.get_ref()),
        }
    }

    pub(super) fn send(&mut self, message: &[u8]) -> io::Result<()> {
        match self {
            Transport::Udp(socket) => socket.send(message).map(drop),
            Transport::UnixDatagram(socket) => socket.send(message).map(drop),
            Transport::Tcp(stream) => counted(stream, message),
            #[cfg(feature = "syslog-tls")]
            Transport::Tls(stream) => counted(stream.as_mut(), message),
            Transport::UnixStream(stream) => stream.write_all(message).and_then(|()| stream.write_all(b"\n")),
        }
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        match self {
            Transport::Udp(_) | Transport::UnixDatagram(_) => Ok(()),
            Transport::Tcp(stream) => stream.flush(),
            #[cfg(feature = "syslog-tls")]
            Transport::Tls(stream) => stream.flush(),
            Transport::UnixStream(stream) => stream.flush(),
        }
    }
}

/// Octet counting (RFC 6587, section 3.4.1).
fn counted(stream: &mut impl Write, message: &[u8]) -> io::Result<()> {
    write!(stream, "{} ", message.len())?;
    stream.write_all(message)
}

/// A receiver of syslog sends nothing, so what can be read is the end of the connection.
fn is_open(stream: &impl std::os::fd::AsFd) -> bool {
    use rustix::net::{RecvFlags, recv};
    let mut byte = [0; 1];
    match recv(stream, &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT) {
        Ok((_, length)) => length > 0,
        Err(error) => error == rustix::io::Errno::AGAIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_one_receiver() {
        for (url, shown) in [
            ("udp://10.0.0.7", "udp://10.0.0.7:514"),
            ("tcp://logs.example.com", "tcp://logs.example.com:601"),
            ("tcp://[::1]:5000", "tcp://::1:5000"),
            ("unix:///dev/log", "unix:///dev/log"),
            ("unix:/dev/log", "unix:///dev/log"),
        ] {
            assert_eq!(
                Target::parse(url, None).map(|target| target.to_string()).unwrap(),
                shown
            );
        }
        for url in [
            "udp://",
            "tcp://me:hunter2@host",
            "tcp://host/path",
            "udp://host?x=hunter2",
            "unix://",
            "http://host",
            "/dev/log",
            "udp://host:99999",
        ] {
            let error = Target::parse(url, None).err().unwrap();
            assert!(!format!("{error:?}").contains("hunter2"), "{url}");
        }
        assert!(Target::parse("tcp://host", Some(b"x")).is_err());
    }
}
