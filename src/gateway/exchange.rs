//! One request with its response: the handle that host and application hold.

use std::cell::RefCell;
use std::sync::Arc;

use bytes::{Buf, BufMut};

use super::flow::{Reply, Shared, Work};
use super::input::Read;
use super::output::{Head, Taken};
use crate::core::{Completion, Readiness, Token, WaitSpec};
use crate::error::{Error, Fixed, Result, Status};
use crate::reactor::{Reactor, ReactorCell, State};

thread_local! {
    /// The exchange for which this pool thread runs.
    static RUNNING: RefCell<Option<(Exchange, Arc<Shared>)>> = const { RefCell::new(None) };
}

/// Names one exchange. A copy that outlived it answers `Stale`.
///
/// The methods of the application's half may be called where the exchange runs: on the owner's
/// thread, or on the pool thread that runs it. Those of the host's half belong to the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Exchange(Token);

/// Where a call of the application's half is made.
enum Place {
    Owner(&'static ReactorCell),
    Pool(&'static ReactorCell, Arc<Shared>),
}

/// Runs `f` as the pool thread of an exchange.
pub(crate) fn on_pool_thread<R>(
    exchange: Exchange,
    shared: &Arc<Shared>,
    f: impl FnOnce() -> R,
) -> R {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            RUNNING.with(|running| running.borrow_mut().take());
        }
    }
    RUNNING.with(|running| *running.borrow_mut() = Some((exchange, Arc::clone(shared))));
    let _leave = Leave;
    f()
}

/// Has the owner do `work` if the calling thread runs an exchange of that reactor's.
pub(crate) fn through_owner(cell: &'static ReactorCell, work: Work) -> Option<Result<u64>> {
    let (exchange, shared) = RUNNING.with(|running| running.borrow().clone())?;
    if exchange.0.reactor() != cell.number() {
        return None;
    }
    let reply = shared.call(super::flow::Call::Do(work), || cell.poke(exchange.0));
    Some(reply.map(|reply| match reply {
        Reply::Value(value) => value,
        Reply::Completed(_) => unreachable!("work is answered with a value"),
    }))
}

// Answered to every read that comes too early.
static NOTHING_THERE: Fixed =
    Fixed::new(Status::Again, "no body bytes are there: wait for READABLE on the exchange");

/// Whether the calling thread runs an exchange of the reactor with this number.
pub(crate) fn runs_here(number: u16) -> bool {
    RUNNING.with(|running| {
        running.borrow().as_ref().is_some_and(|(exchange, _)| exchange.0.reactor() == number)
    })
}

impl Exchange {
    /// The exchange with this token, which is checked where it is used.
    pub const fn from_token(token: Token) -> Exchange {
        Exchange(token)
    }

    /// Its token, as completions carry it.
    pub const fn token(self) -> Token {
        self.0
    }

    fn place(self) -> Result<Place> {
        let cell = ReactorCell::of(self.0)?;
        if cell.is_owner() {
            return Ok(Place::Owner(cell));
        }
        let shared = RUNNING.with(|running| {
            let running = running.borrow();
            running.as_ref().filter(|(other, _)| *other == self).map(|(_, shared)| shared.clone())
        });
        match shared {
            Some(shared) => {
                // The owner is not in the child of a pool thread, and would never answer.
                cell.check_not_forked()?;
                Ok(Place::Pool(cell, shared))
            }
            None => {
                cell.check(self.0)?;
                Err(Error::new(
                    Status::Thread,
                    "an exchange may be used on its reactor's thread, or on the pool thread that \
                     runs it: make the call there",
                ))
            }
        }
    }

    fn owner<R>(self, f: impl FnOnce(&mut State, u32) -> Result<R>) -> Result<R> {
        let cell = ReactorCell::of(self.0)?;
        if !cell.is_owner() {
            // Stale before wrong thread, as everywhere.
            cell.check(self.0)?;
        }
        cell.with(|state| {
            let key = state.exchange_key(self.0)?;
            f(state, key)
        })?
    }

    // ---- the application's half -------------------------------------------------------------

    /// The reactor that runs it.
    ///
    /// # Errors
    ///
    /// `Stale` after its end.
    pub fn reactor(self) -> Result<Reactor> {
        match self.place()? {
            Place::Owner(cell) => self.owner(|_, _| Ok(Reactor::from_cell(cell))),
            Place::Pool(cell, _) => Ok(Reactor::from_cell(cell)),
        }
    }

    /// Starts a wait that resumes the exchange. Steps only.
    ///
    /// # Errors
    ///
    /// Those of [`Reactor::wait_start`]; `State` in a blocking application; `Limit` beyond
    /// `max_waits_per_exchange`.
    pub fn wait(self, spec: &WaitSpec<'_>) -> Result<Token> {
        match self.place()? {
            Place::Owner(_) => self.owner(|state, key| state.start_exchange_wait(key, spec)),
            Place::Pool(..) => Err(Error::new(
                Status::State,
                "a blocking application waits in place: call awsgi_exchange_await",
            )),
        }
    }

    /// Waits in place, and returns when the wait completed. Blocking applications only.
    ///
    /// # Errors
    ///
    /// Those of [`Reactor::wait_start`]; `State` in a step; `Closed` once the client is gone.
    pub fn wait_in_place(self, spec: &WaitSpec<'_>) -> Result<Completion> {
        match self.place()? {
            Place::Owner(cell) => {
                cell.check(self.0)?;
                Err(Error::new(
                    Status::State,
                    "a step cannot wait in place: call awsgi_exchange_wait and return \
                     AWSGI_SUSPEND",
                ))
            }
            Place::Pool(cell, shared) => shared.await_in_place(spec, || cell.poke(self.0)),
        }
    }

    /// Runs `f` with a variable of the environ; `None` if it has none of that name.
    ///
    /// # Errors
    ///
    /// `Stale` after the exchange's end.
    pub fn environ<R>(self, key: &[u8], f: impl FnOnce(Option<&[u8]>) -> R) -> Result<R> {
        match self.place()? {
            Place::Owner(_) => self.owner(|state, at| Ok(f(state.shared(at).environ.get(key)))),
            Place::Pool(_, shared) => Ok(f(shared.environ.get(key))),
        }
    }

    /// Runs `f` with the variable at a cursor, 0 for the first, and answers the next cursor;
    /// `None` at the end.
    ///
    /// # Errors
    ///
    /// `Stale` after the exchange's end.
    pub fn environ_each(
        self,
        cursor: usize,
        f: impl FnOnce(&[u8], &[u8]),
    ) -> Result<Option<usize>> {
        let visit = |shared: &Shared| {
            shared.environ.each(cursor).map(|(key, value, next)| {
                f(key, value);
                next
            })
        };
        match self.place()? {
            Place::Owner(_) => self.owner(|state, at| Ok(visit(state.shared(at)))),
            Place::Pool(_, shared) => Ok(visit(&shared)),
        }
    }

    /// The exchange as a waitable: READABLE when body bytes or the end of the body can be read,
    /// WRITABLE when there is room in the response, HANGUP when the client is gone, PRIORITY when
    /// the gateway drains. The same token each time; it ends with the exchange.
    ///
    /// # Errors
    ///
    /// `Limit` beyond the reactor's `max_waitables`.
    pub fn waitable(self) -> Result<Token> {
        match self.place()? {
            Place::Owner(_) => self.owner(|state, key| state.exchange_waitable(key)),
            Place::Pool(cell, _) => {
                let work: Work = Box::new(move |state, _| {
                    let key = state.exchange_key(self.0)?;
                    state.exchange_waitable(key).map(Token::to_bits)
                });
                through_owner(cell, work)
                    .unwrap_or_else(|| Err(crate::core::slots::stale()))
                    .map(Token::from_bits)
            }
        }
    }

    /// Reads from the request body; 0 at its end. A blocking application waits for a byte.
    ///
    /// # Errors
    ///
    /// `Again` in a step when nothing is there; `Closed` once the client is gone.
    pub fn read(self, mut buffer: &mut [u8]) -> Result<usize> {
        self.read_into(&mut buffer)
    }

    /// The same for memory that need not be initialized.
    pub(crate) fn read_into(self, buffer: &mut impl BufMut) -> Result<usize> {
        match self.place()? {
            Place::Owner(_) => self.owner(|state, key| {
                let read = state.act(key, |flow| flow.read(buffer))?;
                match read {
                    Read::Bytes(n) => Ok(n),
                    Read::End => Ok(0),
                    Read::Nothing => Err(NOTHING_THERE.error()),
                }
            }),
            Place::Pool(cell, shared) => shared.read_in_place(buffer, || cell.poke(self.0)),
        }
    }

    /// Gives the head of the response, once.
    ///
    /// # Errors
    ///
    /// `Invalid` for a status, name or value that cannot be sent; `State` if it was given before;
    /// `Closed` once the client is gone.
    pub fn start(self, status: i32, headers: &[(&[u8], &[u8])]) -> Result<()> {
        match self.place()? {
            Place::Owner(_) => {
                self.owner(|state, key| state.act(key, |flow| flow.start(status, headers)))
            }
            // Told with the first output, so that a failure before it can still be a 500.
            Place::Pool(_, shared) => shared.lock().start(status, headers),
        }
    }

    /// Gives bytes of the response; answers how many were taken. A step's are taken up to the
    /// high-water mark, a blocking application's all, in time.
    ///
    /// # Errors
    ///
    /// `State` before the head; `Invalid` beyond a declared Content-Length; `Closed` once the
    /// client is gone.
    pub fn write(self, bytes: &[u8]) -> Result<usize> {
        match self.place()? {
            Place::Owner(_) => self.owner(|state, key| state.act(key, |flow| flow.write(bytes))),
            Place::Pool(cell, shared) => {
                shared.write_in_place(bytes, || cell.poke(self.0)).map(|()| bytes.len())
            }
        }
    }

    // ---- the host's half --------------------------------------------------------------------

    fn host<R>(self, f: impl FnOnce(&mut State, u32) -> Result<R>) -> Result<R> {
        self.owner(|state, key| {
            state.check_host(key)?;
            f(state, key)
        })
    }

    /// Runs `f` with what the host has borrowed until it ends the exchange.
    #[cfg(feature = "ffi")]
    pub(crate) fn lent<T: Default + Send + 'static, R>(
        self,
        f: impl FnOnce(&mut T) -> R,
    ) -> Result<R> {
        self.host(|state, key| Ok(f(state.lent(key))))
    }

    /// Feeds body bytes: takes from the front of `bytes` what there is room for, and answers how
    /// much. `end` counts if that was all. After a feed that took less, one ROOM follows.
    ///
    /// Feeding nothing, without `end`, asks: ROOM follows when the application first wants input,
    /// which is when `Expect: 100-continue` is to be answered.
    ///
    /// # Errors
    ///
    /// `Closed` if the application reads no more: the rest is of no use. `State` for bytes after
    /// the end, or of a request without body.
    pub fn feed(self, bytes: &mut impl Buf, end: bool) -> Result<usize> {
        self.host(|state, key| state.feed(key, bytes, end))
    }

    /// The client left.
    ///
    /// # Errors
    ///
    /// `Stale` after [`end`](Exchange::end).
    pub fn gone(self) -> Result<()> {
        self.host(|state, key| {
            state.client_gone(key);
            Ok(())
        })
    }

    /// Ends the application early, with this status if the host has no head yet.
    ///
    /// # Errors
    ///
    /// `Stale` after [`end`](Exchange::end).
    pub fn fail(self, status: u16) -> Result<()> {
        self.host(|state, key| {
            state.cut(key, status);
            Ok(())
        })
    }

    /// The head of the response, once.
    ///
    /// # Errors
    ///
    /// `Again` until it is known; `State` if it was taken.
    pub fn head(self) -> Result<Head> {
        self.host(|state, key| state.shared(key).lock().output.head())
    }

    /// The next bytes of the response.
    ///
    /// # Errors
    ///
    /// `Stale` after [`end`](Exchange::end).
    pub fn take(self) -> Result<Taken> {
        self.host(|state, key| Ok(state.shared(key).lock().output.take()))
    }

    /// Whether everything of the response was taken.
    ///
    /// # Errors
    ///
    /// `Stale` after [`end`](Exchange::end).
    pub fn is_complete(self) -> Result<bool> {
        self.host(|state, key| Ok(state.shared(key).lock().output.is_drained()))
    }

    /// `len` bytes of what was taken are sent: the application has room for as many.
    ///
    /// # Errors
    ///
    /// `Invalid` if fewer were taken.
    pub fn sent(self, len: usize) -> Result<()> {
        self.host(|state, key| state.sent(key, len))
    }

    /// The host lets go. What is unfinished ends; the application's `close` runs by the next turn.
    ///
    /// # Errors
    ///
    /// `Stale` if it did before.
    pub fn end(self) -> Result<()> {
        self.host(|state, key| {
            state.host_ends(key);
            Ok(())
        })
    }
}

/// The bit with which a pool thread tells the owner to look at its exchange.
pub(crate) const POKE: Readiness = Readiness::READABLE;
