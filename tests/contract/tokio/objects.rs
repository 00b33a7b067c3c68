//! What commands make to be waited for, and the driver's part as the host of what only it can watch: a
//! queue of messages between two ends of this program.

use std::collections::HashMap;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;

use awsgi::{
    Deadline, Error, Reactor, Readiness, Result, Token, WatchChange, Watching, notify,
    waitable_close, waitable_take,
};
use socket2::{Domain, Socket, Type};
use tokio::net::unix::pipe;

use crate::words;

#[derive(Default)]
pub struct Objects {
    open: HashMap<String, Object>,
    /// The tokens of those that were closed.
    closed: HashMap<String, Token>,
    /// Those that the host watches, by their handles.
    queues: Vec<Queue>,
}

struct Object {
    waitable: Token,
    behind: Behind,
}

/// What stands behind a waitable.
enum Behind {
    /// An event, a counter or a timer.
    Nothing,
    Pipe {
        near: File,
        far: Option<File>,
    },
    Socket(TcpStream),
    /// By its handle.
    Queue(usize),
}

struct Queue {
    name: String,
    waitable: Token,
    how: Watching,
    messages: u64,
    hung_up: bool,
    closed: bool,
    /// What the reactor asked to watch it for.
    interest: Readiness,
}

fn refused(what: &str, error: &std::io::Error) -> Error {
    Error::os(what, error)
}

impl Objects {
    /// The token of one that is open.
    pub fn token(&self, name: &str) -> Option<Token> {
        Some(self.open.get(name)?.waitable)
    }

    /// The token of one that was closed.
    pub fn closed_token(&self, name: &str) -> Option<Token> {
        self.closed.get(name).copied()
    }

    fn keep(&mut self, name: &str, waitable: Token, behind: Behind) {
        self.open.insert(name.to_owned(), Object { waitable, behind });
    }

    pub fn event(&mut self, reactor: &Reactor, name: &str) -> Result<()> {
        self.keep(name, reactor.event()?, Behind::Nothing);
        Ok(())
    }

    pub fn counter(&mut self, reactor: &Reactor, name: &str) -> Result<()> {
        self.keep(name, reactor.counter()?, Behind::Nothing);
        Ok(())
    }

    pub fn timer(&mut self, reactor: &Reactor, name: &str, first: u64, period: u64) -> Result<()> {
        let first = Deadline::at(reactor.now()?.saturating_add(first));
        self.keep(name, reactor.timer(first, period)?, Behind::Nothing);
        Ok(())
    }

    pub fn pipe(&mut self, reactor: &Reactor, name: &str) -> Result<()> {
        let ends = || {
            let (far, near) = pipe::pipe()?;
            Ok((File::from(near.into_nonblocking_fd()?), File::from(far.into_nonblocking_fd()?)))
        };
        let (near, far) = ends().map_err(|error| refused("making a pipe", &error))?;
        let waitable = reactor.descriptor(near.as_raw_fd(), false)?;
        self.keep(name, waitable, Behind::Pipe { near, far: Some(far) });
        Ok(())
    }

    pub fn socket(&mut self, reactor: &Reactor, name: &str, port: u16) -> Result<()> {
        let connect = || {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            socket.set_nonblocking(true)?;
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            match socket.connect(&address.into()) {
                Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
                _ => Ok(TcpStream::from(socket)),
            }
        };
        let socket = connect().map_err(|error| refused("connecting", &error))?;
        let waitable = reactor.descriptor(socket.as_raw_fd(), false)?;
        self.keep(name, waitable, Behind::Socket(socket));
        Ok(())
    }

    pub fn foreign(&mut self, reactor: &Reactor, name: &str, how: Watching) -> Result<()> {
        let handle = self.queues.len();
        let waitable = reactor.foreign(handle as u64, how)?;
        self.queues.push(Queue {
            name: name.to_owned(),
            waitable,
            how,
            messages: 0,
            hung_up: false,
            closed: false,
            interest: Readiness::NONE,
        });
        self.keep(name, waitable, Behind::Queue(handle));
        Ok(())
    }

    /// Makes it readable, from its other side. None: it is not of a kind that has one.
    pub fn put(&mut self, name: &str) -> Option<Result<()>> {
        let wrote = match &mut self.open.get_mut(name)?.behind {
            Behind::Nothing => return None,
            Behind::Pipe { far, .. } => far.as_mut()?.write_all(b"x"),
            Behind::Socket(socket) => socket.write_all(b"x"),
            Behind::Queue(handle) => {
                let queue = &mut self.queues[*handle];
                if queue.hung_up {
                    return None;
                }
                queue.messages += 1;
                Ok(())
            }
        };
        Some(wrote.map_err(|error| refused("writing", &error)))
    }

    /// Reads all that is there.
    pub fn take(&mut self, name: &str) -> Option<Result<u64>> {
        let object = self.open.get_mut(name)?;
        Some(match &mut object.behind {
            Behind::Nothing => waitable_take(object.waitable),
            Behind::Pipe { near, .. } => read_all(near),
            Behind::Socket(socket) => read_all(socket),
            Behind::Queue(handle) => Ok(std::mem::take(&mut self.queues[*handle].messages)),
        })
    }

    /// Closes its other side.
    pub fn hang_up(&mut self, name: &str) -> Option<()> {
        match &mut self.open.get_mut(name)?.behind {
            Behind::Nothing | Behind::Socket(_) => return None,
            Behind::Pipe { far, .. } => drop(far.take()),
            Behind::Queue(handle) => self.queues[*handle].hung_up = true,
        }
        Some(())
    }

    /// Closes the waitable, then what is behind it.
    pub fn close(&mut self, name: &str) -> Option<Result<()>> {
        let object = self.open.remove(name)?;
        self.closed.insert(name.to_owned(), object.waitable);
        if let Behind::Queue(handle) = object.behind {
            self.queues[handle].closed = true;
        }
        Some(waitable_close(object.waitable))
    }

    /// Takes a watch change of the reactor's, and says so.
    pub fn apply(&mut self, change: &WatchChange) {
        let queue = usize::try_from(change.handle).ok().and_then(|at| self.queues.get_mut(at));
        let Some(queue) = queue else { return words::broken("a change for an unknown object") };
        let name = &queue.name;
        if change.waitable != queue.waitable || change.how != queue.how {
            words::broken(&format!("a change for {name} with another's token or kind"));
        }
        queue.interest = change.interest;
        if change.interest.is_empty() {
            words::say(&format!("stop {name}"));
            return;
        }
        if queue.closed {
            words::broken(&format!("a change for {name}, which is closed"));
        }
        words::say(&format!("watch {name} {}", words::of_bits(change.interest)));
    }

    /// Reports as a host does: what is watched and ready.
    pub fn report(&mut self) -> Result<()> {
        for queue in &mut self.queues {
            let seen = queue.ready();
            if seen.is_empty() {
                continue;
            }
            if queue.how == Watching::Once {
                // Until the next change.
                queue.interest = Readiness::NONE;
            }
            notify(queue.waitable, seen)?;
        }
        Ok(())
    }
}

impl Queue {
    /// What the host would see of it, as far as it was asked to look.
    fn ready(&self) -> Readiness {
        if self.closed || self.interest.is_empty() {
            return Readiness::NONE;
        }
        let mut asked = self.interest | Readiness::HANGUP;
        if asked.contains(Readiness::READABLE) {
            asked |= Readiness::READ_CLOSED;
        }
        let mut seen = Readiness::NONE;
        if self.messages > 0 {
            seen |= Readiness::READABLE;
        }
        if self.hung_up {
            seen |= Readiness::READ_CLOSED | Readiness::HANGUP;
        }
        seen & asked
    }
}

fn read_all(from: &mut impl Read) -> Result<u64> {
    let mut sum = 0;
    let mut bytes = [0; 4096];
    loop {
        match from.read(&mut bytes) {
            Ok(0) => return Ok(sum),
            Ok(count) => sum += count as u64,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(sum),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(refused("reading", &error)),
        }
    }
}
