"""The examples serve real traffic."""

import pathlib
import resource
import socket
import subprocess
import sys
import threading
import unittest

from support import PATIENCE

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent / "examples"


class Waits(unittest.TestCase):
    def test_it_sees_all_that_it_waits_for(self):
        command = [sys.executable, "-W", "error", str(EXAMPLES / "waits.py")]
        printed = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=PATIENCE).stdout
        expected = ["READY True", "READY True", "TIMED_OUT False", "expired: True"]
        self.assertEqual(printed.decode().splitlines(), expected)


class Echo(unittest.TestCase):
    def start(self, *arguments, **options):
        command = [sys.executable, "-W", "error", str(EXAMPLES / "echo_asyncio.py"), *map(str, arguments)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        self.addCleanup(self.process.stdout.close)
        self.addCleanup(self.process.stderr.close)
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)
        line = self.process.stdout.readline().decode()
        self.assertRegex(line, r"^listening on \d+\n$")
        self.port = int(line.split()[-1])

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE)

    def finish(self):
        out, err = self.process.communicate(timeout=PATIENCE)
        self.assertEqual((self.process.returncode, out, err), (0, b"", b""))

    def test_all_that_is_sent_comes_back(self):
        self.start(10)
        threads = [threading.Thread(target=self.exchange, args=(n,)) for n in range(10)]
        self.right = []
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        self.assertEqual(len(self.right), 10)
        self.finish()

    def exchange(self, n):
        sent = bytes([n]) * 300000      # more than the socket holds
        with self.connect() as connection:
            sender = threading.Thread(target=lambda: (connection.sendall(sent), connection.shutdown(socket.SHUT_WR)))
            sender.start()
            with connection.makefile("rb") as answers:
                if answers.read() == sent:
                    self.right.append(n)
            sender.join(PATIENCE)

    def test_one_that_is_idle_is_told_so(self):
        self.start(2, 50)
        with self.connect() as idle, idle.makefile("rb") as answers:
            self.assertEqual(answers.read(), b"idle, closing\n")
        with self.connect() as connection, connection.makefile("rb") as answers:
            connection.sendall(b"x\n")
            self.assertEqual(answers.readline(), b"x\n")
            self.assertEqual(answers.readline(), b"idle, closing\n")
        self.finish()

    def test_one_that_takes_nothing_is_closed(self):
        self.start(1, 50)
        with self.connect() as connection:
            with self.assertRaises(OSError):
                while True:
                    connection.sendall(bytes(65536))
        self.finish()

    def test_a_peer_that_vanishes_is_no_failure(self):
        self.start(2)
        for _ in range(2):
            connection = self.connect()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.sendall(b"x" * 100000)
            connection.close()
        self.finish()

    def test_without_descriptors_connections_are_refused(self):
        few = 16
        self.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (few, few)))
        held = [self.connect() for _ in range(few)]
        answers = [self.ask(connection) for connection in held]
        self.assertEqual(set(answers), {b"x", b""}, "some are served, and some refused")
        for connection in held:
            connection.close()
        # Those that were served are free again, in a while.
        answer = b""
        while answer != b"x":
            with self.connect() as connection:
                answer = self.ask(connection)

    @staticmethod
    def ask(connection):
        try:
            connection.sendall(b"x")
            return connection.recv(1)
        except OSError:
            return b""
