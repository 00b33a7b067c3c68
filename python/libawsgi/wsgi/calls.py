"""How the library is called: its functions, and memory for what they take and give."""

import math

from ..errors import ClosedError, raise_for

# How much of a request body is read at once: what the gateway holds of one.
ROOM = 65536

FOREVER = 2**64 - 1

# Variables of which a request with a body has one.
BODY = (b"CONTENT_LENGTH", b"HTTP_TRANSFER_ENCODING")


class ClientGone(ClosedError, ConnectionError):
    """The client has left: nothing can be read or sent any more. Let it pass: the exchange ends without a word."""


class Calls:
    """The library, for one thread at a time: what is here is overwritten by each call.

    `ffi` and `lib` are cffi's, of whichever module was compiled or opened for the library that runs.
    """

    __slots__ = (
        "ffi", "lib", "again", "closed", "buffer", "count", "cursor", "key", "value", "number", "completion",
        "spec", "watches", "fields", "body", "environ", "respond",
    )

    def __init__(self, ffi, lib):
        self.ffi, self.lib = ffi, lib
        self.again, self.closed = lib.AWSGI_E_AGAIN, lib.AWSGI_E_CLOSED
        self.buffer = ffi.new("uint8_t[]", ROOM)
        self.count = ffi.new("size_t *")
        self.cursor = ffi.new("size_t *")
        self.key = ffi.new("awsgi_slice *")
        self.value = ffi.new("awsgi_slice *")
        self.number = ffi.new("uint64_t *")
        self.completion = ffi.new("awsgi_completion *")
        self.spec = ffi.new("awsgi_wait_spec *")
        self.spec.size = ffi.sizeof("awsgi_wait_spec")
        self.watches = ffi.new("awsgi_watch[]", 4)
        self.fields = ffi.new("awsgi_header[]", 32)
        self.body = ffi.new("awsgi_slice[]", [(ffi.from_buffer(name), len(name)) for name in BODY])
        # Those of batch.py, if they were compiled.
        self.environ = getattr(lib, "libawsgi_environ", None)
        self.respond = getattr(lib, "libawsgi_respond", None)

    def check(self, status):
        """Raises what a status other than AWSGI_OK says, with the library's own sentence."""
        if not status:
            return
        ffi, lib = self.ffi, self.lib
        sentence, os_error = ffi.new("char[]", 1024), ffi.new("int32_t *")
        lib.awsgi_last_error(sentence, 1024, ffi.NULL, os_error)
        text = ffi.string(sentence).decode("utf-8", "replace")
        if status == self.closed:
            raise ClientGone(text)
        raise_for(status, ffi.string(lib.awsgi_status_name(status)).decode(), text, os_error[0])

    def make(self, function, *arguments):
        """The number, such as the token of a waitable, that a function of the library gives at its end."""
        self.check(function(*arguments, self.number))
        return self.number[0]

    def question(self, exchange, watches, at_least, timeout):
        """The structure for a wait: pairs of token and interest, and nanoseconds from now, or None."""
        count = len(watches)
        if count > len(self.watches):
            self.watches = self.ffi.new("awsgi_watch[]", count)
        for place, (token, interest) in zip(self.watches, watches):
            place.waitable = token
            place.interest = interest
        spec = self.spec
        spec.set, spec.count, spec.at_least = self.watches, count, at_least
        if not timeout:
            spec.deadline = 0 if timeout == 0 else FOREVER
        else:
            self.check(self.lib.awsgi_exchange_now(exchange, self.number))
            spec.deadline = min(self.number[0] + timeout, FOREVER)
        return spec

    def variables(self, exchange):
        """The names and values of the environ, by turns, and how long they are together."""
        ffi = self.ffi
        if self.environ is not None:
            buffer, length = self.buffer, self.environ(exchange, self.buffer, ROOM)
            if length > ROOM:
                buffer = ffi.new("uint8_t[]", length)
                length = self.environ(exchange, buffer, length)
            if length < 0:
                self.check(length)
            data = ffi.buffer(buffer, length)[:]
        else:
            parts = []
            cursor, key, value = self.cursor, self.key, self.value
            cursor[0] = 0
            while True:
                status = self.lib.awsgi_exchange_environ_each(exchange, cursor, key, value)
                if status:
                    break
                for part in (key, value):
                    parts.append(ffi.buffer(part.data, part.len)[:] if part.len else b"")
            if status != self.again:
                self.check(status)
            parts.append(b"")
            data = b"\0".join(parts)
        texts = data.decode("latin-1").split("\0")
        texts.pop()     # what follows the last NUL
        return texts, len(data)

    def has_body(self, exchange):
        """Whether a body comes with the request, which may be empty."""
        for name in self.body:
            self.check(self.lib.awsgi_exchange_environ(exchange, name, self.value))
            if self.value.len:
                return True
        return False

    def start(self, exchange, status, fields, block):
        """Gives the head of a response, with header fields as head.py makes them, and its first bytes. Answers how many
        of them were taken."""
        size = len(block)
        if self.respond is not None:
            # A name and a value end in NUL each, and hold none.
            flat = b"\0".join(fields) + b"\0"
            status = self.respond(exchange, status, flat, len(fields) // 2, block, size, self.count)
            if status:
                self.check(status)
            return self.count[0]
        count = len(fields) // 2
        if count > len(self.fields):
            self.fields = self.ffi.new("awsgi_header[]", count)
        borrowed, parts = self.ffi.from_buffer, iter(fields)
        for place in self.fields[0:count]:
            name, value = next(parts), next(parts)
            place.name.data, place.name.len = borrowed(name), len(name)
            place.value.data, place.value.len = borrowed(value), len(value)
        self.check(self.lib.awsgi_exchange_start(exchange, status, self.fields, count))
        if not size:
            return 0
        self.check(self.lib.awsgi_exchange_write(exchange, block, size, self.count))
        return self.count[0]


def nanoseconds(timeout, unit=1e9):
    """What a timeout is in nanoseconds, rounded up, so that no wait ends early; None for one that never comes."""
    if timeout is None:
        return None
    if not isinstance(timeout, (int, float)):
        raise TypeError(
            "a timeout is a number or None, not %s: %.100r" % (type(timeout).__name__, timeout)
        )
    if not timeout >= 0:
        raise ValueError("a timeout is not negative: %r; give None to wait for ever, 0 to ask once" % timeout)
    # What is too far away to be told from never is never. An int may be more than a float can hold.
    return None if timeout >= 9e18 / unit else math.ceil(timeout * unit)
