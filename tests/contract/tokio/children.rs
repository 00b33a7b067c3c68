//! Children, which may not use their parent's reactor.

use std::panic::{AssertUnwindSafe, catch_unwind};

use awsgi::{
    Error, Reactor, Readiness, Result, Status, Token, Turn, WaitSpec, Watch, notify, wait_cancel,
    wait_forget, waitable_close, waitable_take,
};

const CALLS: [&str; 7] = ["now", "turn", "start", "notify", "cancel", "take", "close"];

/// Has a child try everything.
///
/// # Errors
///
/// `State`, with the call that was not refused there.
pub fn fork(reactor: &Reactor) -> Result<()> {
    // What the child tries to break is nobody else's.
    let event = reactor.event()?;
    let set = [Watch { waitable: event, interest: Readiness::READABLE }];
    let wait = reactor.wait_start(&WaitSpec::any(&set))?;
    let done = child(|| attempt(reactor, event, wait));
    wait_forget(wait)?;
    waitable_close(event)?;
    match done? {
        0 => Ok(()),
        number => {
            let call = CALLS.get(number as usize - 1).unwrap_or(&"something");
            let sentence = format!("a child's call was not answered with FORKED: {call}");
            Err(Error::new(Status::State, sentence))
        }
    }
}

/// The number, from 1, of the first call that is not answered with FORKED; 0 if all are.
fn attempt(reactor: &Reactor, event: Token, wait: Token) -> u8 {
    let set = [Watch { waitable: event, interest: Readiness::READABLE }];
    let forked = |error: Option<Error>| error.is_some_and(|it| it.status() == Status::Forked);
    let calls = [
        forked(reactor.now().err()),
        forked(reactor.turn(&Turn::default(), |_| ()).err()),
        forked(reactor.wait_start(&WaitSpec::any(&set)).err()),
        forked(notify(event, Readiness::READABLE).err()),
        forked(wait_cancel(wait).err()),
        forked(waitable_take(event).err()),
        forked(waitable_close(event).err()),
    ];
    calls.iter().position(|forked| !forked).map_or(0, |place| place as u8 + 1)
}

/// Runs this in a child, which ends with what it answers.
fn child(work: impl FnOnce() -> u8) -> Result<u8> {
    // SAFETY: other threads may hold the allocator's lock, which the C library gives to the child in
    // a good state; nothing else that they could hold is touched there. The child runs nothing of
    // what is registered for the end of the process.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // A panic does not go on into what is the parent's.
        let code = catch_unwind(AssertUnwindSafe(work)).unwrap_or(u8::MAX);
        // SAFETY: ends the process; nothing is asked of it.
        unsafe { libc::_exit(code.into()) };
    }
    if pid < 0 {
        return Err(Error::os("forking", &std::io::Error::last_os_error()));
    }
    let mut status = 0;
    // SAFETY: the child is ours and was not waited for, and `status` lives through the call.
    while unsafe { libc::waitpid(pid, &mut status, 0) } < 0 {
        let error = std::io::Error::last_os_error();
        if error.kind() != std::io::ErrorKind::Interrupted {
            return Err(Error::os("waiting for a child", &error));
        }
    }
    // One that was ended by a signal has done nothing right.
    Ok(if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) as u8 } else { u8::MAX })
}
