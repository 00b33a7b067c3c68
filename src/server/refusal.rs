//! The responses that the server gives itself, without an application.

use std::fmt::Write;

use bytes::Bytes;
use hyper::StatusCode;

use super::calendar::Second;

/// A refusal: its status, one line for a person to read, and whether the connection ends with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) close: bool,
    pub(super) text: &'static str,
}

/// How long a client that was refused for lack of room should stay away, in seconds.
pub(super) const RETRY_AFTER: &str = "1";

const fn refusal(status: StatusCode, close: bool, text: &'static str) -> Refusal {
    Refusal { status, close, text }
}

pub(super) const MALFORMED: Refusal =
    refusal(StatusCode::BAD_REQUEST, true, "400 the request is not valid HTTP/1.1\n");
pub(super) const NO_HOST: Refusal = refusal(
    StatusCode::BAD_REQUEST,
    true,
    "400 a request in HTTP/1.1 has exactly one valid Host field\n",
);
pub(super) const SLOW_HEAD: Refusal =
    refusal(StatusCode::REQUEST_TIMEOUT, true, "408 the request took too long to arrive\n");
pub(super) const LARGE_BODY: Refusal =
    refusal(StatusCode::PAYLOAD_TOO_LARGE, true, "413 the body is larger than this server takes\n");
pub(super) const LONG_TARGET: Refusal =
    refusal(StatusCode::URI_TOO_LONG, true, "414 the target of the request is too long\n");
pub(super) const LARGE_HEAD: Refusal = refusal(
    StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    true,
    "431 the head of the request is larger than this server takes\n",
);
pub(super) const FAILED: Refusal =
    refusal(StatusCode::INTERNAL_SERVER_ERROR, true, "500 the application gave no response\n");
pub(super) const NO_TUNNELS: Refusal =
    refusal(StatusCode::NOT_IMPLEMENTED, true, "501 this server opens no tunnels\n");
pub(super) const BUSY: Refusal =
    refusal(StatusCode::SERVICE_UNAVAILABLE, false, "503 all places are taken: try again soon\n");
pub(super) const DRAINING: Refusal =
    refusal(StatusCode::SERVICE_UNAVAILABLE, true, "503 the server is being stopped\n");

impl Refusal {
    /// What stands for the response that hyper gives by itself to a head it cannot take.
    pub(super) fn of(status: u16) -> Refusal {
        match status {
            414 => LONG_TARGET,
            431 => LARGE_HEAD,
            _ => MALFORMED,
        }
    }

    /// The whole response as it goes on the wire, for where hyper gives none. It ends its
    /// connection.
    pub(super) fn raw(self) -> Bytes {
        let mut text = String::with_capacity(256);
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "HTTP/1.1 {} {}\r\nconnection: close\r\ncontent-type: text/plain\r\n\
             content-length: {}\r\ndate: {}\r\n\r\n{}",
            self.status.as_str(),
            self.status.canonical_reason().unwrap_or("Refused"),
            self.text.len(),
            Second::now().http(),
            self.text,
        );
        Bytes::from(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_is_one_line_that_begins_with_its_status() {
        for refusal in [
            MALFORMED,
            NO_HOST,
            SLOW_HEAD,
            LARGE_BODY,
            LONG_TARGET,
            LARGE_HEAD,
            FAILED,
            NO_TUNNELS,
            BUSY,
            DRAINING,
        ] {
            assert!(refusal.text.starts_with(refusal.status.as_str()), "{refusal:?}");
            assert_eq!(refusal.text.find('\n'), Some(refusal.text.len() - 1));
        }
    }

    #[test]
    fn a_raw_refusal_is_a_framed_response() {
        let raw = SLOW_HEAD.raw();
        let text = std::str::from_utf8(&raw).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 408 Request Timeout\r\n"));
        assert!(head.contains(&format!("content-length: {}", body.len())));
        assert!(head.contains("connection: close"));
        assert_eq!(body, SLOW_HEAD.text);
    }
}
