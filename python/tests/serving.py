"""A server with a Python application, as a user starts it, and what talks to it over HTTP."""

import http.client
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import sys
import threading

import libawsgi
from support import PATIENCE

TESTS = pathlib.Path(__file__).resolve().parent
APPS = TESTS / "apps"
# Where the package is that is tested: in the clone, or installed.
PACKAGES = pathlib.Path(libawsgi.__file__).resolve().parents[1]
EXAMPLES = TESTS.parent / "examples"
LISTENING = re.compile(r"listening on http://(.+):(\d+)")


def command(spec, *options, directory=APPS, path=(), **environment):
    """What subprocess is told to serve an application, at a port that the kernel chooses."""
    arguments = [sys.executable, "-m", "libawsgi", "serve", spec, "--bind", "127.0.0.1:0", *options]
    # The applications are found where it runs, and libawsgi where we have it from.
    path = [str(directory), str(PACKAGES), *path, os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path)), **environment}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    return {"args": arguments, "env": environment, "cwd": directory, "stdin": subprocess.DEVNULL}


class Server:
    """`python -m libawsgi serve SPEC ...`, which serves; or another server, if `how` is what subprocess is told."""

    def __init__(self, *spec, how=None, stdout=subprocess.DEVNULL, listening=LISTENING, **named):
        how = how or command(*spec, **named)
        self.command = " ".join(how["args"])
        self.process = subprocess.Popen(**how, stdout=stdout, stderr=subprocess.PIPE, text=True)
        self.lines = []
        self.said = threading.Condition()
        self.reader = threading.Thread(target=self._read)
        self.reader.start()
        try:
            found = self.wait_for(listening)
        except AssertionError:
            self.kill()
            raise
        self.address = (found[1], int(found[2] or 0))

    def _read(self):
        with self.process.stderr as stream:
            for line in stream:
                with self.said:
                    self.lines.append(line)
                    self.said.notify_all()
        with self.said:
            self.lines.append(None)
            self.said.notify_all()

    def log(self):
        with self.said:
            return "".join(line for line in self.lines if line)

    def wait_for(self, pattern, since=0):
        """The first match of a pattern in the log, after so many characters of it. It may still be to come."""
        pattern = re.compile(pattern)

        def found():
            text = "".join(line for line in self.lines if line)
            return pattern.search(text, since) or (self.lines and self.lines[-1] is None)

        with self.said:
            match = self.said.wait_for(found, PATIENCE)
            if not isinstance(match, re.Match):
                text = "".join(line for line in self.lines if line)
                raise AssertionError("the log of %s has no %r:\n%s" % (self.command, pattern.pattern, text))
            return match

    def connect(self):
        connection = socket.create_connection(self.address, PATIENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def ask(self, target, body=None, method=None, headers=()):
        """One request on a connection of its own: the status, the fields, the body."""
        connection = http.client.HTTPConnection(*self.address, timeout=PATIENCE)
        try:
            connection.request(method or ("GET" if body is None else "POST"), target, body, dict(headers))
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def send(self, target, headers=()):
        """Sends a GET, and answers the connection: to be read with `receive`, or left."""
        connection = self.connect()
        lines = ["GET %s HTTP/1.1" % target, "Host: test", *headers]
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return connection

    def signal(self, number):
        os.kill(self.process.pid, number)

    def stop(self):
        """Drains it; answers the log."""
        self.signal(signal.SIGTERM)
        self.wait()
        if self.process.returncode:
            raise AssertionError("%s ended with %d:\n%s" % (self.command, self.process.returncode, self.log()))
        return self.log()

    def wait(self):
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("%s does not end:\n%s" % (self.command, self.log())) from None
        finally:
            self.reader.join(PATIENCE)

    def kill(self):
        """Ends it, however it is."""
        self.process.kill()
        self.process.wait()
        self.reader.join(PATIENCE)


class Answer:
    def __init__(self, status, fields, body):
        self.status, self.fields, self.body = status, fields, body

    @property
    def text(self):
        return self.body.decode()

    def __repr__(self):
        return "<%d %r>" % (self.status, self.body[:200])


def receive(connection):
    """The answer to what `send` has sent."""
    response = http.client.HTTPResponse(connection)
    try:
        response.begin()
        return Answer(response.status, response.headers, response.read())
    finally:
        response.close()
        connection.close()


def readable(descriptor):
    """Whether it becomes so, before that takes for ever."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(PATIENCE * 1000))


def vanish(connection):
    """Closes a connection with a reset, as one who is suddenly gone."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


class Served:
    """Tests of one application, with a server for all of them. `way` is how it is run."""

    spec = None
    way = ()
    directory = APPS
    path = ()
    environment = {}
    # What the log of a test may say: nobody else's failure is overlooked.
    quiet = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = Server(cls.spec, *cls.way, directory=cls.directory, path=cls.path, **cls.environment)

    @classmethod
    def tearDownClass(cls):
        try:
            log = cls.server.stop()
            if cls.quiet and "Traceback" in log:
                raise AssertionError("something failed:\n" + log)
        finally:
            cls.server.kill()
            super().tearDownClass()

    def ask(self, *arguments, **named):
        return self.server.ask(*arguments, **named)

    def get(self, target):
        """The text of a page that is to be there."""
        answer = self.ask(target)
        self.assertEqual(answer.status, 200, "%s: %r\n%s" % (target, answer, self.server.log()))
        return answer.text
