"""What the driver of the contract waits for: each has a waitable, and another side."""

import os
import socket

from libawsgi import HANGUP, READABLE, READ_CLOSED, Readiness


class Signal:
    """An event, a counter or a timer."""

    def __init__(self, waitable):
        self.waitable = waitable

    def take(self):
        return self.waitable.take()

    def close(self):
        self.waitable.close()


class Pipe:
    """The reading end of a pipe; its other side is ours, too."""

    def __init__(self, reactor):
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)
        try:
            self.waitable = reactor.descriptor(self.reading)
        except Exception:
            os.close(self.reading)
            os.close(self.writing)
            raise

    def put(self):
        os.write(self.writing, b"x")

    def take(self):
        return drained(lambda: os.read(self.reading, 65536))

    def hangup(self):
        os.close(self.writing)
        self.writing = None

    def close(self):
        self.waitable.close()
        os.close(self.reading)
        if self.writing is not None:
            os.close(self.writing)


class Socket:
    """A connection to the runner, or what becomes one."""

    def __init__(self, reactor, port):
        self.socket = socket.socket()
        try:
            self.socket.setblocking(False)
            self.socket.connect_ex(("127.0.0.1", port))
            self.waitable = reactor.descriptor(self.socket)
        except Exception:
            self.socket.close()
            raise

    def put(self):
        self.socket.send(b"x")

    def take(self):
        return drained(lambda: self.socket.recv(65536))

    def close(self):
        self.waitable.close()
        self.socket.close()


class Box:
    """An object of this process that nobody but we can watch: it holds messages, and can be hung up."""

    def __init__(self, reactor, once, told):
        self.messages, self.hung, self.once, self.told = 0, False, once, told
        self.interest = Readiness(0)
        self.waitable = reactor.foreign(self.watch, once=once)

    def watch(self, interest):
        self.interest = interest
        self.told(interest)

    def report(self):
        ready = (READABLE if self.messages else 0) | (READ_CLOSED if self.hung else 0)
        if self.interest & READABLE == 0:
            ready &= self.interest
        if self.hung:
            ready |= HANGUP
        if self.interest and ready:
            if self.once:
                self.interest = Readiness(0)    # the report ends it, until the next change
            self.waitable.notify(ready)

    def put(self):
        self.messages += 1

    def take(self):
        taken, self.messages = self.messages, 0
        return taken

    def hangup(self):
        self.hung = True

    def close(self):
        self.interest = Readiness(0)
        self.waitable.close()


def drained(read):
    """How many bytes there are to read."""
    count = 0
    try:
        while True:
            received = read()
            if not received:
                return count
            count += len(received)
    except BlockingIOError:
        return count
