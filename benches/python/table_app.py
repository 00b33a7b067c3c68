"""The pages behind table.py, for any server that has x-wsgiorg.fdevent. What is raised is answered as text."""

import os
import socket
import tempfile
import threading
import time

READABLE = "x-wsgiorg.fdevent.readable"
TIMED_OUT = "x-wsgiorg.fdevent.timeout"
TEXT = [("Content-Type", "text/plain")]
SILENT = socket.socketpair()
SHARED = socket.socketpair()
closed = []


def answer(start_response, text, status="200 OK"):
    start_response(status, TEXT)
    return str(text).encode()


def timed(environ, *arguments):
    """How many milliseconds a wait took, and its flag."""
    began = time.monotonic()
    yield environ[READABLE](*arguments)
    return "%d %s" % ((time.monotonic() - began) * 1000, bool(environ[TIMED_OUT]))


def keys(environ, start_response):
    yield answer(start_response, " ".join(key for key in environ if key.startswith("x-wsgiorg.")))


def second(environ, start_response):
    said = yield from timed(environ, SILENT[0].fileno(), 1)
    yield answer(start_response, said)


def early_status(environ, start_response):
    yield environ[READABLE](SILENT[0].fileno(), 1)
    yield answer(start_response, "", "201 Created")


def half(environ, start_response):
    said = yield from timed(environ, SILENT[0].fileno(), 0.5)
    yield answer(start_response, said)


def zero(environ, start_response):
    said = yield from timed(environ, SILENT[0].fileno(), 0)
    yield answer(start_response, said)


def by_other_means(environ, start_response):
    """A socket object, a timeout of None, and what is written a little later."""
    ours, theirs = socket.socketpair()
    timer = threading.Timer(0.2, theirs.send, [b"x"])
    timer.start()
    try:
        said = yield from timed(environ, ours, None)
    finally:
        timer.join()
        ours.close()
        theirs.close()
    yield answer(start_response, said)


def half_asleep(environ, start_response):
    began = time.monotonic()
    if "awsgi.sleep" in environ:
        yield from environ["awsgi.sleep"](0.5)
    else:
        import uwsgi

        yield uwsgi.async_sleep(0.5)
    yield answer(start_response, int((time.monotonic() - began) * 1000))


def any_of(environ, start_response):
    ours, theirs = socket.socketpair()
    theirs.send(b"x")
    if "awsgi.wait" in environ:
        result = yield from environ["awsgi.wait"](SILENT[0], ours, timeout=3)
        which = ours in result
    else:
        environ[READABLE](SILENT[0].fileno(), 3)
        yield environ[READABLE](ours.fileno(), 3)
        which = environ.get("uwsgi.ready_fd") == ours.fileno()
    ours.close()
    theirs.close()
    yield answer(start_response, which)


def copied(environ, start_response):
    environ = dict(environ)
    said = yield from timed(environ, SILENT[0].fileno(), 1)
    yield answer(start_response, said)


def not_empty(environ, start_response):
    start_response("200 OK", TEXT)
    environ[READABLE](SILENT[0].fileno(), 1)
    yield b"went on"


def empty(environ, start_response):
    until, count = time.monotonic() + 1, 0
    while time.monotonic() < until:
        count += 1
        yield b""
    yield answer(start_response, count)


def regular_file(environ, start_response):
    with tempfile.TemporaryFile() as file:
        said = yield from timed(environ, file.fileno(), 2)
    yield answer(start_response, said)


def bad_descriptor(environ, start_response):
    yield environ[READABLE](9999, 1)
    yield answer(start_response, "no error")


def hung_up(environ, start_response):
    ours, theirs = socket.socketpair()
    theirs.close()
    said = yield from timed(environ, ours.fileno(), 2)
    ours.close()
    yield answer(start_response, said)


def two_seconds(environ, start_response):
    said = yield from timed(environ, SILENT[0].fileno(), 2)
    yield answer(start_response, said)


def leaving(environ, start_response):
    try:
        yield environ[READABLE](SILENT[0].fileno(), 4)
    finally:
        closed.append(time.monotonic())


def left(environ, start_response):
    yield answer(start_response, len(closed))


def shared(environ, start_response):
    said = yield from timed(environ, SHARED[0].fileno(), 3)
    yield answer(start_response, said)


def share(environ, start_response):
    SHARED[1].send(b"x")
    yield answer(start_response, "")


def body(environ, start_response):
    yield answer(start_response, len(environ["wsgi.input"].read()))


def large(environ, start_response):
    start_response("200 OK", TEXT)
    for _ in range(256):
        yield bytes(65536)


PAGES = {name: page for name, page in list(globals().items()) if callable(page) and name not in ("answer", "timed")}


def application(environ, start_response):
    page = PAGES[environ["PATH_INFO"].strip("/")]
    try:
        yield from page(environ, start_response)
    except (OSError, TypeError, ValueError) as error:
        yield answer(start_response, "%s: %s" % (type(error).__name__, error))
