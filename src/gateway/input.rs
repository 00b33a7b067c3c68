//! The request body between host and application: fed by the one, read in pieces by the other.

use std::collections::VecDeque;

use bytes::{Buf, BufMut, Bytes};

/// What a read came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    Bytes(usize),
    Nothing,
    End,
}

/// Bytes that arrived and were not read.
#[derive(Debug)]
pub(crate) struct Input {
    /// Made when something comes, for most requests have no body.
    #[expect(clippy::box_collection, reason = "a word in place of four in every exchange")]
    chunks: Option<Box<VecDeque<Bytes>>>,
    len: u32,
    limit: u32,
    ended: bool,
    /// The host holds bytes back for which there was no room.
    short: bool,
    /// The host holds everything back until the application wants it.
    asked: bool,
    /// The application found nothing, or waits for something.
    wanted: bool,
    /// The application got something since that was asked last.
    read: bool,
}

impl Input {
    /// Takes at most `limit` bytes in advance of the reads. Without a body it is at its end.
    pub(crate) fn new(limit: usize, body: bool) -> Input {
        Input {
            chunks: None,
            len: 0,
            limit: limit.clamp(1, u32::MAX as usize) as u32,
            ended: !body,
            short: false,
            asked: false,
            wanted: false,
            read: false,
        }
    }

    /// Takes from the front of `bytes` what there is room for. `end` counts if that was all.
    pub(crate) fn feed(&mut self, bytes: &mut impl Buf, end: bool) -> usize {
        if !bytes.has_remaining() && !end {
            self.asked = true;
            return 0;
        }
        let taken = bytes.remaining().min((self.limit - self.len) as usize);
        if taken > 0 {
            self.len += taken as u32;
            self.wanted = false;
            self.chunks.get_or_insert_default().push_back(bytes.copy_to_bytes(taken));
        }
        if !bytes.has_remaining() {
            self.ended |= end;
        } else {
            self.short = true;
        }
        taken
    }

    /// Moves bytes to the application.
    pub(crate) fn read(&mut self, buffer: &mut impl BufMut) -> Read {
        let mut read = 0;
        while buffer.has_remaining_mut() {
            let Some(chunks) = &mut self.chunks else { break };
            let Some(first) = chunks.front_mut() else { break };
            let n = first.len().min(buffer.remaining_mut());
            buffer.put_slice(&first[..n]);
            first.advance(n);
            read += n;
            if first.is_empty() {
                chunks.pop_front();
            }
        }
        self.len -= read as u32;
        self.read |= read > 0;
        if read > 0 || (!buffer.has_remaining_mut() && self.is_readable()) {
            Read::Bytes(read)
        } else if self.ended {
            Read::End
        } else {
            Read::Nothing
        }
    }

    /// Whether nothing more can come.
    pub(crate) fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether a read would answer at once.
    pub(crate) fn is_readable(&self) -> bool {
        self.len > 0 || self.ended
    }

    /// Whether the application got something since this was asked last.
    pub(crate) fn take_read(&mut self) -> bool {
        std::mem::take(&mut self.read)
    }

    /// Whether the host is to be told that there is room; it is told once. `wanted`: the
    /// application asks for input.
    pub(crate) fn room_due(&mut self, wanted: bool) -> bool {
        self.wanted |= wanted;
        let due = self.short && self.len <= self.limit / 2 || self.asked && self.wanted;
        if due {
            self.short = false;
            self.asked = false;
        }
        due
    }

    /// Drops what was not read: nobody will.
    pub(crate) fn discard(&mut self) {
        self.chunks = None;
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_as_they_went_in_and_then_the_end() {
        let mut input = Input::new(100, true);
        let mut buffer = [0; 4];
        assert_eq!(input.read(&mut &mut buffer[..]), Read::Nothing);
        assert_eq!(input.feed(&mut Bytes::from_static(b"abc"), false), 3);
        assert_eq!(input.feed(&mut Bytes::from_static(b"defg"), true), 4);
        assert_eq!(input.read(&mut &mut buffer[..]), Read::Bytes(4));
        assert_eq!(&buffer, b"abcd");
        assert_eq!(input.read(&mut &mut buffer[..]), Read::Bytes(3));
        assert_eq!(input.read(&mut &mut buffer[..]), Read::End);
    }

    #[test]
    fn what_there_is_no_room_for_stays_with_the_host_until_room_is_told() {
        let mut input = Input::new(4, true);
        let mut bytes = Bytes::from_static(b"abcdef");
        assert_eq!(input.feed(&mut bytes, true), 4);
        assert_eq!(&bytes[..], b"ef");
        assert!(!input.room_due(true));
        let mut buffer = [0; 2];
        input.read(&mut &mut buffer[..]);
        assert!(input.room_due(false));
        assert!(!input.room_due(false));
        assert_eq!(input.feed(&mut bytes, true), 2);
        let mut all = [0; 9];
        assert_eq!(input.read(&mut &mut all[..]), Read::Bytes(4));
        assert_eq!(&all[..4], b"cdef");
        assert_eq!(input.read(&mut &mut all[..]), Read::End);
    }

    #[test]
    fn a_host_that_asks_is_told_when_input_is_wanted() {
        let mut input = Input::new(4, true);
        assert_eq!(input.feed(&mut Bytes::new(), false), 0);
        assert!(!input.room_due(false));
        assert!(input.room_due(true));
        assert!(!input.room_due(true));
        // Still wanted: told at once.
        assert_eq!(input.feed(&mut Bytes::new(), false), 0);
        assert!(input.room_due(false));
        input.feed(&mut Bytes::from_static(b"a"), false);
        input.feed(&mut Bytes::new(), false);
        assert!(!input.room_due(false));
    }
}
