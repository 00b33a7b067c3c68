//! A selector that answers what no kernel can be made to answer when a test wants it.

use std::sync::{Arc, Mutex, PoisonError};

use super::*;

/// What is asked of a selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Register,
    Reregister,
    Deregister,
    Wait,
}

/// The errno with which a call about a descriptor fails, if it does; `wait` is about -1.
#[derive(Clone)]
pub(crate) struct Rule(Arc<Mutex<Decide>>);

type Decide = Box<dyn FnMut(Call, RawFd) -> Option<i32> + Send>;

impl Rule {
    /// None: it behaves.
    pub(crate) fn none() -> Rule {
        Rule(Arc::new(Mutex::new(Box::new(|_, _| None))))
    }

    /// From now on.
    pub(crate) fn set(&self, rule: impl FnMut(Call, RawFd) -> Option<i32> + Send + 'static) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(rule);
    }

    fn check(&self, call: Call, fd: RawFd) -> io::Result<()> {
        match (self.0.lock().unwrap_or_else(PoisonError::into_inner))(call, fd) {
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
            None => Ok(()),
        }
    }
}

/// mio's, behind a rule.
pub(crate) struct Misbehaving {
    inner: MioSelector,
    rule: Rule,
    /// What it says that its descriptor is.
    fd: Option<RawFd>,
}

impl Misbehaving {
    pub(crate) fn new(rule: &Rule) -> Misbehaving {
        Misbehaving { inner: MioSelector::new().unwrap(), rule: rule.clone(), fd: None }
    }

    pub(crate) fn with_fd(self, fd: RawFd) -> Misbehaving {
        Misbehaving { fd: Some(fd), ..self }
    }
}

impl Selector for Misbehaving {
    fn register(&mut self, fd: RawFd, name: usize, interest: Readiness) -> io::Result<()> {
        self.rule.check(Call::Register, fd)?;
        self.inner.register(fd, name, interest)
    }

    fn reregister(&mut self, fd: RawFd, name: usize, interest: Readiness) -> io::Result<()> {
        self.rule.check(Call::Reregister, fd)?;
        self.inner.reregister(fd, name, interest)
    }

    fn deregister(&mut self, fd: RawFd) -> io::Result<()> {
        self.rule.check(Call::Deregister, fd)?;
        self.inner.deregister(fd)
    }

    fn wait(&mut self, timeout: Option<Duration>, events: &mut [Event]) -> io::Result<usize> {
        self.rule.check(Call::Wait, -1)?;
        self.inner.wait(timeout, events)
    }

    fn fd(&self) -> RawFd {
        self.fd.unwrap_or_else(|| self.inner.fd())
    }
}
