//! The environ of an exchange: the CGI variables and the `wsgi.*` keys of PEP 3333, made from a
//! request head.
//!
//! It is one allocation, laid out key after key, because there is one for every suspended
//! exchange. What is the same for all exchanges of a gateway lies in a base they share.

use std::sync::Arc;

use super::Request;
use crate::error::{Error, Result, Status};

/// Keys that most requests have: one byte each, in place of the name.
const KNOWN: [&str; 31] = [
    "REQUEST_METHOD",
    "SCRIPT_NAME",
    "PATH_INFO",
    "QUERY_STRING",
    "REQUEST_URI",
    "CONTENT_TYPE",
    "CONTENT_LENGTH",
    "SERVER_NAME",
    "SERVER_PORT",
    "SERVER_PROTOCOL",
    "SERVER_SOFTWARE",
    "GATEWAY_INTERFACE",
    "REMOTE_ADDR",
    "REMOTE_PORT",
    "HTTPS",
    "wsgi.version",
    "wsgi.url_scheme",
    "wsgi.multithread",
    "wsgi.multiprocess",
    "wsgi.run_once",
    "wsgi.input_terminated",
    "HTTP_HOST",
    "HTTP_USER_AGENT",
    "HTTP_ACCEPT",
    "HTTP_ACCEPT_ENCODING",
    "HTTP_ACCEPT_LANGUAGE",
    "HTTP_COOKIE",
    "HTTP_CONNECTION",
    "HTTP_REFERER",
    "HTTP_CACHE_CONTROL",
    "HTTP_AUTHORIZATION",
];

// An entry: a byte that says which known key it is, or KEY_FOLLOWS and the length of a key that
// follows (u16); the length of the value, a byte, or LONG and four; the key if it follows; the
// value; a NUL, so that the value is a C string too.
const KEY_FOLLOWS: u8 = 0xff;
const LONG: u8 = 0xff;

/// The tag of a known key.
const fn tag(key: &str) -> u8 {
    let key = key.as_bytes();
    let mut at = 0;
    while at < KNOWN.len() {
        let known = KNOWN[at].as_bytes();
        let mut same = known.len() == key.len();
        let mut byte = 0;
        while same && byte < key.len() {
            same = known[byte] == key[byte];
            byte += 1;
        }
        if same {
            return at as u8;
        }
        at += 1;
    }
    panic!("not a known key")
}

/// What stands before the name of a header.
const PREFIX: &[u8] = b"HTTP_";

/// The first of the known keys that come from headers.
const FIRST_HEADER: u8 = tag("HTTP_HOST");

/// What an application learns about its request. Never changes.
#[derive(Debug, Default)]
pub(crate) struct Environ {
    entries: Box<[u8]>,
    base: Option<Arc<Environ>>,
}

impl Environ {
    /// The value of a key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let known = KNOWN.iter().position(|known| known.as_bytes() == key).map(|tag| tag as u8);
        self.find(known, key).or_else(|| self.base.as_ref()?.find(known, key))
    }

    fn find(&self, known: Option<u8>, key: &[u8]) -> Option<&[u8]> {
        let mut at = 0;
        while let Some((name, value, next)) = self.entry(at) {
            let same = match known {
                Some(known) => self.entries[at] == known,
                None => name == key,
            };
            if same {
                return Some(value);
            }
            at = next;
        }
        None
    }

    /// The entry at a cursor, and the next cursor. 0 is the first.
    pub(crate) fn each(&self, cursor: usize) -> Option<(&[u8], &[u8], usize)> {
        if cursor < self.entries.len() {
            return self.entry(cursor);
        }
        let base = self.base.as_ref()?;
        let (name, value, next) = base.each(cursor - self.entries.len())?;
        Some((name, value, next + self.entries.len()))
    }

    fn entry(&self, at: usize) -> Option<(&[u8], &[u8], usize)> {
        let (&tag, rest) = self.entries.get(at..)?.split_first()?;
        let (key_len, header) = if tag == KEY_FOLLOWS {
            (usize::from(u16::from_le_bytes(rest.get(..2)?.try_into().ok()?)), 3)
        } else {
            (0, 1)
        };
        let len_at = at + header;
        let (value_len, key_at) = match *self.entries.get(len_at)? {
            LONG => {
                let len = self.entries.get(len_at + 1..len_at + 5)?;
                (u32::from_le_bytes(len.try_into().ok()?) as usize, len_at + 5)
            }
            len => (usize::from(len), len_at + 1),
        };
        let value_at = key_at + key_len;
        let key = if tag == KEY_FOLLOWS {
            self.entries.get(key_at..value_at)?
        } else {
            KNOWN.get(usize::from(tag))?.as_bytes()
        };
        let value = self.entries.get(value_at..value_at + value_len)?;
        Some((key, value, value_at + value_len + 1))
    }

    /// What all exchanges of a gateway have in common.
    pub(crate) fn base(script_name: &str, multithread: bool) -> Arc<Environ> {
        let mut builder = Builder::default();
        builder.add(const { tag("SCRIPT_NAME") }, script_name.as_bytes());
        builder.add(const { tag("GATEWAY_INTERFACE") }, b"CGI/1.1");
        builder.add(
            const { tag("SERVER_SOFTWARE") },
            concat!("libawsgi/", env!("CARGO_PKG_VERSION")).as_bytes(),
        );
        builder.add(const { tag("wsgi.version") }, b"1.0");
        builder.add(const { tag("wsgi.multithread") }, if multithread { b"1" } else { b"0" });
        builder.add(const { tag("wsgi.multiprocess") }, b"0");
        builder.add(const { tag("wsgi.run_once") }, b"0");
        builder.add(const { tag("wsgi.input_terminated") }, b"1");
        Arc::new(builder.finish(None))
    }

    /// Makes the environ of one request.
    pub(crate) fn new(request: &Request<'_>, base: &Arc<Environ>) -> Result<Environ> {
        let size: usize = request.headers.iter().map(|(n, v)| n.len() + v.len() + 13).sum();
        let mut builder = Builder { bytes: Vec::with_capacity(size + request.target.len() + 160) };
        if !is_token(request.method) {
            return Err(bad("the method is not a token of letters, digits and !#$%&'*+-.^_`|~"));
        }
        builder.add(const { tag("REQUEST_METHOD") }, request.method);
        let (path, query) = split_target(request.target)?;
        let path = percent_decoded(path);
        if path.contains(&0) {
            return Err(bad("the path holds a NUL (%00)"));
        }
        let script_name = base.get(b"SCRIPT_NAME").unwrap_or_default();
        let below = path.strip_prefix(script_name).filter(|rest| {
            // Whole segments: /application does not lie below /app.
            script_name.is_empty() || rest.is_empty() || rest[0] == b'/'
        });
        let Some(path_info) = below else {
            return Err(bad("the path is not below the prefix at which the application lies"));
        };
        builder.add(const { tag("PATH_INFO") }, path_info);
        builder.add(const { tag("QUERY_STRING") }, query);
        builder.add(const { tag("REQUEST_URI") }, request.target);
        builder.add(const { tag("SERVER_PROTOCOL") }, request.protocol);
        builder.add(const { tag("SERVER_NAME") }, request.server_name);
        builder.add_number(const { tag("SERVER_PORT") }, request.server_port.into());
        builder.add(const { tag("REMOTE_ADDR") }, request.remote_addr);
        if request.remote_port != 0 {
            builder.add_number(const { tag("REMOTE_PORT") }, request.remote_port.into());
        }
        builder.add(const { tag("wsgi.url_scheme") }, request.scheme);
        if request.scheme == b"https" {
            builder.add(const { tag("HTTPS") }, b"on");
        }
        builder.add_headers(request)?;
        Ok(builder.finish(Some(Arc::clone(base))))
    }
}

fn bad(what: &'static str) -> Error {
    Error::new(Status::Invalid, format!("bad request: {what}"))
}

/// Which bytes a token may hold.
const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let others = b"!#$%&'*+-.^_`|~";
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    table
};

/// RFC 9110, section 5.6.2.
pub(crate) fn is_token(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| TOKEN[usize::from(*byte)])
}

/// Whether a field value holds no control characters but tabs (RFC 9110, section 5.5).
pub(crate) fn is_field_value(value: &[u8]) -> bool {
    value.iter().all(|byte| *byte == b'\t' || *byte >= b' ' && *byte != 0x7f)
}

/// RFC 3986, section 3.1.
fn is_scheme(name: &[u8]) -> bool {
    name.first().is_some_and(u8::is_ascii_alphabetic)
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
}

/// Path and query of a request target (RFC 9112, section 3.2).
fn split_target(target: &[u8]) -> Result<(&[u8], &[u8])> {
    if target.is_empty() || target.iter().any(|byte| *byte <= b' ' || *byte == 0x7f) {
        return Err(bad("the target is empty or holds spaces or control characters"));
    }
    let origin = if target[0] == b'/' || target == b"*" {
        target
    } else if let Some(at) =
        target.windows(3).position(|part| part == b"://").filter(|at| is_scheme(&target[..*at]))
    {
        // absolute-form: what a client sends to a proxy, and any server must accept.
        let authority = &target[at + 3..];
        match authority.iter().position(|byte| matches!(byte, b'/' | b'?')) {
            Some(end) if authority[end] == b'/' => &authority[end..],
            Some(end) => return Ok((b"/", &authority[end + 1..])),
            None => b"/",
        }
    } else {
        return Err(bad("the target is neither a path, nor a URL, nor *"));
    };
    let origin = match origin.iter().position(|byte| *byte == b'#') {
        Some(fragment) => &origin[..fragment],
        None => origin,
    };
    Ok(match origin.iter().position(|byte| *byte == b'?') {
        Some(at) => (&origin[..at], &origin[at + 1..]),
        None => (origin, b""),
    })
}

/// Decodes %XX; what is no such sequence stays as it is, as in Python's `unquote_to_bytes`.
fn percent_decoded(path: &[u8]) -> Vec<u8> {
    let hex = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
    let mut decoded = Vec::with_capacity(path.len());
    let mut at = 0;
    while at < path.len() {
        if path[at] == b'%' && at + 3 <= path.len() {
            if let (Some(high), Some(low)) = (hex(path[at + 1]), hex(path[at + 2])) {
                decoded.push(high << 4 | low);
                at += 3;
                continue;
            }
        }
        decoded.push(path[at]);
        at += 1;
    }
    decoded
}

#[derive(Default)]
struct Builder {
    bytes: Vec<u8>,
}

impl Builder {
    fn add(&mut self, tag: u8, value: &[u8]) {
        self.begin(tag, value.len());
        self.bytes.extend_from_slice(value);
        self.bytes.push(0);
    }

    fn add_number(&mut self, tag: u8, mut number: u64) {
        let mut digits = [0; 20];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.add(tag, &digits[at..]);
    }

    /// Writes an entry with a known key up to its value.
    fn begin(&mut self, tag: u8, value_len: usize) {
        self.bytes.push(tag);
        self.add_len(value_len);
    }

    fn add_len(&mut self, len: usize) {
        if len < usize::from(LONG) {
            self.bytes.push(len as u8);
        } else {
            self.bytes.push(LONG);
            self.bytes.extend_from_slice(&(len as u32).to_le_bytes());
        }
    }

    /// The same for a header, by its name.
    fn begin_header(&mut self, name: &[u8], value_len: usize) {
        let upper = |byte: &u8| if *byte == b'-' { b'_' } else { byte.to_ascii_uppercase() };
        let same = |known: &&str| {
            let known = &known.as_bytes()[PREFIX.len()..];
            known.len() == name.len() && known.iter().copied().eq(name.iter().map(upper))
        };
        let first = usize::from(FIRST_HEADER);
        if let Some(at) = KNOWN[first..].iter().position(same) {
            return self.begin((first + at) as u8, value_len);
        }
        self.bytes.push(KEY_FOLLOWS);
        self.bytes.extend_from_slice(&((PREFIX.len() + name.len()) as u16).to_le_bytes());
        self.add_len(value_len);
        self.bytes.extend_from_slice(PREFIX);
        self.bytes.extend(name.iter().map(upper));
    }

    fn add_headers(&mut self, request: &Request<'_>) -> Result<()> {
        let headers = request.headers;
        let mut content_length = request.content_length;
        let mut chunked = false;
        for (at, (name, value)) in headers.iter().enumerate() {
            if !is_token(name) || name.len() > 1 << 15 {
                return Err(bad("the name of a header is not a token"));
            }
            if !is_field_value(value) || value.len() > 1 << 30 {
                return Err(bad("the value of a header holds control characters"));
            }
            // A name with an underscore could pose as one with a hyphen; Proxy would become
            // HTTP_PROXY, which programs take for their own configuration (httpoxy).
            if name.contains(&b'_') || name.eq_ignore_ascii_case(b"proxy") {
                continue;
            }
            let same = |other: &&(&[u8], &[u8])| other.0.eq_ignore_ascii_case(name);
            if headers[..at].iter().find(same).is_some() {
                // Joined where the name came first; a length that differs is a smuggling attempt.
                if name.eq_ignore_ascii_case(b"content-length")
                    && headers[..at].iter().any(|other| same(&other) && other.1 != *value)
                {
                    return Err(bad("Content-Length is given twice, differently"));
                }
                continue;
            }
            if name.eq_ignore_ascii_case(b"content-length") {
                let length = std::str::from_utf8(value)
                    .ok()
                    .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
                    .and_then(|digits| digits.parse::<u64>().ok())
                    .ok_or_else(|| bad("Content-Length is not a number"))?;
                if content_length.is_some_and(|given| given != length) {
                    return Err(bad("Content-Length is not the length of the body"));
                }
                content_length = Some(length);
                continue;
            }
            chunked |= name.eq_ignore_ascii_case(b"transfer-encoding");
            let separator: &[u8] = if name.eq_ignore_ascii_case(b"cookie") { b"; " } else { b"," };
            let values = || headers[at..].iter().filter(same).map(|other| other.1);
            let joined = values().map(|value| value.len() + separator.len()).sum::<usize>()
                - separator.len();
            if name.eq_ignore_ascii_case(b"content-type") {
                self.begin(const { tag("CONTENT_TYPE") }, joined);
            } else {
                self.begin_header(name, joined);
            }
            for (nth, value) in values().enumerate() {
                if nth > 0 {
                    self.bytes.extend_from_slice(separator);
                }
                self.bytes.extend_from_slice(value);
            }
            self.bytes.push(0);
        }
        if let Some(length) = content_length {
            if chunked {
                return Err(bad("both Content-Length and Transfer-Encoding are given"));
            }
            self.add_number(const { tag("CONTENT_LENGTH") }, length);
        }
        Ok(())
    }

    fn finish(self, base: Option<Arc<Environ>>) -> Environ {
        Environ { entries: self.bytes.into_boxed_slice(), base }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request<'a>(target: &'a [u8], headers: &'a [(&'a [u8], &'a [u8])]) -> Request<'a> {
        Request {
            method: b"GET",
            target,
            protocol: b"HTTP/1.1",
            scheme: b"http",
            remote_addr: b"127.0.0.1",
            remote_port: 4711,
            server_name: b"localhost",
            server_port: 8080,
            headers,
            content_length: None,
            body: false,
            user_data: 0,
        }
    }

    fn environ(target: &[u8], headers: &[(&[u8], &[u8])]) -> Environ {
        Environ::new(&request(target, headers), &Environ::base("", false)).unwrap()
    }

    fn refused(target: &[u8], headers: &[(&[u8], &[u8])]) -> String {
        let error = Environ::new(&request(target, headers), &Environ::base("", false)).unwrap_err();
        assert_eq!(error.status(), Status::Invalid);
        error.message().to_owned()
    }

    fn text<'a>(environ: &'a Environ, key: &str) -> &'a str {
        std::str::from_utf8(environ.get(key.as_bytes()).unwrap_or(b"(none)")).unwrap()
    }

    #[test]
    fn it_holds_the_variables_of_cgi_and_pep_3333() {
        let environ = environ(b"/a%20b/c%2Fd?x=%20y&z", &[(b"Host", b"example.org")]);
        for (key, value) in [
            ("REQUEST_METHOD", "GET"),
            ("SCRIPT_NAME", ""),
            ("PATH_INFO", "/a b/c/d"),
            ("QUERY_STRING", "x=%20y&z"),
            ("REQUEST_URI", "/a%20b/c%2Fd?x=%20y&z"),
            ("SERVER_NAME", "localhost"),
            ("SERVER_PORT", "8080"),
            ("SERVER_PROTOCOL", "HTTP/1.1"),
            ("GATEWAY_INTERFACE", "CGI/1.1"),
            ("REMOTE_ADDR", "127.0.0.1"),
            ("REMOTE_PORT", "4711"),
            ("HTTP_HOST", "example.org"),
            ("wsgi.version", "1.0"),
            ("wsgi.url_scheme", "http"),
            ("wsgi.multithread", "0"),
            ("wsgi.multiprocess", "0"),
            ("wsgi.run_once", "0"),
            ("CONTENT_LENGTH", "(none)"),
            ("HTTPS", "(none)"),
        ] {
            assert_eq!(text(&environ, key), value, "{key}");
        }
    }

    #[test]
    fn each_visits_every_key_once_and_values_end_in_nul() {
        let environ = environ(b"/", &[(b"X-One", b"1"), (b"X-Two", b"2")]);
        let mut keys = Vec::new();
        let mut cursor = 0;
        while let Some((key, value, next)) = environ.each(cursor) {
            keys.push(String::from_utf8(key.to_vec()).unwrap());
            assert_eq!(environ.get(key), Some(value));
            cursor = next;
        }
        for key in ["HTTP_X_ONE", "HTTP_X_TWO", "SCRIPT_NAME", "REQUEST_METHOD"] {
            assert_eq!(keys.iter().filter(|other| *other == key).count(), 1, "{key}");
        }
        let mut at = 0;
        while let Some((_, _, next)) = environ.entry(at) {
            assert_eq!(environ.entries[next - 1], 0);
            at = next;
        }
    }

    #[test]
    fn values_of_any_length_are_kept() {
        for len in [0, 1, 253, 254, 255, 256, 70_000] {
            let value = vec![b'x'; len];
            let environ = environ(b"/", &[(b"X-Long", &value), (b"Host", &value), (b"X", b"end")]);
            assert_eq!(environ.get(b"HTTP_X_LONG"), Some(&value[..]));
            assert_eq!(environ.get(b"HTTP_HOST"), Some(&value[..]));
            assert_eq!(environ.get(b"HTTP_X"), Some(&b"end"[..]));
        }
    }

    #[test]
    fn headers_are_joined_and_cleaned() {
        let environ = environ(
            b"/",
            &[
                (b"Accept", b"a"),
                (b"X_Forwarded_For", b"forged"),
                (b"Proxy", b"evil"),
                (b"cookie", b"a=1"),
                (b"ACCEPT", b"b"),
                (b"Cookie", b"b=2"),
                (b"Content-Type", b"text/plain"),
                (b"Content-Length", b"5"),
                (b"content-length", b"5"),
                (b"X-Forwarded-For", b"10.0.0.1"),
            ],
        );
        assert_eq!(text(&environ, "HTTP_ACCEPT"), "a,b");
        assert_eq!(text(&environ, "HTTP_COOKIE"), "a=1; b=2");
        assert_eq!(text(&environ, "HTTP_PROXY"), "(none)");
        assert_eq!(text(&environ, "HTTP_X_FORWARDED_FOR"), "10.0.0.1");
        assert_eq!(text(&environ, "CONTENT_TYPE"), "text/plain");
        assert_eq!(text(&environ, "CONTENT_LENGTH"), "5");
        assert_eq!(text(&environ, "HTTP_CONTENT_LENGTH"), "(none)");
        assert_eq!(text(&environ, "HTTP_CONTENT_TYPE"), "(none)");
    }

    #[test]
    fn a_mounted_application_sees_its_prefix_as_script_name() {
        let base = Environ::base("/app", true);
        let environ = Environ::new(&request(b"/app/x?y", &[]), &base).unwrap();
        assert_eq!(text(&environ, "SCRIPT_NAME"), "/app");
        assert_eq!(text(&environ, "PATH_INFO"), "/x");
        assert_eq!(text(&environ, "wsgi.multithread"), "1");
        assert!(Environ::new(&request(b"/other", &[]), &base).is_err());
    }

    #[test]
    fn every_form_of_target_is_understood() {
        for (target, path, query) in [
            (&b"/"[..], "/", ""),
            (b"*", "*", ""),
            (b"http://host", "/", ""),
            (b"http://host?q", "/", "q"),
            (b"http://host:80/a?b?c", "/a", "b?c"),
            (b"/%", "/%", ""),
            (b"/%zz%4", "/%zz%4", ""),
            (b"/%C3%A4", "/\u{e4}", ""),
            (b"//x", "//x", ""),
        ] {
            let environ = environ(target, &[]);
            assert_eq!(text(&environ, "PATH_INFO"), path);
            assert_eq!(text(&environ, "QUERY_STRING"), query);
        }
    }

    #[test]
    fn what_could_smuggle_is_refused() {
        refused(b"", &[]);
        refused(b"relative", &[]);
        refused(b"/a b", &[]);
        refused(b"/%00", &[]);
        refused(b"/", &[(b"a b", b"")]);
        refused(b"/", &[(b"", b"")]);
        refused(b"/", &[(b"a", b"x\r\ny: z")]);
        refused(b"/", &[(b"Content-Length", b"+5")]);
        refused(b"/", &[(b"Content-Length", b"5"), (b"Content-Length", b"6")]);
        refused(b"/", &[(b"Content-Length", b"5"), (b"Transfer-Encoding", b"chunked")]);
    }
}
