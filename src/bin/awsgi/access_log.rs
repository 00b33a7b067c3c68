//! Writes the access log from a thread of its own, so that a slow disk or a full pipe never holds
//! up a worker.

use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use awsgi::server::AccessLog;

/// Lines that may wait to be written; further ones are lost, and their number is told.
const WAITING: usize = 16384;

enum Message {
    Line(Box<str>),
    End,
}

/// The writing thread.
pub struct Writer {
    messages: SyncSender<Message>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Waits until everything that was logged is written.
    pub fn finish(self) {
        // It fails if the thread has ended, and then there is nothing to wait for. A panic of
        // the thread has been reported already.
        let _ = self.messages.send(Message::End);
        let _ = self.thread.join();
    }
}

/// A log on stdout.
pub fn start() -> io::Result<(AccessLog, Writer)> {
    start_on(io::stdout())
}

fn start_on(out: impl Write + Send + 'static) -> io::Result<(AccessLog, Writer)> {
    let (messages, lines) = sync_channel(WAITING);
    let lost = Arc::new(AtomicU64::new(0));
    let thread = {
        let lost = Arc::clone(&lost);
        let run = move || {
            if let Err(error) = write(&lines, &lost, out) {
                tracing::error!(%error, "the access log cannot be written: it ends here");
            }
        };
        std::thread::Builder::new().name("awsgi-log".into()).spawn(run)?
    };
    let writer = Writer { messages: messages.clone(), thread };
    let log: AccessLog = Arc::new(move |line| {
        if messages.try_send(Message::Line(line.into())).is_err() {
            lost.fetch_add(1, Ordering::Relaxed);
        }
    });
    Ok((log, writer))
}

/// Writes until the end, and flushes whenever nothing waits.
fn write(lines: &Receiver<Message>, lost: &AtomicU64, out: impl Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    while let Ok(first) = lines.recv() {
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Line(line) => writeln!(out, "{line}")?,
                Message::End => return out.flush(),
            }
            next = lines.try_recv().ok();
        }
        out.flush()?;
        let lost = lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(lost, "lines of the access log were lost: it is read too slowly");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn all_lines_are_written_in_order_before_it_ends() {
        let page = Page::default();
        let (log, writer) = start_on(page.clone()).unwrap();
        for index in 0..1000 {
            log(&format!("line {index}"));
        }
        writer.finish();
        let written = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        let expected: String = (0..1000).map(|index| format!("line {index}\n")).collect();
        assert_eq!(written, expected);
    }
}
