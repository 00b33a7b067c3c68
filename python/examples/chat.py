"""A chat by long polling: whoever listens is suspended until somebody speaks.

    python -m libawsgi serve chat:application --suspending      then open http://127.0.0.1:8080

It uses x-wsgiorg.suspend: an application that was suspended goes on when somebody calls what `suspend` answered, from any
thread, or when its time is over. A thousand listeners hold no thread. They share the memory of one process, so leave
--processes at 1.
"""

import json
import threading
import urllib.parse

# A proxy on the way may give up on a request that takes a minute.
PATIENCE_MS = 25000
# Who was away for longer than this has missed something.
KEPT = 1000

PAGE = b"""<!doctype html>
<title>chat</title>
<ul id=said></ul>
<form onsubmit="fetch('say', {method: 'POST', body: text.value}); text.value = ''; return false">
<input id=text autofocus></form>
<script>
(async function () {
  for (let after = 0;;) {
    const heard = await (await fetch('hear?after=' + after)).json();
    for (const [number, text] of heard) {
      said.appendChild(document.createElement('li')).textContent = text;
      after = number;
    }
  }
})();
</script>
"""


class Room:
    """What was said, and who waits for more. Requests of several workers use it at once."""

    def __init__(self):
        self.lock = threading.Lock()
        self.said = []
        self.count = 0
        self.listeners = set()

    def say(self, text):
        with self.lock:
            self.count += 1
            self.said = self.said[-KEPT + 1 :] + [(self.count, text)]
            listeners, self.listeners = self.listeners, set()
        for resume in listeners:
            resume()

    def after(self, number, suspend):
        """What was said after that, or None and how to leave again: then the request is to be suspended."""
        with self.lock:
            heard = [message for message in self.said if message[0] > number]
            if heard:
                return heard, None
            # Before the lock is given back: who speaks from now on resumes us, even before we are suspended.
            resume = suspend(PATIENCE_MS)
            self.listeners.add(resume)
            return None, resume

    def leave(self, resume):
        with self.lock:
            self.listeners.discard(resume)


room = Room()


def hear(environ, start_response):
    query = urllib.parse.parse_qs(environ["QUERY_STRING"])
    number = int(query.get("after", ["0"])[0])
    heard, resume = room.after(number, environ["x-wsgiorg.suspend"])
    if resume:
        try:
            yield b""
        finally:
            # Also when the client has left.
            room.leave(resume)
        with room.lock:
            heard = [message for message in room.said if message[0] > number]
    start_response("200 OK", [("Content-Type", "application/json"), ("Cache-Control", "no-store")])
    yield json.dumps(heard).encode()


def say(environ, start_response):
    length = int(environ.get("CONTENT_LENGTH") or 0)
    room.say(environ["wsgi.input"].read(length).decode("utf-8", "replace"))
    start_response("204 No Content", [])
    return []


def page(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(PAGE)))])
    return [PAGE]


def lost(environ, start_response):
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    return [b"there are GET / and /hear?after=NUMBER, and POST /say\n"]


def application(environ, start_response):
    routes = {("GET", "/"): page, ("GET", "/hear"): hear, ("POST", "/say"): say}
    route = routes.get((environ["REQUEST_METHOD"], environ["PATH_INFO"]), lost)
    return route(environ, start_response)
