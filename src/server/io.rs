//! The socket of a connection as hyper sees it, and what hyper does not see.
//!
//! Beside passing bytes on, it notices when a head begins to arrive, when the client takes nothing,
//! and when the client leaves while nobody reads. It puts the server's own words into the
//! responses that hyper gives to heads it cannot take, and reads what a client still sends after
//! the last response, so that the response is not lost over it.

use std::future::Future;
use std::io::{self, IoSlice, Read};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};
use tokio::net::{TcpStream, UnixStream};

use super::link::{Link, NEVER, Phase};
use super::log;
use super::refusal::Refusal;

/// How much is read at once of what is dropped.
const DROPPED: usize = 8 << 10;
/// How much of it is dropped before other connections have their turn.
const DROPPED_AT_ONCE: usize = 64;

/// A connected socket.
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

macro_rules! either {
    ($stream:expr, $inner:ident => $call:expr) => {
        match $stream {
            Stream::Tcp($inner) => $call,
            Stream::Unix($inner) => $call,
        }
    };
}

impl Stream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        either!(self, inner => Pin::new(inner).poll_read(cx, buf))
    }

    /// Reads without asking tokio whether there is anything to read.
    fn read_now(&self, buf: &mut [u8]) -> io::Result<usize> {
        either!(self, inner => (&*SockRef::from(inner)).read(buf))
    }

    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, inner => inner.poll_read_ready(cx))
    }

    /// What tokio knows of the socket; pending if it knows nothing.
    fn poll_state(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        either!(self, inner => pin!(inner.ready(interest)).poll(cx))
    }

    /// Has tokio believe that there is nothing to read, until more arrives.
    fn forget_readable(&self) {
        let nothing = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
        let _ = either!(self, inner => inner.try_io(Interest::READABLE, nothing));
    }

    /// The next close discards what is not sent, and tells the other side so.
    fn reset_on_close(&self) {
        if let Stream::Tcp(inner) = self {
            let _ = inner.set_zero_linger();
        }
    }
}

/// hyper's side of a connection.
pub(super) struct Io {
    stream: Stream,
    link: Rc<Link>,
    /// A response of our own that is being written. Boxed, because almost no connection has one.
    own: Option<Box<Bytes>>,
}

impl Io {
    pub(super) fn new(stream: Stream, link: Rc<Link>) -> Io {
        Io { stream, link, own: None }
    }

    /// Has this response written before the socket is shut down.
    pub(super) fn refuse(&mut self, refusal: Refusal) {
        self.link.unread.set(true);
        if let Some(log) = &self.link.hub.access_log {
            let status = refusal.status.as_u16();
            log::unparsed(log, self.link.ends.remote.as_str(), status, refusal.text.len());
        }
        self.own = Some(Box::new(refusal.raw()));
    }

    /// Whether the last response has been written and the socket shut down.
    pub(super) fn is_shut(&self) -> bool {
        self.link.shut.get()
    }

    /// Whether hyper writes without having been given a response: then it refuses a head.
    fn is_unasked(&self) -> bool {
        !self.link.owed.get() && matches!(self.link.phase(), Phase::Idle | Phase::Head)
    }

    /// Takes hyper's refusal, which is a head alone, and puts ours in its place.
    fn replace_refusal(&mut self, first: &[u8]) {
        if self.own.is_none() {
            // "HTTP/1.1 431 Request Header Fields Too Large"
            let status = first.get(9..12).and_then(|text| std::str::from_utf8(text).ok());
            let status = status.and_then(|text| text.parse().ok()).unwrap_or(400);
            self.refuse(Refusal::of(status));
        }
    }

    fn poll_own(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(own) = self.own.as_mut().filter(|own| own.has_remaining()) {
            let written = either!(&mut self.stream, inner => Pin::new(inner).poll_write(cx, own));
            let written = ready!(note_write(&self.link, written))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            own.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    /// Looks whether the client is still there while hyper does not read. Costs no system call:
    /// the kernel tells tokio of the end of the stream also behind unread bytes.
    fn watch(&mut self, cx: &mut Context<'_>) {
        loop {
            match self.stream.poll_read_ready(cx) {
                Poll::Pending => return,
                Poll::Ready(Err(_)) => return self.link.gone.set(true),
                Poll::Ready(Ok(())) => {}
            }
            match self.stream.poll_state(cx) {
                // This task has used up its share of the runtime: look again in its next.
                Poll::Pending => return cx.waker().wake_by_ref(),
                Poll::Ready(Err(_)) => return self.link.gone.set(true),
                Poll::Ready(Ok(state)) if state.is_write_closed() => {
                    return self.link.gone.set(true);
                }
                Poll::Ready(Ok(state)) if state.is_read_closed() => {
                    if self.link.eof.get() == NEVER {
                        self.link.eof.set(self.link.hub.now());
                    }
                    return;
                }
                Poll::Ready(Ok(_)) => {
                    // Only bytes that nobody wants now. Forgotten here, the next event says more;
                    // they are found again because `forgotten` has them read without asking.
                    self.link.forgotten.set(true);
                    self.stream.forget_readable();
                }
            }
        }
    }

    /// Reads and drops until the client ends; the deadline of the phase bounds it.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.link.phase() != Phase::Linger {
            self.link.enter(Phase::Linger);
        }
        let mut bytes = [0; DROPPED];
        for _ in 0..DROPPED_AT_ONCE {
            let mut buf = ReadBuf::new(&mut bytes);
            match ready!(self.poll_read_any(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => {}
                _ => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_read_any(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.link.forgotten.get() {
            let want = buf.remaining().min(DROPPED);
            match self.stream.read_now(buf.initialize_unfilled_to(want)) {
                Ok(read) => {
                    buf.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.link.forgotten.set(false);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        self.stream.poll_read(cx, buf)
    }
}

impl Drop for Io {
    fn drop(&mut self) {
        if self.link.reset.get() {
            self.stream.reset_on_close();
        }
    }
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = this.poll_read_any(cx, buf);
        match &read {
            Poll::Pending => this.link.reading.set(true),
            Poll::Ready(Ok(())) if buf.filled().len() > before => {
                if this.link.phase() == Phase::Idle {
                    this.link.enter(Phase::Head);
                }
            }
            Poll::Ready(_) => {}
        }
        read
    }
}

/// Notes whether the client takes what is written.
fn note_write(link: &Link, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
    match &written {
        Poll::Ready(_) => {
            link.blocked.set(NEVER);
            if link.eof.get() != NEVER {
                // It sends no more, but takes what we send.
                link.eof.set(link.hub.now());
            }
        }
        Poll::Pending if link.blocked.get() == NEVER => link.blocked.set(link.hub.now()),
        Poll::Pending => {}
    }
    written
}

impl AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.is_unasked() {
            this.replace_refusal(bufs.first().map_or(&[], |buf| &**buf));
            return Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()));
        }
        let stream = &mut this.stream;
        let written = either!(stream, inner => Pin::new(inner).poll_write_vectored(cx, bufs));
        note_write(&this.link, written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// hyper calls it whenever it has nothing left to write, and at the end of each of its polls.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_own(cx))?;
        this.link.owed.set(false);
        if this.link.phase() == Phase::Exchange && !this.link.reading.get() {
            this.watch(cx);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_own(cx))?;
        if !this.link.shut.get() {
            ready!(either!(&mut this.stream, inner => Pin::new(inner).poll_shutdown(cx)))?;
            this.link.shut.set(true);
        }
        if this.link.unread.get() {
            ready!(this.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}
