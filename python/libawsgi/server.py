"""Serving a WSGI application in this process, with the bundled server."""

import atexit
import collections
import os
import threading
import time

from . import entry
from ._native import check, ffi, lib
from .log import say, write

LEVELS = {"off": 0, "error": 1, "warn": 2, "info": 3, "debug": 4}
NAMES = {number: name.upper() for name, number in LEVELS.items()}

# Lines of the access log that wait to be written.
WAITING = 10000

# C knows a server's hooks by a number.
_servers = {}


class Server:
    """A server of one application.

        with libawsgi.Server(application, bind="127.0.0.1:0") as server:
            print(server.address)

    application: a WSGI application, or "module:application".
    bind: "ADDRESS:PORT", where port 0 is one that is free, "[ADDRESS]:PORT" or "unix:PATH".
    fd: an open descriptor that listens, in place of `bind`; it stays the caller's.
    suspending: run it on the loop, where an empty yield after a waiting call suspends, in place of threads.
    threads: of each worker, for exchanges that block; 0: 16.
    workers: loops, each with a thread; 0: one for each processor.
    drain_timeout: seconds that `close` gives to what is open.
    access_log: called with a line for each exchange, on a thread of its own; None: nothing is logged.
    log: called with the name of a level and a line; None: lines up to `log_level` go to stderr.
    streaming, memory, blocked, multiprocess: see libawsgi.wsgi.Options.

    The rest are limits: docs/serving.md has them. It listens from here on, and serves in `with`, or in `run`.
    """

    def __init__(
        self, application, *, bind="127.0.0.1:8080", fd=None, suspending=False, threads=0, workers=1, drain_timeout=30,
        access_log=None, log=None, log_level="info", max_header_bytes=32 << 10, max_headers=100, header_timeout=10,
        max_body=16 << 20, idle_timeout=60, max_exchanges=16384, max_queued=1024, queue_timeout=5, **options
    ):
        self._server = None
        self._hosted = None
        self._thread = None
        self._failure = None
        nanoseconds("drain_timeout", drain_timeout)     # which is needed late, when it would be a pity
        self.drain_timeout = drain_timeout
        self._ended = threading.Event()
        self._ready = threading.Event()
        self.workers = number("workers", workers, 0, 32) or len(os.sched_getaffinity(0))
        self.max_exchanges = max_exchanges
        self._waiting = self.workers    # of which none serves yet
        self.say = called("log", log) or stderr(log_level)
        self._access = None
        self._lock = threading.Lock()

        made = ffi.new("awsgi_server_options *")
        made.size = ffi.sizeof(made[0])
        text = ffi.new("char[]", os.fsencode(bind))
        made.bind = text
        if fd is not None:
            made.fd = fd
            made.flags = lib.AWSGI_SERVER_FD
        made.workers = self.workers
        made.pool_threads = number("threads", threads, 0, 32)
        made.max_headers = number("max_headers", max_headers)
        made.max_header_bytes = number("max_header_bytes", max_header_bytes)
        made.max_body = lib.AWSGI_UNLIMITED if max_body is None else number("max_body", max_body)
        made.header_time = nanoseconds("header_timeout", header_timeout)
        made.idle_time = nanoseconds("idle_timeout", idle_timeout)
        made.queue_time = nanoseconds("queue_timeout", queue_timeout)
        made.max_exchanges = number("max_exchanges", max_exchanges, 1, 32)
        made.max_queued = number("max_queued", max_queued, 1, 32)
        introduce()
        key = id(self)
        made.data = ffi.cast("void *", key)
        made.log = hook("log_line", "void (*)(int32_t, awsgi_slice, void *)")
        if called("access_log", access_log):
            made.access_log = hook("access_line", "void (*)(awsgi_slice, void *)")

        hosted = entry.Hosted(suspending, self._worker_ready)
        try:
            hosted.load(application, options)
            described = ffi.new("awsgi_application *")
            hosted.describe(entry.ffi.cast("awsgi_application *", int(ffi.cast("uintptr_t", described))))
            server = ffi.new("awsgi_server **")
            check(lib.awsgi_server_new(made, described, server))
        except BaseException:
            hosted.end()
            raise
        self._hosted = hosted
        self._server = server[0]
        self._access = Lines(access_log) if access_log else None
        self._key = key
        _servers[key] = self

    @property
    def address(self):
        """Where it listens, as "http://127.0.0.1:8080" or "unix:PATH"."""
        buffer = ffi.new("char[]", 4096)
        check(lib.awsgi_server_address(self._live(), buffer, len(buffer), ffi.NULL))
        return os.fsdecode(ffi.string(buffer))

    def run(self):
        """Serves, until it was drained. Once."""
        server = self._live()
        entry.lib.libawsgi_own_server()
        try:
            check(lib.awsgi_server_run(server))
        finally:
            self._ended.set()
            self._ready.set()

    def start(self):
        """Serves on a thread of its own, from here on."""
        if self._thread is not None:
            raise RuntimeError("the server was started before; make another one")
        self._thread = threading.Thread(target=self._run, name="libawsgi-server", daemon=True)
        atexit.register(self._at_exit)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self.close()
            raise self._failure
        return self

    def drain(self, within=None):
        """Has it stop accepting. What is left after so many seconds is cut off. From any thread."""
        within = self.drain_timeout if within is None else within
        # To the library 0 is at once.
        time = nanoseconds("the time to drain", within) if within else 0
        check(lib.awsgi_server_drain(self._live(), time))

    def close(self, within=None):
        """Drains it, waits for the end, and frees it."""
        if self._server is None:
            return
        if self._thread is not None:
            self.drain(within)
            self._thread.join()
        check(lib.awsgi_server_free(self._server))
        self._server = None
        del _servers[self._key]
        self._hosted.end()
        if self._access:
            self._access.end()
        atexit.unregister(self._at_exit)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    def wait_ready(self):
        """Waits until it serves, or has ended, and says which."""
        self._ready.wait()
        return not self._ended.is_set()

    def _live(self):
        if self._server is None:
            raise RuntimeError("the server is closed")
        return self._server

    def _run(self):
        try:
            self.run()
        except BaseException as error:
            self._failure = error

    def _at_exit(self):
        # The interpreter ends: nobody waits for what is open.
        try:
            self.close(0)
        except Exception as error:
            say("the server could not be ended: %s" % error)

    def _worker_ready(self):
        with self._lock:
            self._waiting -= 1
            if self._waiting == 0:
                self._ready.set()


def introduce():
    """Gives the engine the table of the library that this process has loaded."""
    ignored = ffi.new("awsgi_application *")
    link = ffi.cast("awsgi_application_entry", int(entry.ffi.cast("uintptr_t", entry.lib.libawsgi_entry_point())))
    check(lib.awsgi_application_link(link, ffi.NULL, ignored))


def hook(name, kind):
    return ffi.cast(kind, int(entry.ffi.cast("uintptr_t", getattr(entry.lib, "libawsgi_%s_hook" % name)())))


def number(name, value, least=1, bits=64):
    """A number that C takes with so many bits."""
    if not isinstance(value, int) or not least <= value < 1 << bits:
        raise ValueError("%s is a number from %d on, not %r" % (name, least, value))
    return value


def called(name, function):
    """What is called with each line; None is for nobody."""
    if function is not None and not callable(function):
        raise TypeError("%s is called with each line, and this cannot be called: %.100r" % (name, function))
    return function


def nanoseconds(name, value):
    if not isinstance(value, (int, float)) or not 0 <= value < 1e9:
        raise ValueError("%s is a number of seconds, not %r" % (name, value))
    # To the library 0 is the default.
    return max(1, int(value * 1e9))


def stderr(level):
    """Writes lines up to a level."""
    if level not in LEVELS:
        raise ValueError("log_level is one of %s, not %r" % (", ".join(LEVELS), level))
    most = LEVELS[level]

    def log(name, line):
        if LEVELS[name] <= most:
            moment = time.time()
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
            write("%s.%03dZ %5s %s\n" % (stamp, moment % 1 * 1000, name.upper(), line))

    return log


class Lines:
    """Lines that are written by a thread of their own, so that a slow reader holds up no worker."""

    def __init__(self, write):
        self._write = write
        self._lines = collections.deque()
        self._wanted = threading.Semaphore(0)
        self._lost = 0
        self._thread = threading.Thread(target=self._run, name="libawsgi-access-log", daemon=True)
        self._thread.start()

    def add(self, line):
        if len(self._lines) >= WAITING:
            self._lost += 1
            return
        self._lines.append(line)
        self._wanted.release()

    def end(self):
        self._lines.append(None)
        self._wanted.release()
        self._thread.join()

    def _run(self):
        while True:
            self._wanted.acquire()
            line = self._lines.popleft()
            if line is None:
                return
            try:
                self._write(line)
            except Exception as error:
                say("the access log cannot be written: %s: %s" % (type(error).__name__, error))
            if self._lost:
                lost, self._lost = self._lost, 0
                say("%d lines of the access log were lost: it is read too slowly" % lost)


@entry.ffi.def_extern()
def libawsgi_log(level, line, number):
    server = _servers.get(number)
    if server is not None:
        server.say(NAMES.get(level, "DEBUG").lower(), text(line))


@entry.ffi.def_extern()
def libawsgi_access(line, number):
    server = _servers.get(number)
    if server is not None:
        server._access.add(text(line))


def text(line):
    return bytes(entry.ffi.buffer(line.data, line.len)).decode("utf-8", "replace")


def serve(application, **options):
    """Serves an application until SIGTERM or SIGINT, which drain it; a second one ends it at once. The arguments are
    those of Server. Answers the status that the process is to exit with.

    Elsewhere than on the main thread there are no signals to take: make a Server there, and run it.
    """
    from .signals import run

    return run(Server(application, **options))
