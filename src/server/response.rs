//! From an open exchange to the head of its response.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER,
};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};

use super::admission::Permit;
use super::body::Output;
use super::exchange::Session;
use super::refusal::{self, Refusal};
use super::service::{abandon, open};
use crate::core::Readiness;
use crate::gateway::Head;

/// hyper's future for one request.
pub(super) struct Answer {
    session: Option<Session>,
    state: State,
}

enum State {
    Refused(Refusal),
    Queued(Box<Queued>),
    /// The exchange is open; its head is waited for.
    Waiting,
}

/// A request that waits for a place. Only here is the head of a request kept.
pub(super) struct Queued {
    request: Option<(Parts, Incoming)>,
    place: Pin<Box<dyn Future<Output = Option<Permit>>>>,
}

impl Queued {
    pub(super) fn new(
        parts: Parts,
        incoming: Incoming,
        place: Pin<Box<dyn Future<Output = Option<Permit>>>>,
    ) -> Queued {
        Queued { request: Some((parts, incoming)), place }
    }
}

impl Answer {
    pub(super) fn refused(session: Session, refusal: Refusal) -> Answer {
        Answer { session: Some(session), state: State::Refused(refusal) }
    }

    pub(super) fn queued(session: Session, queued: Box<Queued>) -> Answer {
        Answer { session: Some(session), state: State::Queued(queued) }
    }

    pub(super) fn waiting(session: Session) -> Answer {
        Answer { session: Some(session), state: State::Waiting }
    }
}

impl Future for Answer {
    type Output = Result<Response<Output>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        loop {
            let Some(session) = &mut this.session else {
                // Answered already; hyper does not ask again.
                return Poll::Pending;
            };
            match &mut this.state {
                State::Refused(refusal) => {
                    let refusal = *refusal;
                    return Poll::Ready(Ok(refuse(this.session.take(), refusal)));
                }
                State::Queued(queued) => {
                    let Poll::Ready(place) = queued.place.as_mut().poll(cx) else {
                        return Poll::Pending;
                    };
                    this.state = match (place, queued.request.take()) {
                        (Some(permit), Some((parts, incoming))) => {
                            match open(session, parts, incoming, permit) {
                                Ok(()) => State::Waiting,
                                Err(refusal) => State::Refused(refusal),
                            }
                        }
                        (_, request) => {
                            if let Some((_, incoming)) = request {
                                abandon(session.link(), &incoming);
                            }
                            State::Refused(refusal::BUSY)
                        }
                    };
                }
                State::Waiting => {
                    if session.link().take(Readiness::HEAD) {
                        match session.exchange().map(|exchange| exchange.head()) {
                            Some(Ok(head)) => {
                                return Poll::Ready(Ok(respond(this.session.take(), head)));
                            }
                            Some(Err(error)) => {
                                session
                                    .link()
                                    .hub
                                    .diagnostics
                                    .error(format_args!("taking the head of a response: {error}"));
                                this.state = State::Refused(refusal::FAILED);
                            }
                            None => this.state = State::Refused(refusal::FAILED),
                        }
                    } else if session.link().saw(Readiness::END | Readiness::ABORT) {
                        let draining = session.link().hub.draining.get();
                        this.state = State::Refused(if draining {
                            refusal::DRAINING
                        } else {
                            refusal::FAILED
                        });
                    } else {
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}

fn refuse(session: Option<Session>, refusal: Refusal) -> Response<Output> {
    let left = session.as_ref().is_some_and(|session| session.link().body_is_left());
    let mut response = Response::new(Output::text(session, refusal.text));
    *response.status_mut() = refusal.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    if refusal == refusal::BUSY {
        headers.insert(RETRY_AFTER, HeaderValue::from_static(refusal::RETRY_AFTER));
    }
    if refusal.close || left {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response.body_mut().begin(refusal.status.as_u16());
    response
}

fn respond(session: Option<Session>, head: Head) -> Response<Output> {
    let Some(session) = session else {
        return refuse(None, refusal::FAILED);
    };
    // The gateway checks what an application gives; what still does not fit would be its error.
    let Ok(status) = StatusCode::from_u16(head.status) else {
        debug_assert!(false, "the gateway lets no other status pass");
        return refuse(Some(session), refusal::FAILED);
    };
    let mut headers = session.link().hub.header_map();
    for (name, value) in head.shared_headers() {
        match (HeaderName::from_bytes(name), HeaderValue::from_maybe_shared(value)) {
            (Ok(name), Ok(value)) => {
                headers.append(name, value);
            }
            _ => debug_assert!(false, "the gateway lets no other field pass"),
        }
    }
    let link = session.link();
    if link.last.get() || link.body_is_left() {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let without_length = matches!(head.status, 204 | 304);
    if let (true, false, Some(length)) = (head.bodiless, without_length, head.length) {
        // To HEAD: what GET would have.
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    let length = if head.bodiless { Some(0) } else { head.length };
    let mut response = Response::new(Output::exchange(session, length));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    if status.canonical_reason().is_none() {
        // hyper would write "<none>".
        response.extensions_mut().insert(ReasonPhrase::from_static(b""));
    }
    response.body_mut().begin(head.status);
    response
}
