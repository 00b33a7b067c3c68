"""Waitables: anything that can become ready. A reactor makes them."""

from . import _native as native
from ._native import check, ffi, lib
from .readiness import READABLE, Readiness


class Waitable:
    """Something that can become ready. After `close`, or the end of its reactor, a call raises StaleError. One that is
    neither closed nor held by anybody is closed.

    Everything but `notify` belongs to the reactor's thread.
    """

    # `_behind` is kept as long as the waitable: an object that closes its descriptor when nobody holds it.
    __slots__ = ("_reactor", "_token", "_behind", "__weakref__")

    def __init__(self, reactor, token, behind=None):
        self._reactor = reactor
        self._token = token
        self._behind = behind

    def close(self):
        """Ends it. Waits on it complete as CLOSED. Again, or after its reactor's end, it does nothing."""
        self._end()
        self._behind = None

    def _end(self):
        status = lib.awsgi_waitable_close(self._token)
        if status != lib.AWSGI_E_STALE:
            check(status)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.close()

    def __del__(self):
        # Nobody can name it any more, so nobody waits for it. Objects may be collected on any thread.
        if lib.awsgi_waitable_close(self._token) == lib.AWSGI_E_THREAD:
            try:
                self._reactor._loop.call_soon_threadsafe(lib.awsgi_waitable_close, self._token)
            except RuntimeError:
                pass        # the loop was closed: it ends with its reactor

    def label(self, text):
        """Names it for people who look; see `describe`."""
        label = text.encode()
        check(lib.awsgi_waitable_label(self._token, label, len(label)))

    def describe(self):
        """What it is, its label, and what is waited for, for people who look. The text may change."""
        length = ffi.new(native.COUNT)
        check(lib.awsgi_waitable_describe(self._token, ffi.NULL, 0, length))
        text = ffi.new(native.TEXT, length[0] + 1)
        check(lib.awsgi_waitable_describe(self._token, text, length[0] + 1, ffi.NULL))
        return ffi.string(text).decode()

    def __repr__(self):
        return "<libawsgi.%s %#x>" % (type(self).__name__, self._token)


class Taken(Waitable):
    """What holds a value until it is taken."""

    __slots__ = ()

    def take(self):
        """What it holds, which is cleared: then it is not ready any more."""
        value = ffi.new(native.NUMBER)
        check(lib.awsgi_waitable_take(self._token, value))
        return value[0]


class Notified(Waitable):
    """What is ready when somebody says so."""

    __slots__ = ()

    def notify(self, ready=READABLE):
        """Says what happened. Any thread may; it takes no lock of the library."""
        check(lib.awsgi_notify(self._token, ready))


class Event(Taken, Notified):
    """A flag that any thread sets. `take` answers 1 if it was set since it was last taken, else 0."""

    __slots__ = ()


class Counter(Taken, Notified):
    """An event that counts how often it was notified."""

    __slots__ = ()


class Timer(Taken):
    """Ready from its first expiration on. `take` answers how often it has expired."""

    __slots__ = ()


class Descriptor(Waitable):
    """A descriptor, or a Python object that has one. Close it before what stands behind it."""

    __slots__ = ()


class Foreign(Notified):
    """What only this program can watch: the reactor asks for it, and `notify` reports."""

    __slots__ = ("_handle", "_interest", "_open")

    def __init__(self, reactor, token, watch, handle):
        super().__init__(reactor, token, watch)
        self._handle = handle
        self._interest = Readiness(0)
        self._open = True

    @property
    def interest(self):
        """What the reactor has asked to watch it for; nothing: it is not to be watched."""
        return self._interest

    def close(self):
        """Ends it. If it was watched, `watch` is called a last time, with nothing to watch for."""
        self._end()
        self._open = False
        if not self._interest:
            self._reactor._foreign.pop(self._handle, None)

    def _take_change(self, interest):
        self._interest = Readiness(interest)
        # The stop of one that was closed is the last that is heard of it.
        if not self._open and not interest:
            self._reactor._foreign.pop(self._handle, None)
