"""What applications of the tests count, and whoever waits for a count: GET /await?gate=NAME&count=N.

Those who wait are suspended with x-wsgiorg.suspend, so that tests need not ask again and again.
"""

import threading
import urllib.parse

PATIENCE_MS = 20000
lock = threading.Lock()
counts = {}
waiting = []


def arrive(name):
    with lock:
        counts[name] = counts.get(name, 0) + 1
        reached = [entry for entry in waiting if counts.get(entry[0], 0) >= entry[1]]
        for entry in reached:
            waiting.remove(entry)
    for _, _, resume in reached:
        resume()


def count(name):
    with lock:
        return counts.get(name, 0)


def reset():
    with lock:
        counts.clear()


def until(environ, name, number):
    """A generator: goes on when so many have arrived."""
    with lock:
        if counts.get(name, 0) >= number:
            return
        entry = (name, number, environ["x-wsgiorg.suspend"](PATIENCE_MS))
        waiting.append(entry)
    yield b""
    with lock:
        if entry in waiting:
            waiting.remove(entry)
            raise TimeoutError("only %d of %d have arrived at %s" % (counts.get(name, 0), number, name))


def query(environ):
    return dict(urllib.parse.parse_qsl(environ["QUERY_STRING"]))


def answer(start_response, text, status="200 OK"):
    start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
    return str(text).encode()


def serve(environ, start_response):
    """What is at /await and /count."""
    wanted = query(environ)
    if environ["PATH_INFO"] == "/await":
        yield from until(environ, wanted["gate"], int(wanted["count"]))
    yield answer(start_response, count(wanted["gate"]))
