"""The body of a request: read before the application is called, or while it runs."""

import io
import tempfile

from ..errors import StateError
from .calls import ROOM, ClientGone


def read_body(exchange):
    """Reads the body of an exchange into its input: memory, and beyond a size a temporary file. False if there is more
    to come."""
    calls, stream = exchange.calls, exchange.input
    if stream is None:
        stream = exchange.input = io.BytesIO()
    # On a pool thread a read waits, where a step is refused: so it is asked first. Most requests have no body.
    ask = not exchange.worker.suspending and calls.has_body(exchange.token)
    while True:
        if ask and not exchange.is_readable():
            return False
        status = calls.lib.awsgi_exchange_read(exchange.token, calls.buffer, ROOM, calls.count)
        if status:
            if status == calls.again:
                return False
            calls.check(status)
        count = calls.count[0]
        if not count:
            stream.seek(0)
            return True
        size = stream.tell()
        if size <= exchange.worker.memory < size + count:
            file = tempfile.TemporaryFile()
            file.write(stream.getvalue())
            stream = exchange.input = file
        stream.write(calls.ffi.buffer(calls.buffer, count))


class Stream:
    """`wsgi.input` of an application that reads the body while it runs.

    In a suspending application nothing is waited for: what needs more than is there raises BlockingIOError, and leaves
    what is there in its place. Wait for the input, and read again.
    """

    __slots__ = ("_exchange", "_buffer", "_at", "_ended")

    def __init__(self, exchange):
        self._exchange = exchange
        self._buffer = bytearray()      # read, and not given yet: from _at on
        self._at = 0
        self._ended = False

    def read(self, size=-1):
        """`size` bytes, or all that is left."""
        if size is None or size < 0:
            while self._more():
                pass
            return self._take(len(self._buffer))
        while len(self._buffer) - self._at < size and self._more():
            pass
        return self._take(self._at + size)

    def readline(self, size=-1):
        """A line with its end, or `size` bytes of it."""
        searched = self._at
        while True:
            end = self._buffer.find(b"\n", searched) + 1
            if size is not None and size >= 0 and (end or len(self._buffer)) - self._at >= size:
                return self._take(self._at + size)
            if end:
                return self._take(end)
            searched = len(self._buffer) - self._at
            if not self._more():
                return self._take(len(self._buffer))

    def readlines(self, hint=-1):
        """The lines that are left; those that begin within `hint` bytes."""
        lines, size = [], 0
        while hint is None or hint <= 0 or size < hint:
            line = self.readline()
            if not line:
                break
            lines.append(line)
            size += len(line)
        return lines

    def __iter__(self):
        return self

    def __next__(self):
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def recv(self, size):
        """What is there, at most `size` bytes; b'' at the end."""
        if self._at == len(self._buffer) and size:
            exchange = self._exchange
            # On a pool thread the read would wait, where a step is refused: so it is asked first.
            if not self._ended and not exchange.worker.suspending and not exchange.is_readable():
                raise not_there()
            self._more()
        return self._take(self._at + size)

    def _take(self, end):
        taken = bytes(self._buffer[self._at : end])
        self._at += len(taken)
        return taken

    def _more(self):
        """Appends what there is; False at the end."""
        exchange = self._exchange
        exchange.may()
        if self._ended:
            return False
        calls = exchange.calls
        status = calls.lib.awsgi_exchange_read(exchange.token, calls.buffer, ROOM, calls.count)
        if status:
            if status == calls.again:
                raise not_there()
            calls.check(status)
        count = calls.count[0]
        # What was given is dropped here, so that a body of any length is read in little memory.
        del self._buffer[: self._at]
        self._at = 0
        self._buffer += calls.ffi.buffer(calls.buffer, count)
        self._ended = not count
        return not self._ended


def not_there():
    return BlockingIOError(
        "the rest of the body has not arrived: yield x-wsgiorg.async.readable(environ['x-wsgiorg.async.input']) first, "
        "or let the server read the body before it calls the application"
    )


class AsyncInput:
    """`x-wsgiorg.async.input`: `read` and `recv` give what is there, at most `size` bytes; b'' at the end, and when the
    client has left.

    It reads from `wsgi.input`, so middleware that puts another stream in the place of that is not bypassed. In a copied
    environ only the copy shows it: `environ['x-wsgiorg.async.input'](environ)` is this input for that environ.
    """

    __slots__ = ("_exchange", "_environ", "_at")

    def __init__(self, exchange, environ=None):
        self._exchange = exchange
        self._environ = environ     # None: the one that the server has made
        self._at = 0

    def __call__(self, environ):
        """The input for an environ that was copied."""
        return AsyncInput(self._exchange, environ)

    def read(self, size):
        exchange = self._exchange
        exchange.may()
        if not isinstance(size, int):
            raise TypeError("the size is a number, not %.100r" % (size,))
        if size < 0:
            raise ValueError("the size is not negative: %d; what is there comes, at most so much" % size)
        stream = (exchange.environ if self._environ is None else self._environ).get("wsgi.input")
        if stream is exchange.input:
            if exchange.worker.streaming:
                try:
                    return stream.recv(size)
                except ClientGone:
                    return b""
            if self._environ is not None:
                # The application's own environ says that this is its input.
                return stream.read(size)
            # Middleware may have read it, and given its own stream to a copy of the environ.
            if stream.tell() != self._at:
                raise StateError(
                    "wsgi.input was read by somebody else: middleware may have replaced it in a copy of the environ; "
                    "use environ['x-wsgiorg.async.input'](environ), or read wsgi.input"
                )
            taken = stream.read(size)
            self._at += len(taken)
            return taken
        if exchange.worker.streaming or not hasattr(stream, "read"):
            raise StateError(
                "middleware has replaced wsgi.input, which cannot be read without waiting: read environ['wsgi.input'], "
                "or let the server read the body before it calls the application"
            )
        return stream.read(size)

    recv = read
