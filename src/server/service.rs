//! From the head of a request to an open exchange, or to a refusal.

use std::rc::Rc;

use hyper::body::{Body, Incoming};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, Uri, Version, header};

use super::admission::Permit;
use super::exchange::Session;
use super::inbound::Inbound;
use super::link::Link;
use super::log;
use super::refusal::{self, Refusal};
use super::response::{Answer, Queued};
use crate::error::Status;
use crate::gateway;

/// How many header fields are handed on without allocating.
const FIELDS: usize = 24;

/// hyper's service for one connection.
pub(super) struct Service {
    link: Rc<Link>,
}

impl Service {
    pub(super) fn new(link: Rc<Link>) -> Service {
        Service { link }
    }
}

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = hyper::Response<super::body::Output>;
    type Error = std::convert::Infallible;
    type Future = Answer;

    /// Opens the exchange here and not in the future, so that the head of the request is freed
    /// before hyper reads on: its buffer is used again, and a suspended request keeps no copy.
    fn call(&self, request: Request<Incoming>) -> Answer {
        let (parts, incoming) = request.into_parts();
        let hub = &self.link.hub;
        self.link.begin();
        let mut session = Session::new(Rc::clone(&self.link));
        if hub.access_log.is_some() {
            session.logged(log_entry(&self.link, &parts));
        }
        if let Err(refusal) = check(&parts, &incoming, hub.limits.max_body) {
            abandon(&self.link, &incoming);
            return Answer::refused(session, refusal);
        }
        if let Some(permit) = hub.admission.enter() {
            return match open(&mut session, parts, incoming, permit) {
                Ok(()) => Answer::waiting(session),
                Err(refusal) => Answer::refused(session, refusal),
            };
        }
        match hub.admission.queue() {
            Some(place) => {
                Answer::queued(session, Box::new(Queued::new(parts, incoming, Box::pin(place))))
            }
            None => {
                abandon(&self.link, &incoming);
                Answer::refused(session, refusal::BUSY)
            }
        }
    }
}

/// Nobody will read the body of a request that is refused.
pub(super) fn abandon(link: &Link, incoming: &Incoming) {
    if !incoming.is_end_stream() {
        link.unread.set(true);
    }
}

fn log_entry(link: &Link, parts: &Parts) -> Box<log::Entry> {
    let remote = link.ends.remote.as_str();
    let target = Target::of(&parts.uri);
    Box::new(log::Entry::new(remote, parts.method.as_str(), target.bytes(), protocol(parts)))
}

fn protocol(parts: &Parts) -> &'static str {
    if parts.version == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" }
}

/// What hyper lets pass and we do not.
fn check(parts: &Parts, incoming: &Incoming, max_body: Option<u64>) -> Result<(), Refusal> {
    if parts.method == Method::CONNECT {
        return Err(refusal::NO_TUNNELS);
    }
    let required = parts.version == Version::HTTP_11;
    if !has_valid_host(&parts.headers, required) {
        return Err(refusal::NO_HOST);
    }
    if !is_transfer_plain(&parts.headers) {
        return Err(refusal::MALFORMED);
    }
    match (max_body, incoming.size_hint().exact()) {
        (Some(max), Some(length)) if length > max => Err(refusal::LARGE_BODY),
        _ => Ok(()),
    }
}

/// RFC 9112, 3.2: one Host field in every request of HTTP/1.1, and never two.
fn has_valid_host(headers: &HeaderMap, required: bool) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => !required,
        (Some(host), None) => is_host(host.as_bytes()),
        (Some(_), Some(_)) => false,
    }
}

/// Chunks, once, and nothing else: a coding inside of them would reach the application, and one
/// named twice may be counted otherwise by a proxy before us.
fn is_transfer_plain(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    }
}

/// `uri-host [ ":" port ]` of RFC 3986, without user information. It may be empty, for targets
/// that have no authority.
fn is_host(host: &[u8]) -> bool {
    let (name, port) = match host {
        [b'[', ..] => {
            let Some(end) = host.iter().position(|&byte| byte == b']') else { return false };
            let literal = &host[1..end];
            let valid = |byte: &u8| byte.is_ascii_alphanumeric() || b":.%-_~".contains(byte);
            if literal.is_empty() || !literal.iter().all(valid) {
                return false;
            }
            match &host[end + 1..] {
                [] => return true,
                [b':', port @ ..] => return port.iter().all(u8::is_ascii_digit),
                _ => return false,
            }
        }
        _ => match host.iter().position(|&byte| byte == b':') {
            Some(colon) => (&host[..colon], &host[colon + 1..]),
            None => (host, &[][..]),
        },
    };
    let valid = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(byte);
    name.iter().all(valid) && port.iter().all(u8::is_ascii_digit)
}

/// The target of a request as it was sent.
enum Target<'a> {
    Sent(&'a str),
    /// A target in absolute form, which hyper keeps in parts.
    Joined(String),
}

impl Target<'_> {
    fn of(uri: &Uri) -> Target<'_> {
        let path = uri.path_and_query().map_or("", |path| path.as_str());
        match (uri.scheme_str(), uri.authority()) {
            (None, None) => Target::Sent(path),
            (None, Some(authority)) => Target::Sent(authority.as_str()),
            (Some(scheme), authority) => {
                let authority = authority.map_or("", |authority| authority.as_str());
                Target::Joined(format!("{scheme}://{authority}{path}"))
            }
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Target::Sent(text) => text.as_bytes(),
            Target::Joined(text) => text.as_bytes(),
        }
    }
}

/// Opens the exchange: everything of the head that matters is copied, and the head dropped.
pub(super) fn open(
    session: &mut Session,
    parts: Parts,
    incoming: Incoming,
    permit: Permit,
) -> Result<(), Refusal> {
    let link = Rc::clone(session.link());
    let hub = &link.hub;
    let body = !incoming.is_end_stream();
    let key = hub.add_exchange(&link);
    let target = Target::of(&parts.uri);
    let opened = with_fields(&parts.headers, |headers| {
        hub.gateways.find(parts.uri.path()).open(&gateway::Request {
            method: parts.method.as_str().as_bytes(),
            target: target.bytes(),
            protocol: protocol(&parts).as_bytes(),
            scheme: b"http",
            remote_addr: link.ends.remote.as_bytes(),
            remote_port: link.ends.remote_port,
            server_name: link.ends.server_name.as_bytes(),
            server_port: link.ends.server_port,
            headers,
            content_length: if body { incoming.size_hint().exact() } else { None },
            body,
            user_data: u64::from(key.serial) << 32 | u64::from(key.index),
        })
    });
    let exchange = match opened {
        Ok(exchange) => exchange,
        Err(error) => {
            hub.remove_exchange(key);
            abandon(&link, &incoming);
            return Err(match error.status() {
                Status::Invalid => refusal::MALFORMED,
                Status::Limit => refusal::BUSY,
                Status::Closed => refusal::DRAINING,
                _ => {
                    hub.diagnostics.error(format_args!("opening an exchange: {error}"));
                    refusal::FAILED
                }
            });
        }
    };
    session.opened(exchange, key, permit, parts.version == Version::HTTP_10);
    if body {
        let expect = parts.version == Version::HTTP_11
            && parts
                .headers
                .get(header::EXPECT)
                .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        let inbound = Box::new(Inbound::new(exchange, incoming, expect));
        *link.inbound.borrow_mut() = Some(inbound);
    }
    hub.keep_header_map(parts.headers);
    Ok(())
}

/// Gives the fields in their order, as slices.
fn with_fields<T>(headers: &HeaderMap, call: impl FnOnce(&[(&[u8], &[u8])]) -> T) -> T {
    let mut fields = headers.iter().map(|(name, value)| {
        let field: (&[u8], &[u8]) = (name.as_str().as_bytes(), value.as_bytes());
        field
    });
    if headers.len() > FIELDS {
        let fields: Vec<_> = fields.collect();
        return call(&fields);
    }
    let mut place = [(&[][..], &[][..]); FIELDS];
    let mut count = 0;
    for (place, field) in place.iter_mut().zip(&mut fields) {
        *place = field;
        count += 1;
    }
    call(&place[..count])
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    #[test]
    fn a_host_is_a_name_or_an_address_with_a_port() {
        for host in ["", "a", "a.example:80", "127.0.0.1:8080", "[::1]", "[::1]:80", "a:"] {
            assert!(is_host(host.as_bytes()), "{host:?}");
        }
        for host in ["a b", "a@b", "a/b", "a:b", "a:1:2", "::1", "[::1", "[]", "[::1]x", "a\\b"] {
            assert!(!is_host(host.as_bytes()), "{host:?}");
        }
    }

    #[test]
    fn http_1_1_has_exactly_one_host() {
        let mut headers = HeaderMap::new();
        assert!(!has_valid_host(&headers, true));
        assert!(has_valid_host(&headers, false));
        headers.append(header::HOST, HeaderValue::from_static("a"));
        assert!(has_valid_host(&headers, true));
        headers.append(header::HOST, HeaderValue::from_static("a"));
        assert!(!has_valid_host(&headers, true));
        assert!(!has_valid_host(&headers, false));
    }

    #[test]
    fn a_target_is_given_as_it_was_sent() {
        for target in ["/", "/a%2fb?c=d&e", "*", "http://a.example:80/b?c", "//a"] {
            let uri: Uri = target.parse().unwrap();
            assert_eq!(Target::of(&uri).bytes(), target.as_bytes());
        }
    }

    #[test]
    fn fields_are_handed_on_in_their_order_however_many() {
        for count in [0, 1, FIELDS, FIELDS + 1, 99] {
            let mut headers = HeaderMap::new();
            for index in 0..count {
                let name = hyper::header::HeaderName::try_from(format!("x-{index}")).unwrap();
                headers.append(name, HeaderValue::from(index));
            }
            with_fields(&headers, |fields| {
                assert_eq!(fields.len(), count);
                for (index, (name, value)) in fields.iter().enumerate() {
                    assert_eq!(*name, format!("x-{index}").as_bytes());
                    assert_eq!(*value, index.to_string().as_bytes());
                }
            });
        }
    }
}
