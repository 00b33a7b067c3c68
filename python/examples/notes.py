"""Notes in a database, with the client of postgres.py.

    DATABASE=127.0.0.1:5432 python -m libawsgi serve notes:application --suspending

GET / lists them, GET /?after=NUMBER those after one, POST / adds one. A request that waits for the database is suspended,
and holds no thread.
"""

import os
import urllib.parse

import postgres

HOST, PORT = os.environ["DATABASE"].rsplit(":", 1)
pool = postgres.Pool((HOST, int(PORT)), user="notes", database="notes", password=os.environ.get("PASSWORD"))


def application(environ, start_response):
    waits = postgres.Waits(environ)
    try:
        if environ["REQUEST_METHOD"] == "POST":
            length = int(environ.get("CONTENT_LENGTH") or 0)
            body = environ["wsgi.input"].read(length).decode()
            rows = yield from pool.query(waits, "INSERT INTO notes (body) VALUES ($1) RETURNING id, body", body)
        else:
            after = urllib.parse.parse_qs(environ["QUERY_STRING"]).get("after", ["0"])[0]
            rows = yield from pool.query(waits, "SELECT id, body FROM notes WHERE id > $1 ORDER BY id", after)
    except (postgres.Error, OSError, ValueError) as error:
        start_response(status_of(error), [("Content-Type", "text/plain; charset=utf-8")])
        yield ("%s\n" % error).encode()
        return
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    yield "".join("%s %s\n" % tuple(row) for row in rows).encode()


def status_of(error):
    if isinstance(error, TimeoutError):
        return "504 Gateway Timeout"
    if isinstance(error, OSError):
        return "502 Bad Gateway"
    # SQLSTATE 22: what the client gave cannot be read.
    given = isinstance(error, ValueError) or (error.code or "").startswith("22")
    return "400 Bad Request" if given else "500 Internal Server Error"
