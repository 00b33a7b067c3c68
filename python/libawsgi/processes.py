"""Several processes that share a listening socket, and the one that looks after them."""

import os
import selectors
import signal
import socket
import subprocess
import sys
import time

from .listening import Listener, name
from .log import say
from .signals import AT_ONCE, DRAIN, NAMES, Signals, listening

# A process that replaces another begins at the earliest so many seconds after that one began.
PAUSE = 1

# A process that has not ended so many seconds after it was told to end at once is killed.
PATIENCE = 4


class Process:
    """A process that serves: the other end of its connection, and what became of it."""

    def __init__(self, command, descriptor):
        ours, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            command = command + ["--fd", str(descriptor), "--supervisor", str(number)]
            self.process = subprocess.Popen(command, pass_fds=(descriptor, number))
        self.connection = ours
        self.began = time.monotonic()
        self.ready = False

    @property
    def pid(self):
        return self.process.pid

    def tell(self, order):
        try:
            self.connection.send(order)
        except OSError:
            # It has ended.
            pass

    def ended(self):
        """Its end in words, and its exit status; None while it runs."""
        status = self.process.poll()
        if status is None:
            return None
        if status < 0:
            return "was ended by %s" % signal.Signals(-status).name, 128 - status
        return "ended with the exit status %d" % status, status


class Supervisor:
    """Starts the processes, replaces those that die, and ends them all."""

    def __init__(self, command, count, descriptor, within):
        self._command = command
        self._count = count
        self._descriptor = descriptor
        self._within = within
        self._processes = []
        self._due = []          # when a process is to be replaced
        self._killing = None    # when those that are left are killed
        self._serving = False   # all have been ready
        self._draining = False
        self._status = 0
        self._selector = selectors.DefaultSelector()

    def run(self, address):
        """Until all have ended. Answers the exit status."""
        # At the end of a process there is SIGCHLD.
        signals = Signals([*NAMES, signal.SIGCHLD])
        self._selector.register(signals, selectors.EVENT_READ)
        try:
            for _ in range(self._count):
                self._start()
            while self._processes or self._due:
                for key, _ in self._selector.select(self._timeout()):
                    if key.fileobj is not signals:
                        self._hear(key.data)
                        continue
                    for number in signals.read():
                        if number in NAMES:
                            self._signal(number)
                for process in list(self._processes):
                    end = process.ended()
                    if end is not None:
                        self._ended(process, *end)
                if not self._serving and len(self._processes) == self._count and all(p.ready for p in self._processes):
                    self._serving = True
                    listening(address, " with %d processes" % self._count)
                self._be_due()
        finally:
            for process in self._processes:
                process.process.kill()
                process.process.wait()
                process.connection.close()
            self._selector.close()
            signals.close()
        return self._status

    def _start(self):
        process = Process(self._command, self._descriptor)
        self._processes.append(process)
        self._selector.register(process.connection, selectors.EVENT_READ, process)

    def _timeout(self):
        due = self._due + ([self._killing] if self._killing else [])
        return max(0, min(due) - time.monotonic()) if due else None

    def _be_due(self):
        """Starts those whose time has come, and ends those whose time is over."""
        now = time.monotonic()
        due = [moment for moment in self._due if moment <= now]
        self._due = [moment for moment in self._due if moment > now]
        for _ in due:
            self._start()
        if self._killing and self._killing <= now:
            self._killing = None
            for process in self._processes:
                say("process %d does not end: killing it" % process.pid)
                process.process.kill()

    def _hear(self, process):
        try:
            heard = process.connection.recv(16)
        except OSError:
            heard = b""
        if heard:
            process.ready = True
        else:
            # It is about to end, or has ended.
            self._selector.unregister(process.connection)

    def _ended(self, process, end, status):
        if process.connection in self._selector.get_map():
            self._selector.unregister(process.connection)
        process.connection.close()
        self._processes.remove(process)
        if self._draining:
            if status:
                say("process %d %s" % (process.pid, end))
                self._status = self._status or 1
            return
        if not self._serving:
            # What keeps one from starting keeps all of them, and it has said what that is.
            say("process %d %s before it served: ending the others" % (process.pid, end))
            self._status = 1
            self._drain()
            return
        say("process %d %s: starting another one" % (process.pid, end))
        self._due.append(max(time.monotonic(), process.began + PAUSE))

    def _signal(self, number):
        if not self._draining:
            say(
                "%s: %d processes stop accepting, and wait up to %g s for what is open; a second signal ends them at "
                "once" % (NAMES[number], len(self._processes), self._within)
            )
            self._drain()
            return
        self._status = 128 + number
        self._killing = time.monotonic() + PATIENCE
        for process in self._processes:
            process.tell(AT_ONCE)

    def _drain(self):
        self._draining = True
        self._due = []
        for process in self._processes:
            process.tell(DRAIN)


def supervise(arguments, given):
    """`serve` with several processes."""
    listener = None
    if arguments.fd is None:
        listener = Listener(arguments.bind)
        descriptor, address = listener.socket.fileno(), listener.address
    else:
        with socket.socket(fileno=os.dup(arguments.fd)) as inherited:
            descriptor, address = arguments.fd, name(inherited)
    # The interpreter with the flags that this one was started with.
    command = [sys.executable, *subprocess._args_from_interpreter_flags(), "-m", "libawsgi", *without_bind(given)]
    try:
        return Supervisor(command, arguments.processes, descriptor, arguments.drain_timeout).run(address)
    finally:
        if listener is not None:
            listener.close()


def without_bind(given):
    """The command line without what says where to listen."""
    kept, skip = [], False
    for argument in given:
        if skip:
            skip = False
        elif argument in ("--bind", "--fd"):
            skip = True
        elif not argument.startswith(("--bind=", "--fd=")):
            kept.append(argument)
    return kept
