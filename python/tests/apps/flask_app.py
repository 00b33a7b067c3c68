"""An application in Flask, as its users write them."""

import hashlib
import socket
import threading

from flask import Flask, Response, request

app = Flask(__name__)
go = threading.Event()


@app.route("/hello/<name>")
def hello(name):
    return "hello, %s, by %s" % (name, request.args["by"])


@app.route("/form", methods=["POST"])
def form():
    return "%s=%s" % (request.form["name"], request.form["value"])


@app.route("/upload", methods=["POST"])
def upload():
    file = request.files["file"]
    return "%s %s" % (file.filename, hashlib.sha256(file.read()).hexdigest())


@app.route("/stream")
def stream():
    return Response((b"%05d\n" % n * 100 for n in range(1000)), mimetype="text/plain")


@app.route("/slow")
def slow():
    def parts():
        yield "first"
        go.wait(20)
        yield "second"

    return Response(parts(), mimetype="text/plain")


@app.route("/waits")
def waits():
    """The one page that knows that it may wait."""
    environ = request.environ
    readable, silent = environ["x-wsgiorg.fdevent.readable"], socket.socketpair()

    def parts():
        with silent[0], silent[1]:
            yield readable(silent[0], 0.01)
        yield "waited: %s" % bool(environ["x-wsgiorg.fdevent.timeout"])

    return Response(parts(), mimetype="text/plain")


@app.route("/go", methods=["POST"])
def let_go():
    go.set()
    return "", 204
