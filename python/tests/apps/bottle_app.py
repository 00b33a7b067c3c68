"""An application in Bottle, as its users write them."""

import hashlib
import socket
import threading

from bottle import Bottle, request, response

app = Bottle()
go = threading.Event()


@app.get("/hello/<name>")
def hello(name):
    return "hello, %s, by %s" % (name, request.query.by)


@app.post("/form")
def form():
    return "%s=%s" % (request.forms.name, request.forms.value)


@app.post("/upload")
def upload():
    file = request.files["file"]
    return "%s %s" % (file.filename, hashlib.sha256(file.file.read()).hexdigest())


@app.get("/stream")
def stream():
    response.content_type = "text/plain"
    return (b"%05d\n" % n * 100 for n in range(1000))


@app.get("/slow")
def slow():
    yield "first"
    go.wait(20)
    yield "second"


@app.get("/waits")
def waits():
    """The one page that knows that it may wait. Bottle looks for the first block that is not empty by itself."""
    environ = request.environ
    readable, silent = environ["x-wsgiorg.fdevent.readable"], socket.socketpair()

    def parts():
        yield b"wait"
        with silent[0], silent[1]:
            yield readable(silent[0], 0.01)
        yield b"ed: %s" % str(bool(environ["x-wsgiorg.fdevent.timeout"])).encode()

    return parts()


@app.post("/go")
def let_go():
    go.set()
    response.status = 204
