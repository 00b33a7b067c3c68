"""What all servers of WSGI applications are measured with: the same pages, each waiting in the way of its server.

SERVER names it. `sleep` is what a user of that server would write.
"""

import os
import time

TEXT = [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")]
SERVER = os.environ.get("SERVER", "awsgi")


def answer(start_response, body):
    start_response("200 OK", [*TEXT, ("Content-Length", str(len(body)))])
    return body


def hello(environ, start_response):
    return [answer(start_response, b"hello\n")]


if SERVER == "awsgi":

    def sleep(environ, milliseconds):
        yield from environ["awsgi.sleep"](milliseconds / 1000)

elif SERVER == "uwsgi":
    import uwsgi

    def sleep(environ, milliseconds):
        # It counts whole seconds.
        yield uwsgi.async_sleep(milliseconds // 1000)

else:
    # gevent has put its own in the place of time.sleep; in threads it blocks one.
    def sleep(environ, milliseconds):
        time.sleep(milliseconds / 1000)
        return ()


def slept(environ, start_response):
    milliseconds = int(environ["QUERY_STRING"].partition("=")[2])
    for _ in sleep(environ, milliseconds) or ():
        yield b""
    yield answer(start_response, b"slept %d ms\n" % milliseconds)


def late(environ, start_response):
    """By how many microseconds a sleep was late, of the application's clock; less than 0: it was early."""
    milliseconds = int(environ["QUERY_STRING"].partition("=")[2])
    began = time.monotonic_ns()
    for _ in sleep(environ, milliseconds) or ():
        yield b""
    took = time.monotonic_ns() - began
    yield answer(start_response, b"%d\n" % ((took - milliseconds * 1000000) // 1000))


PAGES = {"/hello": hello, "/sleep": slept, "/late": late}


def application(environ, start_response):
    return PAGES[environ["PATH_INFO"]](environ, start_response)
