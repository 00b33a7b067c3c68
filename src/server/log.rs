//! The access log: one line for an exchange, when it has ended.
//!
//! The common log format, then the time from the head of the request to the end of the response
//! in microseconds:
//!
//! ```text
//! 127.0.0.1 - - [10/Oct/2000:20:55:36 +0000] "GET /hello HTTP/1.1" 200 12 348
//! ```
//!
//! 499 stands for the status of a response that had not begun when the client went away. A
//! request that could not be parsed is `"-"`.

use std::fmt::Write;
use std::time::Instant;

use super::calendar::Second;
use super::options::AccessLog;

/// An exchange that will be logged.
pub(super) struct Entry {
    started: Instant,
    line: String,
    status: u16,
    bytes: u64,
}

impl Entry {
    pub(super) fn new(remote: &str, method: &str, target: &[u8], protocol: &str) -> Entry {
        let remote = if remote.is_empty() { "-" } else { remote };
        let mut line = String::with_capacity(96 + target.len());
        // Writing to a String cannot fail.
        let _ = write!(line, "{remote} - - [{}] \"{method} ", Second::now().log());
        escape(&mut line, target);
        let _ = write!(line, " {protocol}\"");
        Entry { started: Instant::now(), line, status: 499, bytes: 0 }
    }

    pub(super) fn status(&mut self, status: u16) {
        self.status = status;
    }

    /// Counts bytes of the body of the response.
    pub(super) fn wrote(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    pub(super) fn finish(mut self, log: &AccessLog) {
        let micros = self.started.elapsed().as_micros();
        let _ = write!(self.line, " {} {} {micros}", self.status, self.bytes);
        log(&self.line);
    }
}

/// Logs a request that could not be parsed, or that never arrived in full.
pub(super) fn unparsed(log: &AccessLog, remote: &str, status: u16, bytes: usize) {
    let remote = if remote.is_empty() { "-" } else { remote };
    log(&format!("{remote} - - [{}] \"-\" {status} {bytes} 0", Second::now().log()));
}

/// Keeps a line a line, and its quotes apart, whatever the client sent.
fn escape(line: &mut String, bytes: &[u8]) {
    for &byte in bytes {
        match byte {
            b'"' | b'\\' | 0..=0x20 | 0x7f..=0xff => {
                let _ = write!(line, "\\x{byte:02x}");
            }
            _ => line.push(byte as char),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    fn logged(write: impl FnOnce(&AccessLog)) -> String {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let log: AccessLog = {
            let lines = Arc::clone(&lines);
            Arc::new(move |line| lines.lock().unwrap().push(line.to_string()))
        };
        write(&log);
        let lines = lines.lock().unwrap();
        assert_eq!(lines.len(), 1);
        lines[0].clone()
    }

    #[test]
    fn a_line_has_client_request_status_bytes_and_duration() {
        let line = logged(|log| {
            let mut entry = Entry::new("10.0.0.1", "GET", b"/a?b", "HTTP/1.1");
            entry.status(200);
            entry.wrote(7);
            entry.wrote(5);
            entry.finish(log);
        });
        assert!(line.starts_with("10.0.0.1 - - ["), "{line}");
        assert!(line.contains("] \"GET /a?b HTTP/1.1\" 200 12 "), "{line}");
    }

    #[test]
    fn a_client_cannot_forge_a_line() {
        let line = logged(|log| {
            Entry::new("", "GET", b"/\"\n\xff", "HTTP/1.1").finish(log);
        });
        assert!(line.starts_with("- - - ["), "{line}");
        assert!(line.contains("\"GET /\\x22\\x0a\\xff HTTP/1.1\" 499 0 "), "{line}");
    }
}
