//! The response between application and host: its head, and bytes up to a high-water mark.

use std::ops::Range;

use bytes::Bytes;

use super::environ::{is_field_value, is_token};
use crate::error::{Error, Fixed, Result, Status};

/// The head of a response, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The status code, 200 to 599.
    pub status: u16,
    /// The length of the body, where it is known.
    pub length: Option<u64>,
    /// No body may be sent: the request was HEAD, or the status is 204 or 304.
    pub bodiless: bool,
    /// The header fields, one after another: the lengths of name and value as u32, name, value.
    fields: Bytes,
}

impl Head {
    /// Names and values of the header fields: names are tokens, values hold no CR, LF or NUL, and
    /// none of them is the host's to set (Connection, Transfer-Encoding and their like).
    pub fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.places().map(|(name, value)| (&self.fields[name], &self.fields[value]))
    }

    /// The same, with values that share the head's memory.
    pub fn shared_headers(&self) -> impl Iterator<Item = (&[u8], Bytes)> {
        self.places().map(|(name, value)| (&self.fields[name], self.fields.slice(value)))
    }

    fn places(&self) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let lens = self.fields.get(at..at + 8)?;
            let len = |lens: &[u8]| lens.try_into().map_or(0, u32::from_le_bytes) as usize;
            let name = at + 8..at + 8 + len(&lens[..4]);
            let value = name.end..name.end + len(&lens[4..]);
            at = value.end;
            Some((name, value))
        })
    }
}

/// What there is to send.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// Bytes; tell [`sent`](super::Exchange::sent) when they are gone.
    Data(Bytes),
    /// Nothing now: BODY follows when there is, or ABORT.
    Nothing,
    /// Nothing more.
    End,
}

/// Fields that say how a message is framed or how long a connection lives: the host's own.
const HOSTS_OWN: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "proxy-authenticate",
];

const UNDECLARED: u64 = u64::MAX;
const UNSTARTED: u16 = 0;

/// What the application has produced.
#[derive(Debug)]
pub(crate) struct Output {
    /// The status; UNSTARTED before the application has begun.
    status: u16,
    /// The host has the head.
    begun: bool,
    /// The fields of the head, until the host has it.
    fields: Box<[u8]>,
    pending: Vec<u8>,
    /// Bytes with the host, not sent yet.
    lent: u32,
    limit: u32,
    /// The Content-Length; UNDECLARED if there is none.
    declared: u64,
    written: u64,
    head_request: bool,
    bodiless: bool,
    ended: bool,
    /// It ended before it was complete.
    broken: bool,
    /// The host found nothing to take.
    awaited: bool,
}

impl Output {
    /// Accepts at most `limit` bytes that were not sent. `head_request`: no body will be sent.
    pub(crate) fn new(limit: usize, head_request: bool) -> Output {
        Output {
            status: UNSTARTED,
            begun: false,
            fields: Box::default(),
            pending: Vec::new(),
            lent: 0,
            limit: limit.clamp(1, u32::MAX as usize) as u32,
            declared: UNDECLARED,
            written: 0,
            head_request,
            bodiless: head_request,
            ended: false,
            broken: false,
            awaited: false,
        }
    }

    pub(crate) fn is_started(&self) -> bool {
        self.status != UNSTARTED
    }

    /// Whether the host has the head.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether nothing is left to take, nor will be.
    pub(crate) fn is_drained(&self) -> bool {
        self.ended && !self.broken && self.pending.is_empty()
    }

    /// How much the application has written.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Checks and keeps the head.
    pub(crate) fn start(&mut self, status: i32, headers: &[(&[u8], &[u8])]) -> Result<()> {
        if self.is_started() {
            return Err(Error::new(
                Status::State,
                "the response has started: its head can be given once",
            ));
        }
        let status = u16::try_from(status)
            .ok()
            .filter(|status| (200..=599).contains(status))
            .ok_or_else(|| {
                Error::new(
                    Status::Invalid,
                    format!("{status} is not the status of a response: give one of 200 to 599"),
                )
            })?;
        let mut declared = None;
        for (name, value) in headers {
            check_header(name, value)?;
            if is_content_length(name) {
                declared = Some(content_length(value, declared)?);
            }
        }
        self.bodiless = self.head_request || status == 204 || status == 304;
        self.declared = declared.unwrap_or(UNDECLARED);
        self.status = status;
        self.fields = kept(headers);
        Ok(())
    }

    /// Takes as much of `bytes` as there is room for.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        if !self.is_started() {
            return Err(Error::new(
                Status::State,
                "the response has not started: call awsgi_exchange_start first",
            ));
        }
        if self.ended {
            return Err(Error::new(Status::State, "the response is complete: nothing can follow"));
        }
        if let Some(declared) = self.declared() {
            if self.written + bytes.len() as u64 > declared {
                return Err(Error::new(
                    Status::Invalid,
                    format!(
                        "{} bytes would follow {} of a response whose Content-Length is \
                         {declared}: send no more than was declared",
                        bytes.len(),
                        self.written
                    ),
                ));
            }
        }
        if self.bodiless {
            self.written += bytes.len() as u64;
            return Ok(bytes.len());
        }
        let taken = bytes.len().min(self.room());
        self.pending.extend_from_slice(&bytes[..taken]);
        self.written += taken as u64;
        Ok(taken)
    }

    fn declared(&self) -> Option<u64> {
        (self.declared != UNDECLARED).then_some(self.declared)
    }

    /// Bytes that were accepted and not sent.
    fn held(&self) -> usize {
        self.pending.len() + self.lent as usize
    }

    fn room(&self) -> usize {
        (self.limit as usize).saturating_sub(self.held())
    }

    /// Whether it is worth writing: half of the room is free.
    pub(crate) fn is_writable(&self) -> bool {
        self.held() <= self.limit as usize / 2
    }

    /// The application is done. Fails if the response is not what its head promised.
    pub(crate) fn end(&mut self) -> Result<()> {
        if !self.is_started() {
            return Err(Error::new(
                Status::State,
                "the application was done without starting a response: call \
                 awsgi_exchange_start first, or return a negative status",
            ));
        }
        if let Some(declared) = self.declared() {
            if !self.bodiless && self.written < declared {
                return Err(Error::new(
                    Status::State,
                    format!(
                        "the response ended after {} of {declared} bytes that its Content-Length \
                         declares",
                        self.written
                    ),
                ));
            }
        }
        self.ended = true;
        Ok(())
    }

    /// Puts another response in the place of one that the host has not seen.
    pub(crate) fn replace(&mut self, status: u16, text: &str) {
        debug_assert!(!self.has_begun());
        self.bodiless = self.head_request;
        // The host is told of the head and the body at once.
        self.awaited = false;
        self.pending.clear();
        self.declared = text.len() as u64;
        self.written = text.len() as u64;
        if !self.bodiless {
            self.pending.extend_from_slice(text.as_bytes());
        }
        self.ended = true;
        self.status = status;
        self.fields = kept(&[(b"content-type", b"text/plain; charset=utf-8")]);
    }

    /// Drops what was not taken; nothing more comes.
    pub(crate) fn discard(&mut self) {
        self.pending = Vec::new();
        self.broken |= !self.ended;
        self.ended = true;
    }

    /// The application is gone: what it did not complete stays incomplete.
    pub(crate) fn discard_unfinished(&mut self) {
        if !self.ended {
            self.discard();
        }
    }

    /// Whether it ended before it was complete: the host must not let it look complete.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// The head, once. The length is known if it was declared, or if the response is complete.
    pub(crate) fn head(&mut self) -> Result<Head> {
        if self.begun {
            return Err(Error::new(Status::State, "the head was taken: it is given once"));
        }
        if !self.is_started() {
            static NOT_KNOWN: Fixed =
                Fixed::new(Status::Again, "the head is not known yet: HEAD will tell");
            return Err(NOT_KNOWN.error());
        }
        self.begun = true;
        Ok(Head {
            status: self.status,
            length: match self.status {
                204 => None,
                304 => self.declared(),
                // Who writes nothing because nothing would be sent has not said how much there is.
                _ if self.head_request && self.written == 0 => self.declared(),
                _ => self.declared().or(self.ended.then_some(self.written)),
            },
            bodiless: self.bodiless,
            fields: Bytes::from(std::mem::take(&mut self.fields)),
        })
    }

    /// What there is to send.
    pub(crate) fn take(&mut self) -> Taken {
        if !self.pending.is_empty() {
            let bytes = Bytes::from(std::mem::take(&mut self.pending));
            self.lent += bytes.len() as u32;
            return Taken::Data(bytes);
        }
        // What was broken off has no end: a host must not make it look complete.
        if self.ended && !self.broken {
            return Taken::End;
        }
        self.awaited = true;
        Taken::Nothing
    }

    /// The host has sent `len` bytes of what it took.
    pub(crate) fn sent(&mut self, len: usize) -> Result<()> {
        if len > self.lent as usize {
            return Err(Error::new(
                Status::Invalid,
                format!("{len} bytes cannot have been sent: {} were taken", self.lent),
            ));
        }
        self.lent -= len as u32;
        Ok(())
    }

    /// Whether the host is to be told of output; it is told once after it found none.
    pub(crate) fn body_due(&mut self) -> bool {
        self.awaited && !self.pending.is_empty() && std::mem::take(&mut self.awaited)
    }
}

fn check_header(name: &[u8], value: &[u8]) -> Result<()> {
    let shown = || String::from_utf8_lossy(name).into_owned();
    if !is_token(name) {
        return Err(Error::new(
            Status::Invalid,
            format!("{:?} is not the name of a header: use letters, digits and hyphens", shown()),
        ));
    }
    if !is_field_value(value) {
        return Err(Error::new(
            Status::Invalid,
            format!("the value of {} holds CR, LF, NUL or the like: remove them", shown()),
        ));
    }
    if HOSTS_OWN
        .iter()
        .any(|own| own.len() == name.len() && own.as_bytes().eq_ignore_ascii_case(name))
    {
        return Err(Error::new(
            Status::Invalid,
            format!("{} is the host's to set: leave it out", shown()),
        ));
    }
    Ok(())
}

fn content_length(value: &[u8], before: Option<u64>) -> Result<u64> {
    let length = std::str::from_utf8(value)
        .ok()
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| {
            Error::new(Status::Invalid, "Content-Length is not a number: give the decimal length")
        })?;
    if before.is_some_and(|before| before != length) {
        return Err(Error::new(
            Status::Invalid,
            "Content-Length is given twice, differently: give it once",
        ));
    }
    Ok(length)
}

/// The fields as a head keeps them; Content-Length travels as `Head::length`.
fn kept(headers: &[(&[u8], &[u8])]) -> Box<[u8]> {
    let size = |(name, value): &(&[u8], &[u8])| {
        if is_content_length(name) { 0 } else { 8 + name.len() + value.len() }
    };
    // Exact, so that nothing is moved to fit.
    let mut fields = Vec::with_capacity(headers.iter().map(size).sum());
    for (name, value) in headers {
        if is_content_length(name) {
            continue;
        }
        fields.extend_from_slice(&(name.len() as u32).to_le_bytes());
        fields.extend_from_slice(&(value.len() as u32).to_le_bytes());
        fields.extend_from_slice(name);
        fields.extend_from_slice(value);
    }
    fields.into_boxed_slice()
}

fn is_content_length(name: &[u8]) -> bool {
    name.len() == 14 && name.eq_ignore_ascii_case(b"content-length")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(headers: &[(&[u8], &[u8])]) -> Output {
        let mut output = Output::new(8, false);
        output.start(200, headers).unwrap();
        output
    }

    #[test]
    fn a_complete_response_has_a_known_length() {
        let mut output = started(&[(b"X-A", b"1")]);
        assert_eq!(output.write(b"hello").unwrap(), 5);
        output.end().unwrap();
        let head = output.head().unwrap();
        assert_eq!((head.status, head.length), (200, Some(5)));
        assert!(head.headers().eq([(&b"X-A"[..], &b"1"[..])]));
        assert!(head.shared_headers().eq([(&b"X-A"[..], Bytes::from("1"))]));
        assert_eq!(output.take(), Taken::Data(Bytes::from("hello")));
        assert_eq!(output.take(), Taken::End);
    }

    #[test]
    fn what_was_not_written_to_head_has_no_known_length() {
        let length = |written: &[u8], headers: &[(&[u8], &[u8])]| {
            let mut output = Output::new(8, true);
            output.start(200, headers).unwrap();
            output.write(written).unwrap();
            output.end().unwrap();
            output.head().unwrap().length
        };
        assert_eq!(length(b"", &[]), None);
        assert_eq!(length(b"hello", &[]), Some(5));
        assert_eq!(length(b"", &[(b"Content-Length", b"7")]), Some(7));
    }

    #[test]
    fn output_stops_at_the_high_water_mark_until_it_was_sent() {
        let mut output = started(&[]);
        assert_eq!(output.write(b"0123456789").unwrap(), 8);
        assert_eq!(output.write(b"89").unwrap(), 0);
        assert!(!output.is_writable());
        assert_eq!(output.take(), Taken::Data(Bytes::from("01234567")));
        assert_eq!(output.write(b"89").unwrap(), 0);
        output.sent(8).unwrap();
        assert!(output.is_writable());
        assert_eq!(output.write(b"89").unwrap(), 2);
        assert_eq!(output.sent(9).unwrap_err().status(), Status::Invalid);
    }

    #[test]
    fn the_host_is_told_once_that_output_appeared() {
        let mut output = started(&[]);
        output.write(b"a").unwrap();
        assert!(!output.body_due());
        output.take();
        assert_eq!(output.take(), Taken::Nothing);
        assert!(!output.body_due());
        output.write(b"b").unwrap();
        assert!(output.body_due());
        assert!(!output.body_due());
    }

    #[test]
    fn a_declared_length_is_kept() {
        let mut output = started(&[(b"Content-Length", b"3")]);
        assert_eq!(output.write(b"abcd").unwrap_err().status(), Status::Invalid);
        assert_eq!(output.write(b"ab").unwrap(), 2);
        assert_eq!(output.end().unwrap_err().status(), Status::State);
        output.write(b"c").unwrap();
        output.end().unwrap();
        let head = output.head().unwrap();
        assert_eq!((head.length, head.headers().count()), (Some(3), 0));
    }

    #[test]
    fn nothing_is_sent_where_no_body_may_be() {
        let mut output = Output::new(8, true);
        output.start(200, &[(b"Content-Length", b"100")]).unwrap();
        output.end().unwrap();
        let head = output.head().unwrap();
        assert_eq!((head.length, head.bodiless), (Some(100), true));
        let mut output = started(&[]);
        assert_eq!(output.start(204, &[]).unwrap_err().status(), Status::State);
        let mut output = Output::new(8, false);
        output.start(204, &[]).unwrap();
        assert_eq!(output.write(b"more than eight").unwrap(), 15);
        output.end().unwrap();
        assert_eq!(output.take(), Taken::End);
        let head = output.head().unwrap();
        assert_eq!((head.length, head.bodiless), (None, true));
    }

    #[test]
    fn heads_that_would_break_the_wire_are_refused() {
        for (name, value) in [
            (&b"X"[..], &b"a\r\nSet-Cookie: b"[..]),
            (b"X", b"a\nb"),
            (b"X", b"a\0b"),
            (b"X", b"a\x1bb"),
            (b"X", b"a\x7f"),
            (b"X\r\nY", b"a"),
            (b"X Y", b"a"),
            (b"", b"a"),
            (b"Connection", b"close"),
            (b"transfer-encoding", b"chunked"),
            (b"Content-Length", b"1x"),
        ] {
            let mut output = Output::new(8, false);
            assert_eq!(output.start(200, &[(name, value)]).unwrap_err().status(), Status::Invalid);
            assert!(!output.is_started());
        }
        for status in [0, 100, 199, 600, -1, 65736] {
            assert!(Output::new(8, false).start(status, &[]).is_err());
        }
    }
}
