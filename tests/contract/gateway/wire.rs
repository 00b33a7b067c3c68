//! The client of a scenario: a connection whose every byte it decides.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use crate::driver::{Played, fail};
use crate::report;

/// A connection to the server.
pub struct Wire {
    stream: TcpStream,
    /// What was read and belongs to what follows.
    ahead: Vec<u8>,
    /// The server has closed; by a reset?
    end: Option<bool>,
    until: Instant,
    trace: bool,
}

/// A response as its bytes say.
#[derive(Debug, Default)]
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
    /// All came that its framing promises.
    pub whole: bool,
}

impl Response {
    /// The values of a field.
    pub fn fields(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines
            .filter(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, it)| it.trim())
            .collect()
    }

    pub fn has_status(&self, status: u16) -> Played {
        match self.status == status {
            true => Ok(()),
            false => fail(format!("the status {status}"), self.shown()),
        }
    }

    /// A whole response with this status and body.
    pub fn is(&self, status: u16, body: &str) -> Played {
        self.has_status(status)?;
        match self.whole && self.body == body.as_bytes() {
            true => Ok(()),
            false => fail(format!("a whole response with the body {body:?}"), self.shown()),
        }
    }

    /// A whole response with so many bytes of the pattern.
    pub fn has_pattern(&self, count: usize) -> Played {
        self.has_status(200)?;
        let letters = b"abcdefghijklmnopqrstuvwxyz";
        let right = self.body.chunks(26).all(|part| *part == letters[..part.len()]);
        match self.whole && right && self.body.len() == count {
            true => Ok(()),
            false => fail(
                format!("{count} bytes, all in their places"),
                format!("{} bytes, right: {right}, whole: {}", self.body.len(), self.whole),
            ),
        }
    }

    /// One that cannot look whole, but has this of its body.
    pub fn is_broken(&self, body: &str) -> Played {
        self.has_status(200)?;
        match !self.whole && self.body == body.as_bytes() {
            true => Ok(()),
            false => fail(format!("a response that breaks off after {body:?}"), self.shown()),
        }
    }

    pub fn has_field(&self, name: &str, values: &[&str]) -> Played {
        match self.fields(name) == values {
            true => Ok(()),
            false => fail(
                format!("{name}: {values:?}"),
                format!("{:?} in {:?}", self.fields(name), self.head),
            ),
        }
    }

    pub fn closes(&self) -> bool {
        self.fields("connection").iter().any(|value| value.eq_ignore_ascii_case("close"))
    }

    fn shown(&self) -> String {
        let body = String::from_utf8_lossy(&self.body[..self.body.len().min(200)]).into_owned();
        format!("{:?}, whole: {}, {} bytes: {body:?}", self.head, self.whole, self.body.len())
    }
}

impl Wire {
    pub fn new(stream: TcpStream, until: Instant, trace: bool) -> Played<Wire> {
        let prepared = stream.set_nodelay(true);
        match prepared {
            Ok(()) => Ok(Wire { stream, ahead: Vec::new(), end: None, until, trace }),
            Err(error) => fail("a connection", error.to_string()),
        }
    }

    fn patience(&self) -> Option<Duration> {
        Some(self.until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1)))
    }

    /// Sends all of it.
    pub fn send(&mut self, text: &str) -> Played {
        self.told(">", text.as_bytes());
        let _ = self.stream.set_write_timeout(self.patience());
        match self.stream.write_all(text.as_bytes()) {
            Ok(()) => Ok(()),
            Err(error) => fail("the server takes what is sent", error.to_string()),
        }
    }

    /// Sends what the server may refuse to take to its end.
    pub fn send_if_taken(&mut self, bytes: &[u8]) {
        let _ = self.stream.set_write_timeout(self.patience());
        let _ = self.stream.write_all(bytes);
    }

    /// Sends until nothing more is taken for a while; answers how much was.
    pub fn fill(&mut self, bytes: &[u8]) -> usize {
        let _ = self.stream.set_write_timeout(Some(Duration::from_millis(300)));
        let mut sent = 0;
        while sent < bytes.len() {
            match self.stream.write(&bytes[sent..]) {
                Ok(count) => sent += count,
                Err(_) => break,
            }
        }
        sent
    }

    /// Sends no more, but still reads.
    pub fn finish(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// The next response, to a request with this method.
    pub fn response(&mut self, method: &str) -> Played<Response> {
        let head = self.read_to("\r\n\r\n")?.trim_end_matches("\r\n").to_owned();
        let status = head.get(9..12).and_then(|status| status.parse().ok());
        let Some(status) = status.filter(|_| head.starts_with("HTTP/1.")) else {
            return fail("a response", format!("{head:?}"));
        };
        let mut response = Response { status, head, body: Vec::new(), whole: true };
        let chunked = !response.fields("transfer-encoding").is_empty();
        let length = response.fields("content-length").first().map(|length| length.parse());
        if method == "HEAD" || status < 200 || status == 204 || status == 304 {
            return Ok(response);
        }
        let mut body = Vec::new();
        response.whole = match (chunked, length) {
            (true, None) => self.chunks(&mut body)?,
            (false, Some(Ok(length))) => self.exactly(length, &mut body)?,
            (false, None) => {
                while self.more()? {}
                body = std::mem::take(&mut self.ahead);
                self.end == Some(false)
            }
            _ => return fail("a body that is framed once", response.head),
        };
        response.body = body;
        Ok(response)
    }

    /// Nothing more comes, and the server closes.
    pub fn is_closed(&mut self) -> Played {
        while self.more()? {}
        match self.ahead.as_slice() {
            [] => Ok(()),
            rest => {
                fail("the end of the connection", format!("{:?}", String::from_utf8_lossy(rest)))
            }
        }
    }

    /// The next bytes up to and with `end`.
    pub fn read_to(&mut self, end: &str) -> Played<String> {
        loop {
            let found = self.ahead.windows(end.len()).position(|bytes| bytes == end.as_bytes());
            if let Some(at) = found {
                let rest = self.ahead.split_off(at + end.len());
                let text = std::mem::replace(&mut self.ahead, rest);
                return Ok(String::from_utf8_lossy(&text).into_owned());
            }
            if !self.more()? {
                let rest = String::from_utf8_lossy(&self.ahead);
                return fail(format!("bytes up to {end:?}"), format!("the end after {rest:?}"));
            }
        }
    }

    /// Whether a byte comes, and not the end.
    pub fn hears_bytes(&mut self) -> bool {
        !self.ahead.is_empty() || matches!(self.more(), Ok(true))
    }

    /// The connection ends with a reset.
    pub fn is_reset(&mut self) -> Played {
        while self.more()? {}
        match self.end {
            Some(true) => Ok(()),
            _ => fail("a reset", "an end that looks like that of a whole response"),
        }
    }

    /// The port of this side, and that of the server.
    pub fn addresses(&self) -> (u16, u16) {
        let port =
            |address: std::io::Result<std::net::SocketAddr>| address.map_or(0, |at| at.port());
        (port(self.stream.local_addr()), port(self.stream.peer_addr()))
    }

    /// Whether something comes within so long.
    pub fn hears(&mut self, within: Duration) -> bool {
        let _ = self.stream.set_read_timeout(Some(within));
        let mut byte = [0];
        !self.ahead.is_empty() || self.stream.peek(&mut byte).is_ok()
    }

    fn exactly(&mut self, length: usize, into: &mut Vec<u8>) -> Played<bool> {
        while self.ahead.len() < length {
            if !self.more()? {
                into.append(&mut self.ahead);
                return Ok(false);
            }
        }
        let rest = self.ahead.split_off(length);
        into.extend(std::mem::replace(&mut self.ahead, rest));
        Ok(true)
    }

    /// Answers whether the last chunk came.
    fn chunks(&mut self, into: &mut Vec<u8>) -> Played<bool> {
        loop {
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") {
                if !self.exactly(1, &mut line)? {
                    return Ok(false);
                }
            }
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            let Ok(length) = usize::from_str_radix(&text, 16) else {
                return fail("the length of a chunk", format!("{text:?}"));
            };
            let mut end = Vec::new();
            if !self.exactly(length, into)? || !self.exactly(2, &mut end)? {
                return Ok(false);
            }
            if length == 0 {
                return Ok(true);
            }
        }
    }

    /// Reads on. False at the end.
    fn more(&mut self) -> Played<bool> {
        let mut piece = [0; 64 << 10];
        let _ = self.stream.set_read_timeout(self.patience());
        match self.stream.read(&mut piece) {
            Ok(0) => self.end = Some(false),
            Ok(count) => {
                self.told("<", &piece[..count]);
                self.ahead.extend_from_slice(&piece[..count]);
                return Ok(true);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(true),
            Err(error) => match error.kind() {
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => self.end = Some(true),
                _ => return fail("bytes of a response", format!("silence: {error}")),
            },
        }
        Ok(false)
    }

    fn told(&self, sign: &str, bytes: &[u8]) {
        if self.trace {
            let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned();
            report::print(&format!("  {sign} {shown:?}"));
        }
    }
}
