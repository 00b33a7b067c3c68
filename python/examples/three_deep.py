"""Sorts the lines of a body with a program, and waits for that program three generators deep.

    python -m libawsgi serve three_deep:application --suspending
    printf 'b\\na\\n' | curl --data-binary @- http://127.0.0.1:8080

Who waits is far from who answers: `yield from` takes each empty string up to the server, and what came back down to the
one who waits.
"""

import os
import subprocess
import tempfile

PATIENCE = 10.0
CHUNK = 65536


def application(environ, start_response):
    """First: what a web application does."""
    output, status = yield from run(environ, ["sort"], environ["wsgi.input"])
    start_response("200 OK" if status == 0 else "500 Internal Server Error", [("Content-Type", "text/plain")])
    yield output


def run(environ, command, source):
    """Second: what the program writes, and what it ends with. It knows of processes, and not of HTTP."""
    with tempfile.TemporaryFile() as stdin:
        for chunk in iter(lambda: source.read(CHUNK), b""):
            stdin.write(chunk)
        stdin.seek(0)
        process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, bufsize=0)
    try:
        output = yield from all_of(environ, process.stdout)
        ended = os.pidfd_open(process.pid)
        try:
            yield from ready(environ, ended)
        finally:
            os.close(ended)
        return output, process.wait()
    finally:
        # Nothing of it is left, also when the client is gone.
        process.stdout.close()
        if process.poll() is None:
            process.kill()
            process.wait()


def all_of(environ, pipe):
    """Third: all that comes through a pipe."""
    os.set_blocking(pipe.fileno(), False)
    parts = []
    while True:
        data = pipe.read(CHUNK)
        if data is None:
            yield from ready(environ, pipe)
        elif data:
            parts.append(data)
        else:
            return b"".join(parts)


def ready(environ, descriptor):
    """And the wait itself."""
    yield environ["x-wsgiorg.fdevent.readable"](descriptor, PATIENCE)
    if environ["x-wsgiorg.fdevent.timeout"]:
        raise TimeoutError("a program took longer than %s seconds" % PATIENCE)
