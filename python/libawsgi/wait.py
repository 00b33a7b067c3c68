"""Waits: a question that was asked, and is answered by completions."""

import math

from . import _native as native
from ._native import check, ffi, lib, structure
from .readiness import READABLE
from .waitable import Waitable


class Wait:
    """A wait that was started. All of it belongs to the reactor's thread."""

    __slots__ = ("_reactor", "_key", "_token", "_set", "_deliver", "_ended", "_forgotten")

    def __init__(self, reactor, key, waitables, deliver):
        self._reactor = reactor
        self._key = key
        self._token = 0
        self._set = waitables
        self._deliver = deliver
        self._ended = False
        self._forgotten = False

    @property
    def ended(self):
        """Whether nothing more comes of it."""
        return self._ended

    def cancel(self):
        """Asks it to end. It still completes, with what happened first. StaleError once that was told."""
        check(lib.awsgi_wait_cancel(self._token))

    def forget(self):
        """Removes it: nothing more comes of it, nor what is queued. StaleError once it has completed."""
        check(lib.awsgi_wait_forget(self._token))
        self._ended = self._forgotten = True
        self._reactor._waits.pop(self._key, None)

    def _tell(self, result):
        # What the same turn has returned may have been forgotten by what was told before.
        if not self._forgotten:
            self._deliver(result)

    def rearm(self):
        """Has a multishot wait look again, if its waitable was not drained."""
        check(lib.awsgi_wait_rearm(self._token))

    def __repr__(self):
        return "<libawsgi.Wait %#x%s>" % (self._token, " ended" if self._ended else "")


class Watch:
    """A multishot wait, for `async for`: a result each time that its waitable becomes ready.

    After each, drain the waitable, or call `rearm`. Results that nobody has looked at yet are merged. Leave the loop when
    you like, and call `close`; `with` does. When the wait ends, so does the loop, and `result` says why.
    """

    def __init__(self, reactor, waitable, interest, timeout, deadline):
        self._loop = reactor._loop
        self._pending = None
        self._waiter = None
        self._over = False
        self.result = None
        self._wait = reactor.start(
            [(waitable, interest)], self._take, timeout=timeout, deadline=deadline, multishot=True
        )

    def _take(self, result):
        if not result.more:
            self.result = result
            self._over = True
        elif self._pending is None:
            self._pending = result
        else:
            (old,), (new,) = self._pending.members, result.members
            self._pending = result._replace(members=(new._replace(ready=old.ready | new.ready),))
        self._wake()

    def __aiter__(self):
        return self

    async def __anext__(self):
        if self._waiter is not None:
            raise RuntimeError("another task iterates over this watch")
        while self._pending is None:
            if self._over:
                raise StopAsyncIteration
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        result, self._pending = self._pending, None
        return result

    def rearm(self):
        """Has it report again if the waitable is still ready."""
        self._wait.rearm()

    def close(self):
        """Ends it: nothing more comes."""
        if not self._wait.ended:
            self._wait.forget()
        self._pending = None
        self._over = True
        self._wake()

    def _wake(self):
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.close()


def specify(key, members, at_least, multishot, off_loop, deadline):
    """A wait as the library wants it: the structure, what it points to, and the waitables in their order."""
    pairs = [(member, READABLE) if isinstance(member, Waitable) else member for member in members]
    watches = ffi.new(native.WATCHES, len(pairs))
    for watch, (waitable, interest) in zip(watches, pairs):
        watch.waitable = waitable._token
        watch.interest = interest
    spec = structure(native.WAIT_SPEC)
    spec.set = watches
    spec.count = len(pairs)
    spec.at_least = at_least
    spec.flags = (lib.AWSGI_MULTISHOT if multishot else 0) | (lib.AWSGI_OFF_LOOP if off_loop else 0)
    spec.deadline = deadline
    spec.user_data = key
    return spec, watches, tuple(waitable for waitable, _ in pairs)


def nanoseconds(seconds):
    """Rounded up, so that no deadline is early; AWSGI_FOREVER for what is too far away to be told from never."""
    if seconds >= 1e9 * 9:
        return lib.AWSGI_FOREVER
    return max(0, math.ceil(seconds * 1e9))

