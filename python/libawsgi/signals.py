"""Running a server in a process of its own: signals end it. In the process of another host we take none."""

import os
import select
import signal
import socket
import threading
import time

from .descriptors import raise_limit
from .log import write

NAMES = {signal.SIGTERM: "SIGTERM", signal.SIGINT: "SIGINT"}

# What does not end within so many seconds of the second signal is left where it is.
PATIENCE = 2

# What a process and its supervisor tell each other.
READY, DRAIN, AT_ONCE = b"r", b"d", b"e"


class Signals:
    """SIGTERM and SIGINT, and whatever else wakes the main thread, as bytes to be read."""

    def __init__(self, numbers):
        self._reading, self._writing = socket.socketpair()
        self._reading.setblocking(False)
        self._writing.setblocking(False)
        self._before_fd = signal.set_wakeup_fd(self._writing.fileno(), warn_on_full_buffer=False)
        # Python writes the number of what it has a handler for.
        self._before = {number: signal.signal(number, lambda number, frame: None) for number in numbers}

    def fileno(self):
        return self._reading.fileno()

    def read(self):
        """The numbers that came; 0 for a call of `wake`."""
        try:
            return list(self._reading.recv(4096))
        except BlockingIOError:
            return []

    def wake(self):
        """From any thread."""
        try:
            self._writing.send(b"\0")
        except OSError:
            # It is full of reasons to wake, or closed.
            pass

    def close(self):
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._before_fd)
        self._reading.close()
        self._writing.close()


def run(server, supervisor=None):
    """Serves until a signal, or the supervisor, drains the server. Answers the exit status."""
    raise_limit(server.max_exchanges, server.workers, server.say)
    signals = Signals(NAMES if supervisor is None else [signal.SIGTERM])
    outcome = []

    def serve():
        try:
            server.run()
            outcome.append(None)
        except BaseException as error:
            outcome.append(error)
        finally:
            signals.wake()

    thread = threading.Thread(target=serve, name="libawsgi-server", daemon=True)
    thread.start()
    try:
        if server.wait_ready():
            if supervisor is not None:
                supervisor.send(READY)
            else:
                listening(server.address)
        status = attend(server, outcome, signals, supervisor)
    finally:
        signals.close()
    thread.join()
    server.close()
    if outcome[0] is not None:
        raise outcome[0]
    return status


def listening(address, where=""):
    write("listening on %s%s\n" % (address, where))


def attend(server, outcome, signals, supervisor):
    """Does what signals and the supervisor ask for, until the server has ended."""
    status = 0
    draining = False
    while not outcome:
        watched = [signals] if supervisor is None else [signals, supervisor]
        ready, _, _ = select.select(watched, [], [])
        asked = [number for number in signals.read() if number in NAMES]
        if supervisor in ready:
            order = supervisor.recv(1)
            if not order:
                # It is gone, and nobody else would end us.
                supervisor = None
            asked.append(signal.SIGTERM)
            draining = draining or order == AT_ONCE
        for number in asked:
            if not draining:
                draining = True
                server.say(
                    "info",
                    "%s: the server stops accepting, and waits up to %g s for what is open; a second signal ends it "
                    "at once" % (NAMES[number], server.drain_timeout),
                )
                server.drain()
                continue
            status = 128 + number
            server.drain(0)
            patience = time.monotonic() + PATIENCE
            while not outcome and time.monotonic() < patience:
                select.select([signals], [], [], patience - time.monotonic())
                signals.read()
            if not outcome:
                os._exit(status)
    return status
