"""Applications that do what they should not: one for each page."""

import os
import socket
import threading
import time

import gates
from gates import answer

READABLE = "x-wsgiorg.fdevent.readable"
PLAIN = [("Content-Type", "text/plain")]
SILENT = socket.socketpair()
kept = {}


def fine(environ, start_response):
    return [answer(start_response, "fine")]


# What is raised, and where.


def raises_at_once(environ, start_response):
    raise RuntimeError("raised at once")


def raises_before_the_head(environ, start_response):
    yield b""
    raise RuntimeError("raised before the head")


def raises_after_the_head(environ, start_response):
    start_response("200 OK", PLAIN)
    yield b""
    raise RuntimeError("raised after the head")


def raises_in_the_middle(environ, start_response):
    start_response("200 OK", PLAIN)
    yield b"first"
    raise RuntimeError("raised in the middle")


def raises_in_the_middle_of_a_length(environ, start_response):
    start_response("200 OK", [*PLAIN, ("Content-Length", "100")])
    yield b"first"
    raise RuntimeError("raised in the middle of a length")


def raises_after_a_wait(environ, start_response):
    yield environ[READABLE](SILENT[0], 0.01)
    raise RuntimeError("raised after a wait")


def raises_in_close(environ, start_response):
    class Body:
        items = iter([b"all of it"])

        def __iter__(self):
            return self.items

        def close(self):
            gates.arrive("raises in close")
            raise RuntimeError("raised in close")

    start_response("200 OK", PLAIN)
    return Body()


def exits(environ, start_response):
    raise SystemExit(3)


# What is returned and yielded.


def returns_none(environ, start_response):
    start_response("200 OK", PLAIN)


def returns_text(environ, start_response):
    start_response("200 OK", PLAIN)
    return "text"


def returns_bytes(environ, start_response):
    start_response("200 OK", PLAIN)
    return b"bytes"


def returns_a_number(environ, start_response):
    start_response("200 OK", PLAIN)
    return 7


def yields_text(environ, start_response):
    start_response("200 OK", PLAIN)
    yield "text"


def yields_none(environ, start_response):
    start_response("200 OK", PLAIN)
    yield None


def yields_empty_text(environ, start_response):
    start_response("200 OK", PLAIN)
    yield ""


def never_starts(environ, start_response):
    yield b"body"


def never_yields(environ, start_response):
    return iter(())


def yields_too_much(environ, start_response):
    start_response("200 OK", [*PLAIN, ("Content-Length", "3")])
    yield b"four"


def yields_too_little(environ, start_response):
    start_response("200 OK", [*PLAIN, ("Content-Length", "3")])
    yield b"22"


# What is given to start_response.


def start_with(status, fields):
    def page(environ, start_response):
        start_response(status, fields)
        return [b"body"]

    return page


def starts_twice(environ, start_response):
    start_response("200 OK", PLAIN)
    start_response("200 OK", PLAIN)
    return [b"body"]


# What is waited for.


def waits_for_a_closed_number(environ, start_response):
    ours, theirs = socket.socketpair()
    number = ours.fileno()
    ours.close()
    theirs.close()
    yield environ[READABLE](number, 10)


def waits_for_a_negative_number(environ, start_response):
    yield environ[READABLE](-1, 10)


def waits_for_a_closed_socket(environ, start_response):
    ours, theirs = socket.socketpair()
    ours.close()
    theirs.close()
    yield environ[READABLE](ours, 10)


def waits_for_text(environ, start_response):
    yield environ[READABLE]("7", 10)


def waits_for_the_loop(environ, start_response):
    """The descriptor of the server's own loop, which is nobody else's business."""
    for number in map(int, os.listdir("/proc/self/fd")):
        try:
            if os.readlink("/proc/self/fd/%d" % number) == "anon_inode:[eventpoll]":
                environ[READABLE](number, 10)
                yield b""
        except FileNotFoundError:
            pass


def waits_for_text_seconds(environ, start_response):
    yield environ[READABLE](SILENT[0], "1")


def waits_for_two(environ, start_response):
    environ[READABLE](SILENT[0], 10)
    yield environ[READABLE](SILENT[1], 10)


def waits_and_yields_a_body(environ, start_response):
    start_response("200 OK", PLAIN)
    environ[READABLE](SILENT[0], 10)
    yield b"body"


def waits_and_ends(environ, start_response):
    start_response("200 OK", PLAIN)
    environ[READABLE](SILENT[0], 10)
    return
    yield


def waits_on_another_thread(environ, start_response):
    """The call of another thread is refused there, and nothing becomes of it here."""
    said = []

    def elsewhere():
        try:
            environ[READABLE](SILENT[0], 10)
        except Exception as error:
            said.append("%s: %s" % (type(error).__name__, error))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    return [answer(start_response, said[0])]


def keeps(environ, start_response):
    """Keeps what belongs to it, for the page below."""
    kept.update(environ)
    return [answer(start_response, "kept")]


def waits_after_the_end(environ, start_response):
    said = []
    for key, arguments in [
        (READABLE, (SILENT[0], 10)),
        ("x-wsgiorg.suspend", ()),
        ("awsgi.sleep", (1,)),
        ("awsgi.event", ()),
    ]:
        try:
            kept[key](*arguments)
        except Exception as error:
            said.append("%s: %s" % (type(error).__name__, error))
    return [answer(start_response, "\n".join(said))]


def resumes_late(environ, start_response):
    """What `suspend` answered is called again, and when its exchange has ended."""
    resume = environ["x-wsgiorg.suspend"](5000)
    resume()
    yield b""
    again = resume()
    yield answer(start_response, "%s %s" % (bool(environ["x-wsgiorg.suspend_status"]), again))
    kept["resume"] = resume


def resumes_after_the_end(environ, start_response):
    return [answer(start_response, kept["resume"]())]


# What middleware does to the environ and to the input.


def copies_and_replaces(environ, start_response):
    """Middleware that hands on a copy, with another input."""
    import io

    changed = dict(environ)
    changed["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read().upper())

    def inner(environ, start_response):
        source = environ["x-wsgiorg.async.input"](environ)
        yield environ["x-wsgiorg.async.readable"](source, 10)
        timed_out = bool(environ["x-wsgiorg.async.timeout"])
        yield answer(start_response, "%s %s" % (source.read(100).decode(), timed_out))

    return inner(changed, start_response)


def overlooks_the_replacement(environ, start_response):
    """The same, by an application that asks the input of the server: it is told, and does not get half of a body."""
    import io

    changed = dict(environ)
    changed["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read().upper())
    source = changed["x-wsgiorg.async.input"]
    yield changed["x-wsgiorg.async.readable"](source, 10)
    yield answer(start_response, source.read(100))


def reads_asynchronously(environ, start_response):
    source = environ["x-wsgiorg.async.input"]
    parts = []
    while True:
        yield environ["x-wsgiorg.async.readable"](source, 10)
        part = source.recv(1000) if len(parts) % 2 else source.read(1000)
        if not part:
            break
        parts.append(part)
    yield answer(start_response, sum(map(len, parts)))


# Who blocks the loop.


def blocks(environ, start_response):
    time.sleep(0.5)
    return [answer(start_response, "blocked")]


def blocks_in_a_library(environ, start_response):
    threading.Event().wait(0.5)
    return [answer(start_response, "blocked")]


# Clients that leave.


def counted(name):
    """An application that is counted when it begins, and when its `close` runs."""

    def count(page):
        def begin(environ, start_response):
            gates.arrive(name)
            try:
                yield from page(environ, start_response)
            finally:
                gates.arrive(name + " closed")

        begin.__name__ = name
        return begin

    return count


@counted("leaves_in_a_wait")
def leaves_in_a_wait(environ, start_response):
    yield environ[READABLE](SILENT[0])


@counted("leaves_suspended")
def leaves_suspended(environ, start_response):
    environ["x-wsgiorg.suspend"]()
    yield b""


@counted("leaves_in_a_sleep")
def leaves_in_a_sleep(environ, start_response):
    yield from environ["awsgi.sleep"](1000)


@counted("leaves_in_the_middle")
def leaves_in_the_middle(environ, start_response):
    start_response("200 OK", PLAIN)
    yield b"first"
    yield environ[READABLE](SILENT[0])


@counted("leaves_while_it_is_sent_to")
def leaves_while_it_is_sent_to(environ, start_response):
    start_response("200 OK", PLAIN)
    while True:
        yield bytes(65536)


@counted("leaves_while_nothing_is_waited_for")
def leaves_while_nothing_is_waited_for(environ, start_response):
    while True:
        yield b""


def tidies_up(environ, start_response):
    """Waits for the client, and is told that it has left."""
    client = environ["awsgi.client"]
    gates.arrive("tidies_up")
    result = yield from environ["awsgi.wait"](client, SILENT[0])
    gates.arrive("tidied up, %s, %s" % (client in result, client.gone))


class Closing:
    """Is told of its end in `close`, once, also if it was never iterated."""

    def __init__(self, environ):
        self.environ = environ

    def __iter__(self):
        return self

    def __next__(self):
        return self.environ[READABLE](SILENT[0])

    def close(self):
        gates.arrive("leaves_a_closing closed")


def leaves_a_closing(environ, start_response):
    gates.arrive("leaves_a_closing")
    return Closing(environ)


def application(environ, start_response):
    if environ["PATH_INFO"] in ("/await", "/count"):
        return gates.serve(environ, start_response)
    return globals()[environ["PATH_INFO"].strip("/").replace("-", "_")](environ, start_response)


status_without_a_reason = start_with("200", PLAIN)
status_that_is_bytes = start_with(b"200 OK", PLAIN)
status_with_a_line_break = start_with("200 OK\r\nX: y", PLAIN)
status_of_nothing = start_with("999 Unheard", PLAIN)
header_that_is_bytes = start_with("200 OK", [(b"Content-Type", "text/plain")])
header_value_that_is_a_number = start_with("200 OK", [("Content-Length", 4)])
header_with_a_line_break = start_with("200 OK", [("X-Broken", "a\r\nX-Other: b")])
header_that_is_the_servers = start_with("200 OK", [("Transfer-Encoding", "chunked")])
header_beyond_latin_1 = start_with("200 OK", [("X-Name", "\u20ac")])
headers_in_a_dictionary = start_with("200 OK", {"Content-Type": "text/plain"})
