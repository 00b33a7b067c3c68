//! A connection whose every byte and moment the test decides.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::BOUND;
use crate::server::Server;

/// The fields that every request needs, and the end of its head.
pub const HOST: &str = "Host: a\r\n\r\n";
/// The same for a request that is the last of its connection.
pub const LAST: &str = "Host: a\r\nConnection: close\r\n\r\n";

/// Lets the server read what was sent, as a rule; nothing may depend on whether it did.
pub fn pause() {
    std::thread::sleep(std::time::Duration::from_millis(1));
}

/// One side of a connection.
pub struct Wire<S = TcpStream> {
    pub stream: S,
    /// What was read and belongs to what follows.
    ahead: Vec<u8>,
}

/// A response as its bytes say.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
    /// All came that its framing promises.
    pub whole: bool,
}

impl Response {
    /// The value of a field; panics if it is there twice.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.head.lines().skip(1).filter_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then_some(value.trim())
        });
        let first = found.next();
        assert!(found.next().is_none(), "{name} is there twice: {}", self.head);
        first
    }

    pub fn text(&self) -> String {
        assert!(self.whole, "the response broke off: {self:?}");
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// Whether it announces the end of its connection.
    pub fn closes(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

impl Wire {
    pub fn connect(server: &Server) -> Wire {
        let stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(BOUND)).unwrap();
        stream.set_write_timeout(Some(BOUND)).unwrap();
        stream.set_nodelay(true).unwrap();
        Wire { stream, ahead: Vec::new() }
    }

    /// Sends all of a request, and takes what comes until the server closes.
    pub fn ask(server: &Server, request: &str) -> Response {
        let mut wire = Wire::connect(server);
        wire.send(request);
        let response = wire.response();
        wire.assert_closed();
        response
    }

    /// Sends no more, but still reads.
    pub fn finish(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Waits until the server has read everything that was sent.
    pub fn until_read(&self) {
        let (here, there) = (self.stream.local_addr().unwrap(), self.stream.peer_addr().unwrap());
        let ends = format!(":{:04X} 0100007F:{:04X} ", there.port(), here.port());
        crate::until("the server reads", || {
            let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
            // sl local_address rem_address st tx_queue:rx_queue ...
            let line = table.lines().find(|line| line.contains(&ends));
            let queue = line.and_then(|line| line.split_whitespace().nth(4));
            queue.is_some_and(|queue| queue.ends_with(":00000000"))
        });
    }
}

impl Wire<UnixStream> {
    pub fn connect_at(path: &Path) -> Wire<UnixStream> {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(BOUND)).unwrap();
        stream.set_write_timeout(Some(BOUND)).unwrap();
        Wire { stream, ahead: Vec::new() }
    }
}

impl<S: Read + Write> Wire<S> {
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends what a server may refuse to take to its end.
    pub fn send_if_taken(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// The next response, to a request that was not HEAD.
    pub fn response(&mut self) -> Response {
        self.response_to("GET")
    }

    pub fn response_to(&mut self, method: &str) -> Response {
        let head = self.read_head();
        let status = head.get(9..12).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("this is no response: {head:?}"));
        assert!(head.starts_with("HTTP/1."), "this is no response: {head:?}");
        let mut response = Response { status, head, body: Vec::new(), whole: true };
        let chunked = response.header("transfer-encoding").map(str::to_owned);
        let length = response.header("content-length").map(|length| length.parse().unwrap());
        if method == "HEAD" || status < 200 || status == 204 || status == 304 {
            return response;
        }
        response.whole = match (chunked, length) {
            (Some(coding), None) => {
                assert_eq!(coding, "chunked");
                self.read_chunks(&mut response.body)
            }
            (None, Some(length)) => self.read_exactly(length, &mut response.body),
            (None, None) => {
                while self.more() {}
                response.body = std::mem::take(&mut self.ahead);
                true
            }
            (Some(_), Some(_)) => panic!("it is framed twice: {}", response.head),
        };
        response
    }

    /// Nothing more comes, and the server closes.
    pub fn assert_closed(&mut self) {
        while self.more() {}
        let rest = String::from_utf8_lossy(&self.ahead);
        assert!(rest.is_empty(), "nothing was to follow, but {rest:?} does");
    }

    /// The next bytes up to and with `end`, as text.
    pub fn read_to(&mut self, end: &str) -> String {
        loop {
            let found = self.ahead.windows(end.len()).position(|bytes| bytes == end.as_bytes());
            if let Some(at) = found {
                let rest = self.ahead.split_off(at + end.len());
                let text = std::mem::replace(&mut self.ahead, rest);
                return String::from_utf8(text).unwrap();
            }
            let came = self.more();
            assert!(came, "{end:?} does not come, but {:?}", String::from_utf8_lossy(&self.ahead));
        }
    }

    fn read_head(&mut self) -> String {
        let head = self.read_to("\r\n\r\n");
        assert!(!head.replace("\r\n", "").contains(['\r', '\n', '\0']), "{head:?}");
        head.trim_end_matches("\r\n").to_owned()
    }

    fn read_exactly(&mut self, length: usize, into: &mut Vec<u8>) -> bool {
        while self.ahead.len() < length {
            if !self.more() {
                into.append(&mut self.ahead);
                return false;
            }
        }
        let rest = self.ahead.split_off(length);
        into.extend(std::mem::replace(&mut self.ahead, rest));
        true
    }

    /// Answers whether the last chunk came.
    fn read_chunks(&mut self, into: &mut Vec<u8>) -> bool {
        loop {
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") {
                if !self.read_exactly(1, &mut line) {
                    return false;
                }
            }
            let line = std::str::from_utf8(&line).unwrap().trim_end();
            let length = usize::from_str_radix(line, 16).unwrap();
            let mut end = Vec::new();
            if !self.read_exactly(length, into) || !self.read_exactly(2, &mut end) {
                return false;
            }
            assert_eq!(end, b"\r\n");
            if length == 0 {
                return true;
            }
        }
    }

    /// Reads on. False at the end, also if the server reset the connection.
    fn more(&mut self) -> bool {
        let mut piece = [0; 16 << 10];
        match self.stream.read(&mut piece) {
            Ok(read) => {
                self.ahead.extend_from_slice(&piece[..read]);
                read > 0
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => true,
            Err(error) => {
                let reset = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
                assert!(reset.contains(&error.kind()), "nothing came for {BOUND:?}: {error}");
                false
            }
        }
    }
}
