"""What tells of the process that it runs in."""

import os
import signal
import subprocess
import sys
import threading
import time

# A number for each thread that has come by: who comes again has kept his.
local = threading.local()
threads = []


def application(environ, start_response):
    answer = PATHS[environ["PATH_INFO"]](environ)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return answer if hasattr(answer, "__next__") else [str(answer).encode()]


def pid(environ):
    return os.getpid()


def processes(environ):
    return "%r %r" % (environ["wsgi.multiprocess"], environ["wsgi.multithread"])


def end(environ):
    os._exit(3)


def thread(environ):
    """How often this thread was here before, and how many threads have come by."""
    if not hasattr(local, "times"):
        local.times = 0
        threads.append(local)
    local.times += 1
    return "%d %d" % (local.times, len(threads))


def signals(environ):
    """Which signals have a handler of Python's, and whether a program that is started here could be ended."""
    handled = [number for number in (signal.SIGINT, signal.SIGTERM) if callable(signal.getsignal(number))]
    return "%d handlers, %d blocked" % (len(handled), len(signal.pthread_sigmask(signal.SIG_BLOCK, ())))


def child(environ):
    """Starts a program, as docs/wsgi.md has it, and ends it."""

    def unblock():
        signal.pthread_sigmask(signal.SIG_SETMASK, ())

    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, preexec_fn=unblock) as program:
        program.terminate()
    return "ended by %d" % -program.returncode


def prefix(environ):
    return sys.prefix


def extension(environ):
    """An extension module finds the functions of Python among those of the process."""
    import _decimal

    return _decimal.Decimal("0.1") + 1


def begin(environ):
    """A body that begins, and then waits for ever."""
    try:
        yield b"begun"
        if environ.get("QUERY_STRING") == "block":
            time.sleep(1000)
        while True:
            yield from environ["awsgi.sleep"](1000)
    finally:
        print("closed", flush=True)


def watched(environ):
    """The same, and the log of the host hears of its end."""
    try:
        yield from begin({**environ, "QUERY_STRING": ""})
    finally:
        environ["wsgi.errors"].write("closed\n")


def much(environ):
    """More than lies anywhere between an application and a client that does not read."""
    yield from (b"much" * 16384 for _ in range(1000))


meeting = []


def meet(environ):
    """Waits until so many have come."""
    meeting.append(environ["x-wsgiorg.suspend"](20000))
    if len(meeting) == int(environ["QUERY_STRING"]):
        for resume in meeting:
            resume()
    yield b""
    yield b"met"


def fork(environ):
    """The exit status of a child that goes on as if it were the server: it returns, waits or raises."""
    child = os.fork()
    if child:
        return os.WEXITSTATUS(os.waitpid(child, 0)[1])
    if environ["QUERY_STRING"] == "exits":
        os._exit(7)
    if environ["QUERY_STRING"] == "raises":
        raise RuntimeError("raised in the child")
    return environ["awsgi.sleep"](0) if environ["QUERY_STRING"] == "waits" else iter([b"", b"from the child"])


def body(environ):
    return len(environ["wsgi.input"].read())


PATHS = {"/" + function.__name__: function for function in (
    pid, processes, end, thread, signals, prefix, extension, begin, meet,
    body, fork, child, watched, much,
)}
