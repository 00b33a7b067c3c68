"""libawsgi.Server and libawsgi.serve, for programs in Python that serve by themselves."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import unittest
import urllib.error
import urllib.request

import libawsgi
from serving import APPS, PACKAGES
from support import PATIENCE


def hello(environ, start_response):
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]


def get(server, target="/"):
    with urllib.request.urlopen(server.address + target, timeout=PATIENCE) as response:
        return response.read()


class Servers(unittest.TestCase):
    def test_two_at_once_with_an_application_each(self):
        def pair(environ, start_response):
            start_response("200 OK", [])
            yield b"pair"

        with libawsgi.Server(hello, bind="127.0.0.1:0") as one:
            with libawsgi.Server(pair, bind="127.0.0.1:0", suspending=True) as other:
                self.assertEqual((get(one), get(other)), (b"hello", b"pair"))
            self.assertEqual(get(one), b"hello")

    def test_it_listens_before_it_serves_and_not_after(self):
        server = libawsgi.Server(hello, bind="127.0.0.1:0")
        port = int(server.address.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as early:
            early.sendall(b"GET / HTTP/1.0\r\n\r\n")
            with server:
                self.assertTrue(early.recv(100).startswith(b"HTTP/1."))
        self.assertRaises(ConnectionRefusedError, socket.create_connection, ("127.0.0.1", port), PATIENCE)
        self.assertRaises(RuntimeError, getattr, server, "address")
        self.assertRaises(RuntimeError, server.drain)
        server.close()

    def test_what_makes_no_sense_is_refused_before_it_listens(self):
        nan, endless = float("nan"), float("inf")
        for error, sentence, options in [
            (ValueError, "drain_timeout is a number of seconds", {"drain_timeout": values})
            for values in (-1, nan, endless, None, "1", 1e12)
        ] + [
            (ValueError, "idle_timeout is a number of seconds", {"idle_timeout": None}),
            (ValueError, "threads is a number from 0 on, not -1", {"threads": -1}),
            (ValueError, "threads is a number from 0 on", {"threads": 1 << 40}),
            (ValueError, "workers is a number from 0 on, not 1.5", {"workers": 1.5}),
            (ValueError, "max_body is a number from 1 on", {"max_body": 1 << 64}),
            (ValueError, "max_queued is a number from 1 on, not 0", {"max_queued": 0}),
            (TypeError, "log is called with each line", {"log": "log"}),
            (TypeError, "access_log is called with each line", {"access_log": True}),
        ]:
            with self.subTest(options), self.assertRaisesRegex(error, sentence):
                libawsgi.Server(hello, bind="127.0.0.1:0", **options).close()

    def test_a_drain_that_makes_no_sense_changes_nothing(self):
        with libawsgi.Server(hello, bind="127.0.0.1:0") as server:
            self.assertRaises(ValueError, server.drain, -1)
            self.assertRaises(ValueError, server.close, "soon")
            self.assertEqual(get(server), b"hello")

    def test_what_is_open_may_finish(self):
        arrived, go = threading.Event(), threading.Event()

        def slow(environ, start_response):
            arrived.set()
            go.wait(PATIENCE)
            return hello(environ, start_response)

        answers = []
        server = libawsgi.Server(slow, bind="127.0.0.1:0").start()
        client = threading.Thread(target=lambda: answers.append(get(server)))
        client.start()
        self.assertTrue(arrived.wait(PATIENCE))
        server.drain()
        go.set()
        server.close()
        client.join(PATIENCE)
        self.assertEqual(answers, [b"hello"])

    def test_lines_are_given_to_who_wants_them(self):
        lines, log = [], []
        options = {"access_log": lines.append, "log": lambda level, line: log.append((level, line))}

        def fails(environ, start_response):
            raise ZeroDivisionError("on purpose")

        # What fails is told on stderr.
        with libawsgi.Server(fails, bind="127.0.0.1:0", **options) as server:
            with self.assertRaises(urllib.error.HTTPError), quiet():
                get(server, "/told")
        self.assertEqual(len(lines), 1)
        self.assertIn('"GET /told HTTP/1.1" 500', lines[0])
        self.assertEqual([level for level, _ in log], ["error"])

    def test_bad_arguments_are_refused_and_leave_nothing(self):
        for wrong, error in [
            ({"bind": "nowhere"}, ValueError),
            ({"fd": 12345}, (OSError, ValueError)),
            ({"max_headers": 0}, ValueError),
            ({"idle_timeout": -1}, ValueError),
            ({"memory": -1}, ValueError),
            ({"unheard_of": 1}, TypeError),
            ({"application": "nowhere:application"}, ImportError),
            ({"application": 5}, TypeError),
            ({"log_level": "loud"}, ValueError),
        ]:
            with self.subTest(wrong):
                before = threading.active_count()
                with self.assertRaises(error):
                    libawsgi.Server(**{"application": hello, "bind": "127.0.0.1:0", **wrong})
                self.assertEqual(threading.active_count(), before)

    def test_a_server_serves_once(self):
        with libawsgi.Server(hello, bind="127.0.0.1:0") as server:
            self.assertRaises(RuntimeError, server.start)
            self.assertRaises(libawsgi.StateError, server.run)


class quiet:
    """Standard error, as the interpreter sees it, is not to be read by those who look at the tests."""

    def __enter__(self):
        self.before, sys.stderr = sys.stderr, open(os.devnull, "w")

    def __exit__(self, *_):
        sys.stderr.close()
        sys.stderr = self.before


def program(text):
    """A program in Python that has `libawsgi` and `process`, the application."""
    return subprocess.Popen(
        [sys.executable, "-X", "dev", "-c", textwrap.dedent(text)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(APPS), str(PACKAGES)])},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )


class Ends(unittest.TestCase):
    """The interpreter ends while something is open."""

    def run_program(self, text):
        with program(text) as ran:
            try:
                return (*ran.communicate(timeout=PATIENCE), ran.returncode)
            finally:
                ran.kill()

    def test_suspended_exchanges_are_closed(self):
        printed, said, status = self.run_program("""
            import libawsgi, process, urllib.request
            server = libawsgi.Server(process.application, bind="127.0.0.1:0", suspending=True).start()
            open_ones = [urllib.request.urlopen(server.address + "/begin") for _ in range(3)]
            print(*(response.read(5) for response in open_ones), flush=True)
        """)
        self.assertEqual(printed.splitlines(), ["b'begun' " * 2 + "b'begun'"] + ["closed"] * 3, said)
        self.assertEqual(status, 0, said)

    def test_threads_that_wait_are_told_and_closed(self):
        printed, said, status = self.run_program("""
            import libawsgi, process, urllib.request
            server = libawsgi.Server(process.application, bind="127.0.0.1:0").start()
            response = urllib.request.urlopen(server.address + "/begin")
            print(response.read(5), flush=True)
        """)
        self.assertEqual((printed.splitlines(), status), (["b'begun'", "closed"], 0), said)

    def test_threads_that_do_not_come_back_are_left_where_they_are(self):
        for block in ("time.sleep(1000)", "while True: pass"):
            printed, said, status = self.run_program("""
                import libawsgi, time, threading, urllib.request
                def application(environ, start_response):
                    start_response("200 OK", [])
                    yield b"begun"
                    %s
                server = libawsgi.Server(application, bind="127.0.0.1:0").start()
                response = urllib.request.urlopen(server.address)
                print(response.read(5), flush=True)
            """ % block)
            self.assertEqual((printed.splitlines(), status), (["b'begun'"], 0), said)
            self.assertIn("an application did not return from a call: it was left behind", said)

    def test_a_failure_of_the_program_is_its_own(self):
        printed, said, status = self.run_program("""
            import libawsgi, process
            with libawsgi.Server(process.application, bind="127.0.0.1:0") as server:
                raise SystemExit(7)
        """)
        self.assertEqual((printed, status), ("", 7), said)

    def test_serve_takes_signals_and_gives_them_back(self):
        ran = program("""
            import libawsgi, process, signal
            before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
            print(libawsgi.serve(process.application, bind="127.0.0.1:0"))
            print(before == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)))
        """)
        with ran:
            try:
                self.assertIn("listening on ", ran.stderr.readline())
                ran.send_signal(signal.SIGINT)
                printed, said = ran.communicate(timeout=PATIENCE)
            finally:
                ran.kill()
        self.assertEqual((printed, ran.returncode), ("0\nTrue\n", 0), said)


if __name__ == "__main__":
    unittest.main()
