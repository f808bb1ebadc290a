//! The bytes of one connection: scanned on their way in, and sent within a time limit on their way out.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::connections::Life;
use crate::options::Limits;
use crate::scan::Scanner;

/// The time that an answered client may send nothing before its connection is closed for good.
const QUIET: Duration = Duration::from_secs(2);

/// The time that a connection lingers whose client was too slow to send its request.
const HURRIED: Duration = Duration::from_millis(500);

/// The number of reads that lingering makes before it lets others run.
const READS: usize = 16;

/// A connection whose client must receive the answer within a time limit. It is not closed before its client has the answer.
pub(crate) struct Watched<S> {
    stream: S,
    scanner: Scanner,
    life: Arc<Life>,
    patience: Duration,
    linger: Duration,
    /// The time at which the server gives up a client that takes nothing.
    deadline: Option<Pin<Box<Sleep>>>,
    closing: Option<Lingering>,
}

/// The state of a connection whose writing half is closed.
struct Lingering {
    /// True if the client is known to be sending.
    sends: bool,
    ends: Instant,
    wakes: Pin<Box<Sleep>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Watched<S> {
    /// `life` hears of a request head that is ambiguous before anything of it is answered.
    pub(crate) fn new(stream: S, limits: &Limits, life: Arc<Life>) -> Self {
        Watched {
            stream,
            scanner: Scanner::default(),
            life,
            patience: limits.write_timeout,
            linger: limits.linger,
            deadline: None,
            closing: None,
        }
    }

    /// Lets an outcome of writing pass, unless the client has taken nothing for too long.
    fn patient<T>(&mut self, context: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            if self.deadline.take().is_some() {
                self.life.writing.store(false, Ordering::Release);
            }
            return outcome;
        }
        let patience = self.patience;
        let deadline = self.deadline.get_or_insert_with(|| {
            self.life.writing.store(true, Ordering::Release);
            Box::pin(tokio::time::sleep_until(Instant::now() + patience))
        });
        match deadline.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Reads and drops the bytes that the client still sends, so that the kernel does not reset the connection while the answer is on its way.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(closing) = &mut self.closing else {
            return Poll::Ready(Ok(()));
        };
        let mut waste = [0; 8 << 10];
        for _ in 0..READS {
            let mut buffer = ReadBuf::new(&mut waste);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() && Instant::now() < closing.ends => {
                    closing.sends = true;
                    closing.wakes.as_mut().reset((Instant::now() + QUIET).min(closing.ends));
                }
                // The client closed, or takes too long to; what it does now concerns nobody.
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending if !closing.sends => return Poll::Ready(Ok(())),
                Poll::Pending => {
                    ready!(closing.wakes.as_mut().poll(context));
                    return Poll::Ready(Ok(()));
                }
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Watched<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut this.stream).poll_read(context, buffer);
        let read = buffer.filled().get(before..).unwrap_or_default();
        if !this.life.ambiguous.load(Ordering::Relaxed) && !this.scanner.take(read) {
            this.life.ambiguous.store(true, Ordering::Release);
        }
        outcome
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.patient(context, outcome)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.patient(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_flush(context);
        this.patient(context, outcome)
    }

    /// Closes the writing half, and the connection once its client has had time to read the answer.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.closing.is_none() {
            let outcome = Pin::new(&mut this.stream).poll_shutdown(context);
            ready!(this.patient(context, outcome))?;
            let now = Instant::now();
            let hurried = this.life.hurried.load(Ordering::Acquire);
            let ends = now + if hurried { HURRIED.min(this.linger) } else { this.linger };
            this.closing = Some(Lingering {
                sends: this.life.unread.load(Ordering::Acquire),
                ends,
                wakes: Box::pin(tokio::time::sleep_until((now + QUIET).min(ends))),
            });
        }
        this.poll_linger(context)
    }
}
