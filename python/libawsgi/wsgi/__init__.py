"""WSGI applications on exchanges: PEP 3333, and the drafts that let an application wait.

An `Application` is what an application library of awsgi.h is made of: its methods are the functions there. It is given
cffi's `ffi` and `lib` of a module that has the functions of awsgi_application.h, so that the library that loaded the
application is the one that is called.

An application finds in its environ, beside what PEP 3333 names:

    x-wsgiorg.fdevent.readable      readable(fd, timeout=None): yield what it returns; seconds, None for ever, 0 asks once
    x-wsgiorg.fdevent.writable      the same for writing
    x-wsgiorg.fdevent.timeout       true if the last wait ended because its time was over
    x-wsgiorg.async.readable, .writable, .timeout       the same three; readable takes x-wsgiorg.async.input, too
    x-wsgiorg.async.input           read(size), recv(size): what is there of the body
    x-wsgiorg.suspend               suspend(timeout=None): returns `resume`, for any thread; then yield b''; milliseconds
    x-wsgiorg.suspend_status        true if the last suspension ended by `resume`, false if its time was over
    awsgi.wait, awsgi.wait_all      result = yield from wait(*members, at_least=1, timeout=None)
    awsgi.sleep                     yield from sleep(seconds)
    awsgi.event, awsgi.timer        event(counter=False), timer(delay, period=0): to be waited for
    awsgi.client                    to be waited for: (client, libawsgi.HANGUP), (client, libawsgi.PRIORITY); client.gone

An application asks for one thing at a time and yields b'': it goes on when that happened. Run in steps it is suspended
meanwhile, on a pool thread it waits in place. An empty yield without having asked lets others run.
"""

import threading

from ..log import say
from .calls import Calls, ClientGone
from .environ import Environs, FileWrapper
from .exchange import Exchange
from .loading import checked, load
from .waits import Client, Event, Resume, Timer, Wait
from .watchdog import Watchdog

__all__ = ["Application", "Client", "ClientGone", "Event", "FileWrapper", "Options", "Resume", "Timer", "Wait"]


class Options:
    """How an application is run.

    streaming: the application is called before the body was read, and reads it while it runs.
    memory: bytes of a body that are held in memory; a larger one goes to a temporary file.
    blocked: seconds after which a step that has not returned is named in the log; 0: none is.
    multiprocess: other processes serve the same application: `wsgi.multiprocess`.
    """

    __slots__ = ("streaming", "memory", "blocked", "multiprocess")

    def __init__(self, streaming=False, memory=1 << 20, blocked=0.1, multiprocess=False):
        self.streaming = bool(streaming)
        self.memory = memory
        self.blocked = blocked
        self.multiprocess = bool(multiprocess)
        if not isinstance(memory, int) or memory < 0:
            raise ValueError("memory is a number of bytes, not %r" % (memory,))
        if not isinstance(blocked, (int, float)) or not 0 <= blocked < 1e9:
            raise ValueError("blocked is a number of seconds, 0 for none, not %r" % (blocked,))


class Worker:
    """What one worker has of an application; its pool threads share it."""

    __slots__ = (
        "application", "reactor", "suspending", "streaming", "memory", "environs", "tell", "empty_told", "thread",
        "calls", "steps", "step", "watchdog", "_local",
    )

    def __init__(self, owner, reactor):
        self.application = owner.application
        self.reactor = reactor
        self.suspending = owner.suspending
        self.streaming = owner.options.streaming
        self.memory = owner.options.memory
        self.environs = Environs(owner.options.multiprocess)
        self.tell = owner.tell
        self.empty_told = False
        self.thread = threading.get_ident()
        self.steps = 0          # how many began, for the watchdog
        self.step = None        # the exchange whose step runs
        self.watchdog = owner.watchdog
        self.calls = Calls(owner.ffi, owner.lib)
        self._local = threading.local()
        if self.watchdog is not None:
            self.watchdog.watch(self)

    def entered(self, exchange):
        if self.watchdog is not None:
            self.step = exchange
            self.steps += 1
            if self.watchdog.asleep:
                self.watchdog.wake()

    def left(self):
        self.step = None

    def calls_here(self):
        """The library for the pool thread that runs."""
        try:
            return self._local.calls
        except AttributeError:
            calls = self._local.calls = Calls(self.calls.ffi, self.calls.lib)
            return calls


class Application:
    """A WSGI application, to be run in steps (suspending) or on pool threads.

    spec: `module:application`, or the application itself.
    options: an Options, or a dict of what it takes.

    Raises ImportError or TypeError, with one sentence, for what names no application.
    """

    def __init__(self, ffi, lib, spec, *, suspending=False, options=None):
        self.ffi, self.lib = ffi, lib
        self.application = load(spec) if isinstance(spec, str) else checked(spec, "the application")
        self.suspending = bool(suspending)
        self.options = options if isinstance(options, Options) else Options(**(options or {}))
        # A pool thread that is blocked blocks nobody.
        blocked = self.options.blocked if self.suspending else 0
        self.watchdog = Watchdog(blocked, self.tell) if blocked else None

    def worker(self, reactor):
        """What a worker has of it. Called once on its thread, with its reactor."""
        return Worker(self, reactor)

    def worker_end(self, worker):
        if worker.watchdog is not None:
            worker.watchdog.leave(worker)

    def run(self, worker, exchange, state, done, count):
        """A step of an exchange, or the whole of it on a pool thread: what `run` in awsgi.h answers, and the state. A
        pool thread is given back while a body is still to come that is read first.

        `state` is None at first, and then what was returned. What is raised is the failure of the application, which
        has ended: the state is of no further use.
        """
        if state is None:
            state = Exchange(worker, worker.calls if worker.suspending else worker.calls_here(), exchange)
        elif not worker.suspending:
            state.moved(worker.calls_here())
        return state.run(done, count), state

    def close(self, worker, exchange, state):
        """Ends an exchange. Raises what `close` of the application's iterable does."""
        if state is not None:
            state.close()

    def unload(self):
        """Ends what is left."""
        if self.watchdog is not None:
            self.watchdog.end()

    @staticmethod
    def tell(sentence):
        """Something for the log."""
        say(sentence)
