"""One page for each row of the table of what uWSGI really does. Times are nanoseconds of the monotonic clock."""

import hashlib
import os
import socket
import tempfile
import threading
import time

import gates
from gates import answer

READABLE = "x-wsgiorg.fdevent.readable"
WRITABLE = "x-wsgiorg.fdevent.writable"
TIMED_OUT = "x-wsgiorg.fdevent.timeout"

# Never readable: the other end is kept, and says nothing.
SILENT = socket.socketpair()
SHARED = socket.socketpair()


def describe(environ, start_response):
    kinds = []
    for key, value in sorted(environ.items()):
        if key.startswith(("x-wsgiorg.", "awsgi.")):
            kinds.append("%s %s" % (key, "callable" if callable(value) else bool(value)))
    yield answer(start_response, "\n".join(kinds))


def sleeping(environ, start_response):
    """uWSGI's own example, with bytes."""
    start_response("200 OK", [("Content-Type", "text/html")])
    seconds = float(gates.query(environ)["seconds"])
    began = time.monotonic_ns()
    gates.arrive("sleeping")
    yield environ[READABLE](SILENT[0], seconds)
    yield b"%d" % (time.monotonic_ns() - began)


def together(environ, start_response):
    """Suspended until as many have come as the query says."""
    number = int(gates.query(environ)["count"])
    gates.arrive("together")
    yield from gates.until(environ, "together", number)
    yield answer(start_response, "together")


def before_the_head(environ, start_response):
    yield environ[READABLE](SILENT[0], 0.05)
    yield answer(start_response, bool(environ[TIMED_OUT]), "201 Created")


def timeout(environ, start_response):
    """How long a wait took, and its flag. The timeout is Python's."""
    wanted = gates.query(environ)
    arguments = [SILENT[0].fileno() if wanted.get("fd") == "number" else SILENT[0]]
    if "timeout" in wanted:
        arguments.append(None if wanted["timeout"] == "None" else float(wanted["timeout"]))
    began = time.monotonic_ns()
    yield environ[READABLE](*arguments)
    elapsed = time.monotonic_ns() - began
    yield answer(start_response, "%d %s" % (elapsed, bool(environ[TIMED_OUT])))


def ready(environ, start_response):
    """Waits for what is ready, or becomes so, with every way to say how long."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        flags = []
        for arguments in [(ours,), (ours, None), (ours, 20), (ours, 20.0), (ours, 0), (ours.fileno(), None)]:
            theirs.send(b"x")
            yield environ[READABLE](*arguments)
            flags.append(bool(environ[TIMED_OUT]))
            ours.recv(1)
            yield environ[WRITABLE](*arguments)
            flags.append(bool(environ[TIMED_OUT]))
    yield answer(start_response, set(flags))


def polled(environ, start_response):
    """A timeout of 0 asks once."""
    yield environ[READABLE](SILENT[0], 0)
    yield answer(start_response, bool(environ[TIMED_OUT]))


def negative(environ, start_response):
    try:
        environ[READABLE](SILENT[0], -1)
    except ValueError as error:
        yield answer(start_response, "%s: %s" % (type(error).__name__, error))


def endless(environ, start_response):
    """A wait without a timeout, that ends when the client is gone."""
    gates.arrive("endless")
    try:
        yield environ[READABLE](SILENT[0])
        yield answer(start_response, "resumed")
    finally:
        gates.arrive("endless ended")


def copied(environ, start_response):
    """Behind middleware that hands on a copy of the environ."""

    def inner(environ, start_response):
        yield environ[READABLE](SILENT[0], 0.01)
        timed_out = bool(environ[TIMED_OUT])
        ours, theirs = socket.socketpair()
        with ours, theirs:
            theirs.send(b"x")
            yield environ[READABLE](ours, 10)
            yield answer(start_response, "%s %s" % (timed_out, bool(environ[TIMED_OUT])))

    return inner(dict(environ), start_response)


def any_of(environ, start_response):
    """What uWSGI makes of two registrations, asked for by a key of its own."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(b"x")
        result = yield from environ["awsgi.wait"](SILENT[0], ours, timeout=20)
        said = [SILENT[0] in result, ours in result]
        result = yield from environ["awsgi.wait"](SILENT[0], timeout=0.01)
        said.append(result.outcome.name)
    yield answer(start_response, said)


def all_of(environ, start_response):
    """Two sockets, of which the second becomes ready when another thread writes; and an event that it notifies."""
    first, second = socket.socketpair(), socket.socketpair()
    event = environ["awsgi.event"]()

    def elsewhere():
        second[1].send(b"x")
        event.notify()

    first[1].send(b"x")
    thread = threading.Thread(target=elsewhere)
    thread.start()
    result = yield from environ["awsgi.wait_all"](first[0], second[0], event, timeout=20)
    thread.join()
    said = [first[0] in result, second[0] in result, event in result]
    for one in (*first, *second):
        one.close()
    yield answer(start_response, said)


def sleep(environ, start_response):
    """What uWSGI's async_sleep does, with parts of a second."""
    seconds = float(gates.query(environ)["seconds"])
    began = time.monotonic_ns()
    yield from environ["awsgi.sleep"](seconds)
    yield answer(start_response, time.monotonic_ns() - began)


def resumed(environ, start_response):
    """x-wsgiorg.suspend: resumed by another thread, or when its time is over. That is in milliseconds."""
    resume = environ["x-wsgiorg.suspend"]()
    thread = threading.Thread(target=resume)
    thread.start()
    yield b""
    thread.join()
    by_call = bool(environ["x-wsgiorg.suspend_status"])
    began = time.monotonic_ns()
    environ["x-wsgiorg.suspend"](50)
    yield b""
    elapsed = time.monotonic_ns() - began
    yield answer(start_response, "%s %s %s" % (by_call, bool(environ["x-wsgiorg.suspend_status"]), elapsed >= 50000000))


def empty(environ, start_response):
    """Empty strings without any wait."""
    number = int(gates.query(environ).get("count", "0"))
    start_response("200 OK", [("Content-Type", "text/plain")])
    began = time.monotonic_ns()
    given = 0
    try:
        while given < number or not number:
            given += 1
            gates.arrive("empty")
            yield b""
        yield b"%d" % (time.monotonic_ns() - began)
    finally:
        gates.arrive("empty ended")


def regular_file(environ, start_response):
    with tempfile.TemporaryFile() as file:
        yield environ[READABLE](file, None)
        readable = bool(environ[TIMED_OUT])
        yield environ[WRITABLE](file.fileno(), 10)
        yield answer(start_response, "%s %s" % (readable, bool(environ[TIMED_OUT])))


def bad_descriptor(environ, start_response):
    """Numbers behind which there is nothing."""
    reading, writing = os.pipe()
    os.close(reading)
    os.close(writing)
    said = []
    for number in [reading, -1, 1 << 20]:
        try:
            environ[READABLE](number, 10)
        except OSError as error:
            said.append("OSError %s" % error.errno)
        except ValueError:
            said.append("ValueError")
    yield answer(start_response, " ".join(said))


def hung_up(environ, start_response):
    ours, theirs = socket.socketpair()
    with ours:
        theirs.close()
        yield environ[READABLE](ours, 20)
        yield answer(start_response, bool(environ[TIMED_OUT]))


def shared(environ, start_response):
    """Several requests that wait for one descriptor."""
    gates.arrive("shared")
    yield environ[READABLE](SHARED[0], 20)
    yield answer(start_response, bool(environ[TIMED_OUT]))


def share(environ, start_response):
    SHARED[1].send(b"x")
    return [answer(start_response, "sent")]


def unshare(environ, start_response):
    SHARED[0].recv(1)
    return [answer(start_response, "taken")]


def body(environ, start_response):
    """The whole body, at once."""
    data = environ["wsgi.input"].read()
    return [answer(start_response, "%d %s" % (len(data), hashlib.sha256(data).hexdigest()))]


def streamed(environ, start_response):
    """The body as it comes, by the second draft: its input is an object without fileno()."""
    source, parts = environ["x-wsgiorg.async.input"], hashlib.sha256()
    while True:
        yield environ["x-wsgiorg.async.readable"](source, 20)
        part = source.recv(65536)
        if not part:
            break
        parts.update(part)
        gates.arrive("streamed")
    yield answer(start_response, parts.hexdigest())


def streamed_in_lines(environ, start_response):
    """The body as it comes, in a way that waits for it: on a pool thread."""
    parts = hashlib.sha256()
    for line in environ["wsgi.input"]:
        parts.update(line)
        gates.arrive("streamed")
    yield answer(start_response, parts.hexdigest())


def lines(environ, start_response):
    source = environ["wsgi.input"]
    said = [source.readline() for _ in range(5)]
    return [answer(start_response, said)]


def lines_of(environ, start_response):
    return [answer(start_response, list(environ["wsgi.input"]))]


def large(environ, start_response):
    """16 MiB, in pieces of which each differs from its neighbours."""
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    for number in range(256):
        gates.arrive("large")
        yield bytes([number]) * 65536


def application(environ, start_response):
    if environ["PATH_INFO"] in ("/await", "/count"):
        return gates.serve(environ, start_response)
    name = environ["PATH_INFO"].strip("/").replace("-", "_")
    return PAGES[name](environ, start_response)


PAGES = {
    page.__name__: page
    for page in [
        describe,
        sleeping,
        together,
        before_the_head,
        timeout,
        ready,
        polled,
        negative,
        endless,
        copied,
        any_of,
        all_of,
        sleep,
        resumed,
        empty,
        regular_file,
        bad_descriptor,
        hung_up,
        shared,
        share,
        unshare,
        body,
        streamed,
        streamed_in_lines,
        lines,
        lines_of,
        large,
    ]
}
