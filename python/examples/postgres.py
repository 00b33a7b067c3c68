"""A client of PostgreSQL that waits with whatever the server offers: a library, written once.

    pool = postgres.Pool(("127.0.0.1", 5432), user="me", database="notes")

    def application(environ, start_response):
        rows = yield from pool.query(postgres.Waits(environ), "SELECT body FROM notes WHERE id > $1", 7)

It speaks version 3 of the protocol with the extended query: parameters are never pasted into a statement. What it knows
of authentication is none and a password in the clear; there is no TLS. notes.py is an application that uses it.
"""

import collections
import errno
import os
import socket
import struct

CHUNK = 65536


class Error(Exception):
    """What the server says is wrong. `code` is its SQLSTATE."""

    def __init__(self, fields):
        super().__init__(fields.get("M", "unknown"))
        self.code = fields.get("C")


class Waits:
    """The keys of the draft, for code that is several functions away from the environ."""

    def __init__(self, environ, timeout=10.0):
        self.wait_readable = environ["x-wsgiorg.fdevent.readable"]
        self.wait_writable = environ["x-wsgiorg.fdevent.writable"]
        self.timed_out = environ["x-wsgiorg.fdevent.timeout"]
        self.timeout = timeout

    def readable(self, descriptor):
        return self.until(self.wait_readable, descriptor)

    def writable(self, descriptor):
        return self.until(self.wait_writable, descriptor)

    def until(self, wait, descriptor):
        yield wait(descriptor, self.timeout)
        if self.timed_out:
            raise TimeoutError("the database took longer than %s seconds" % self.timeout)


class Pool:
    """Connections that nobody uses, kept for the next. Any thread may use it."""

    def __init__(self, address, user, database, password=None, idle=8):
        self.address = address
        self.user, self.database, self.password = user, database, password
        # deque.append and pop are atomic; beyond `idle` the oldest is dropped, and so closed.
        self.idle = collections.deque(maxlen=idle)

    def query(self, waits, statement, *parameters):
        """The rows of one statement: lists of strings, None for NULL."""
        connection = self.take() or (yield from Connection.open(waits, self))
        try:
            rows = yield from connection.query(waits, statement, parameters)
        except Error:
            # The server said what is wrong, and is ready for more.
            self.idle.append(connection)
            raise
        except BaseException:
            # Of a query that was given up nobody knows what will still come: also when the client has left.
            connection.close()
            raise
        self.idle.append(connection)
        return rows

    def take(self):
        """A connection that lives, or None."""
        while True:
            try:
                connection = self.idle.pop()
            except IndexError:
                return None
            if connection.is_quiet():
                return connection
            connection.close()


class Connection:
    """One session. Its methods are generators: `yield from` them."""

    def __init__(self, family):
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.setblocking(False)
        self.received = bytearray()

    @classmethod
    def open(cls, waits, pool):
        connection = cls(socket.AF_INET6 if ":" in pool.address[0] else socket.AF_INET)
        try:
            yield from connection.connect(waits, pool.address)
            yield from connection.begin(waits, pool)
        except BaseException:
            connection.close()
            raise
        return connection

    def __del__(self):
        self.close()

    def close(self):
        self.socket.close()

    def is_quiet(self):
        """Whether nothing has come that nobody asked for: the end, or the reason for it."""
        try:
            self.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def connect(self, waits, address):
        error = self.socket.connect_ex(address)
        if error == errno.EINPROGRESS:
            yield from waits.writable(self.socket)
            error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))

    def begin(self, waits, pool):
        names = [("user", pool.user), ("database", pool.database), ("client_encoding", "UTF8")]
        settings = b"".join(text(name) + text(value) for name, value in names) + b"\0"
        yield from self.send(waits, struct.pack("!ii", 8 + len(settings), 196608) + settings)
        while True:
            kind, body = yield from self.message(waits)
            if kind == b"Z":
                return
            if kind == b"E":
                raise Error(fields_of(body))
            if kind == b"R":
                method = struct.unpack_from("!i", body)[0]
                if method == 3 and pool.password is not None:
                    yield from self.send(waits, packed(b"p", text(pool.password)))
                elif method:
                    raise Error({"M": "the server wants authentication method %d, which is not here" % method})

    def query(self, waits, statement, parameters):
        values = [None if value is None else str(value).encode() for value in parameters]
        bound = b"".join(
            struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value for value in values
        )
        yield from self.send(
            waits,
            packed(b"P", b"\0" + text(statement) + struct.pack("!h", 0))
            + packed(b"B", b"\0\0" + struct.pack("!hh", 0, len(values)) + bound + struct.pack("!h", 0))
            + packed(b"E", b"\0" + struct.pack("!i", 0))
            + packed(b"S"),
        )
        rows, error = [], None
        while True:
            kind, body = yield from self.message(waits)
            if kind == b"D":
                rows.append(row_of(body))
            elif kind == b"E":
                error = Error(fields_of(body))
            elif kind == b"Z":
                if error:
                    raise error
                return rows

    def send(self, waits, data):
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self.socket.send(rest) :]
            except BlockingIOError:
                yield from waits.writable(self.socket)

    def message(self, waits):
        """The next message: its kind, and what is in it."""
        yield from self.have(waits, 5)
        kind, length = struct.unpack_from("!ci", self.received)
        yield from self.have(waits, 1 + length)
        body = bytes(self.received[5 : 1 + length])
        del self.received[: 1 + length]
        return kind, body

    def have(self, waits, count):
        while len(self.received) < count:
            try:
                data = self.socket.recv(CHUNK)
            except BlockingIOError:
                yield from waits.readable(self.socket)
                continue
            if not data:
                raise ConnectionError("the database closed the connection")
            self.received += data


def text(value):
    """A string as the protocol has it: it ends with a zero."""
    data = value.encode()
    if b"\0" in data:
        raise ValueError("a string with a NUL cannot be sent")
    return data + b"\0"


def packed(kind, body=b""):
    return kind + struct.pack("!i", 4 + len(body)) + body


def row_of(body):
    count = struct.unpack_from("!h", body)[0]
    row, at = [], 2
    for _ in range(count):
        length = struct.unpack_from("!i", body, at)[0]
        at += 4
        row.append(None if length < 0 else body[at : at + length].decode())
        at += max(length, 0)
    return row


def fields_of(body):
    return {part[:1].decode(): part[1:].decode("utf-8", "replace") for part in body.split(b"\0") if part}
