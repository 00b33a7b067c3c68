//! Requests through ureq, an HTTP client that is not ours: what it takes for a whole response is one.

use std::io::Read;
use std::time::Duration;

use ureq::{Agent, Body, SendBody};

use crate::server::Server;

/// A response as the client understood it.
pub struct Got {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    /// An error if the transfer broke off.
    pub body: Result<Vec<u8>, String>,
}

impl Got {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The body of a whole response.
    pub fn bytes(&self) -> &[u8] {
        self.body.as_ref().unwrap_or_else(|error| panic!("the response broke off: {error}"))
    }

    /// The same as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.bytes().to_vec()).unwrap()
    }
}

/// A client with connections of its own, which reports statuses instead of failing.
pub fn agent() -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_response_header_size(128 << 10)
        .timeout_global(Some(Duration::from_secs(120)))
        .build()
        .new_agent()
}

/// Takes a response to its end.
pub fn taken(response: ureq::http::Response<Body>) -> Got {
    let (parts, mut body) = response.into_parts();
    let mut bytes = Vec::new();
    let mut reader = body.with_config().limit(u64::MAX).reader();
    let body = match reader.read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => Err(format!("{error} after {} bytes", bytes.len())),
    };
    Got { status: parts.status.as_u16(), headers: parts.headers, body }
}

pub fn get(server: &Server, path: &str) -> Got {
    get_with(&agent(), server, path)
}

pub fn get_with(agent: &Agent, server: &Server, path: &str) -> Got {
    let response = agent.get(format!("{}{path}", server.url)).call();
    taken(response.unwrap_or_else(|error| panic!("GET {path}: {error}")))
}

pub fn head(server: &Server, path: &str) -> Got {
    let response = agent().head(format!("{}{path}", server.url)).call();
    taken(response.unwrap_or_else(|error| panic!("HEAD {path}: {error}")))
}

/// Sends a body with its Content-Length.
pub fn post(server: &Server, path: &str, body: &[u8]) -> Got {
    let response = agent().post(format!("{}{path}", server.url)).send(body);
    taken(response.unwrap_or_else(|error| panic!("POST {path}: {error}")))
}

/// Sends a body in chunks, as the reader gives it.
pub fn post_chunked(server: &Server, path: &str, body: &mut dyn Read) -> Got {
    let response = agent().post(format!("{}{path}", server.url)).send(SendBody::from_reader(body));
    taken(response.unwrap_or_else(|error| panic!("POST {path}: {error}")))
}
