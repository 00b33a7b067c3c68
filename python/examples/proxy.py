"""A proxy that waits for its upstream without holding a thread.

    UPSTREAM=127.0.0.1:9000 python -m libawsgi serve proxy:application --suspending

It uses the keys of "Waiting for File Descriptor Events" (x-wsgiorg.fdevent) and sockets that do not block. Without
--suspending the same waits hold a thread each. proxy_threads.py does the same with http.client.
"""

import errno
import os
import socket

# How long the upstream may take for anything, in seconds.
PATIENCE = 10.0
CHUNK = 65536
# What is about a connection, and not about what it carries.
HOP = {
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
HOST, PORT = os.environ["UPSTREAM"].rsplit(":", 1)
# Looking up a name blocks, so it is done once, before anybody waits.
FAMILY, KIND, PROTOCOL, _, ADDRESS = socket.getaddrinfo(HOST, int(PORT), type=socket.SOCK_STREAM)[0]


class Upstream:
    """A connection to the upstream. Its methods are generators: `yield from` them."""

    def __init__(self, environ):
        self.readable = environ["x-wsgiorg.fdevent.readable"]
        self.writable = environ["x-wsgiorg.fdevent.writable"]
        self.timed_out = environ["x-wsgiorg.fdevent.timeout"]
        self.socket = socket.socket(FAMILY, KIND, PROTOCOL)
        self.socket.setblocking(False)

    def until(self, ready):
        """Suspends the request until the socket is ready. What the key answers is an empty string, to be yielded at once."""
        yield ready(self.socket, PATIENCE)
        if self.timed_out:
            raise TimeoutError("the upstream took longer than %s seconds" % PATIENCE)

    def connect(self):
        error = self.socket.connect_ex(ADDRESS)
        if error == errno.EINPROGRESS:
            yield from self.until(self.writable)
            error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))

    def send(self, data):
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self.socket.send(rest) :]
            except BlockingIOError:
                yield from self.until(self.writable)

    def receive(self):
        """What has come, at most so much; nothing at the end."""
        while True:
            try:
                return self.socket.recv(CHUNK)
            except BlockingIOError:
                yield from self.until(self.readable)

    def head(self):
        """The status line without its version, the header fields, and what has come of the body."""
        received = b""
        while b"\r\n\r\n" not in received:
            data = yield from self.receive()
            received += data
            if not data or len(received) > CHUNK:
                raise ValueError("the upstream sent no head of a response")
        head, _, body = received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        version, _, status = first.partition(" ")
        if not version.startswith("HTTP/1.") or not status[:3].isdigit():
            raise ValueError("the upstream does not speak HTTP/1")
        if not status[4:].strip():
            status = status[:3] + " Unknown"       # WSGI wants a reason
        fields = [line.partition(":") for line in lines]
        return status, [(name, value.strip()) for name, _, value in fields], body


def request_head(environ):
    target = environ.get("REQUEST_URI") or environ.get("PATH_INFO") or "/"
    # HTTP/1.0, so that the response ends with the connection and comes without chunks.
    lines = ["%s %s HTTP/1.0" % (environ["REQUEST_METHOD"], target), "Host: %s:%s" % (HOST, PORT)]
    for key, value in environ.items():
        if key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            name = key.replace("_", "-").title()
        elif key.startswith("HTTP_"):
            name = key[5:].replace("_", "-").title()
        else:
            continue
        if name.lower() not in HOP and name not in ("Host", "Expect") and value:
            lines.append("%s: %s" % (name, value))
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def application(environ, start_response):
    upstream = Upstream(environ)
    try:
        try:
            yield from upstream.connect()
            yield from upstream.send(request_head(environ))
            # The body was read before we were called, so this does not block.
            for chunk in iter(lambda: environ["wsgi.input"].read(CHUNK), b""):
                yield from upstream.send(chunk)
            status, fields, body = yield from upstream.head()
        except (OSError, ValueError) as error:
            late = isinstance(error, TimeoutError)
            start_response("504 Gateway Timeout" if late else "502 Bad Gateway", [("Content-Type", "text/plain")])
            yield b"%s\n" % str(error).encode()
            return
        # Nothing has been sent so far: one may wait before the status is known.
        start_response(status, [(name, value) for name, value in fields if name.lower() not in HOP])
        body = body or (yield from upstream.receive())
        while body:
            yield body
            body = yield from upstream.receive()
    finally:
        # Also when the client leaves, at any of the waits.
        upstream.socket.close()
