//! The body of a response, from the exchange to hyper.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::exchange::Session;
use super::hub::report;
use crate::core::Readiness;
use crate::gateway::Taken;

/// hyper's body for one response.
pub(super) struct Output {
    /// Taken care of when hyper drops the body: then the exchange is over, one way or the other.
    session: Option<Session>,
    /// How much is left of a body whose length is known.
    left: Option<u64>,
    /// A refusal's text.
    text: &'static str,
    /// The exchange has nothing until it says so.
    dry: bool,
}

impl Output {
    /// What an exchange puts out.
    pub(super) fn exchange(session: Session, length: Option<u64>) -> Output {
        Output { session: Some(session), left: length, text: "", dry: false }
    }

    /// A text of the server's own.
    pub(super) fn text(session: Option<Session>, text: &'static str) -> Output {
        Output { session, left: Some(text.len() as u64), text, dry: false }
    }

    /// The head is handed to hyper now.
    pub(super) fn begin(&mut self, status: u16) {
        let is_text = !self.text.is_empty();
        let empty = self.left == Some(0);
        if let Some(session) = &mut self.session {
            session.link().owed.set(true);
            session.status(status);
            if empty && !is_text {
                session.delivered();
            }
        }
    }

    fn poll_exchange(&mut self) -> Poll<Option<Result<Bytes, io::Error>>> {
        let Some(session) = &mut self.session else { return Poll::Ready(None) };
        let Some(exchange) = session.exchange() else { return Poll::Ready(None) };
        let link = Rc::clone(session.link());
        let stirred = link.take(Readiness::BODY);
        let over = link.saw(Readiness::END | Readiness::ABORT);
        if self.dry && !stirred && !over {
            return Poll::Pending;
        }
        loop {
            match exchange.take() {
                Ok(Taken::Data(bytes)) if bytes.is_empty() => continue,
                Ok(Taken::Data(bytes)) => {
                    self.dry = false;
                    // hyper holds a bounded amount; the exchange may go on for as much.
                    report(exchange.sent(bytes.len()), "release output of");
                    link.owed.set(true);
                    session.wrote(bytes.len());
                    if let Some(left) = &mut self.left {
                        *left = left.saturating_sub(bytes.len() as u64);
                        if *left == 0 {
                            session.delivered();
                        }
                    }
                    return Poll::Ready(Some(Ok(bytes)));
                }
                // A response that was broken off ends too: only END says that it is whole.
                Ok(Taken::End) if link.saw(Readiness::END) => {
                    session.delivered();
                    return Poll::Ready(None);
                }
                Ok(Taken::End | Taken::Nothing) if !link.saw(Readiness::ABORT) => {
                    self.dry = true;
                    return Poll::Pending;
                }
                Ok(Taken::End | Taken::Nothing) => {}
                Err(error) => tracing::debug!(%error, "the output of an exchange ended"),
            }
            // The response cannot be completed. What there is of it goes out first: hyper flushes
            // when we have nothing, and asks again.
            if link.owed.get() {
                return Poll::Pending;
            }
            if session.is_old() && self.left.is_none() {
                link.reset.set(true);
            }
            let error = io::Error::other("the application did not complete its response");
            return Poll::Ready(Some(Err(error)));
        }
    }
}

impl Body for Output {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        // The task is woken through the link, whatever of the exchange completes.
        let this = self.get_mut();
        if this.text.is_empty() {
            return this.poll_exchange().map(|frame| frame.map(|data| data.map(Frame::data)));
        }
        let text = std::mem::take(&mut this.text);
        this.left = Some(0);
        if let Some(session) = &mut this.session {
            session.wrote(text.len());
        }
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(text.as_bytes())))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
