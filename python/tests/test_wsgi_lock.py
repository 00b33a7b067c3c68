"""The interpreter's lock, which no thread may hold while it waits for the host or for a client.

Each test is a process of its own: one that hangs with the lock could not even look at the clock.
"""

import subprocess
import sys
import unittest

from support import PATIENCE

SLOW_CLIENT = """
import socket
import urllib.request

import libawsgi

LENGTH = 16 << 20


def application(environ, start_response):
    start_response("200 OK", [])
    return [b"x" * LENGTH if environ["PATH_INFO"] == "/large" else b"small"]


with libawsgi.Server(application, bind="127.0.0.1:0", threads=2) as server:
    host, port = server.address[len("http://"):].split(":")
    with socket.create_connection((host, int(port))) as slow:
        slow.sendall(b"GET /large HTTP/1.0\\r\\n\\r\\n")
        slow.recv(1)
        # Its thread waits for room.
        for _ in range(10):
            with urllib.request.urlopen(server.address) as answer:
                assert answer.read() == b"small"
        size = 1
        while True:
            piece = slow.recv(1 << 20)
            if not piece:
                break
            size += len(piece)
        assert size > LENGTH, size
print("served")
"""

# The owner of the reactor writes a line for each failure, while pool threads have him make waitables.
LOGGING = """
import threading
import urllib.error
import urllib.request

import libawsgi


def application(environ, start_response):
    for _ in range(20):
        event = environ["awsgi.event"]()
        event.notify()
        assert (yield from environ["awsgi.wait"](event))
        assert event.take() == 1
        event.close()
    if environ["PATH_INFO"] == "/fails":
        raise LookupError("mine")
    start_response("200 OK", [])
    yield b"waited"


def ask(target):
    for _ in range(20):
        try:
            with urllib.request.urlopen(server.address + target) as answer:
                assert answer.read() == b"waited"
        except urllib.error.HTTPError as error:
            assert error.code == 500 and target == "/fails"


lines = []
with libawsgi.Server(application, bind="127.0.0.1:0", log=lambda level, line: lines.append(line)) as server:
    threads = [threading.Thread(target=ask, args=(target,)) for target in ["/fails", "/waits"] * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
assert len(lines) >= 80, lines
print("served")
"""


class Lock(unittest.TestCase):
    def served(self, script):
        ran = subprocess.run(
            [sys.executable, "-X", "dev", "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            timeout=3 * PATIENCE,
        )
        self.assertEqual((ran.returncode, ran.stdout), (0, "served\n"), ran.stderr)

    def test_a_client_that_takes_nothing_holds_up_no_other(self):
        self.served(SLOW_CLIENT)

    def test_failures_are_logged_while_threads_wait(self):
        self.served(LOGGING)
