"""`python -m libawsgi serve` as a process, and as several."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

import serving
from serving import PATIENCE, Server, Served

TWO = ("--processes", "2")


def refused(spec, *options):
    """What is said by a command that does not serve, and its exit status."""
    ran = subprocess.run(
        **serving.command(spec, *options), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=60
    )
    return ran.stderr, ran.returncode


@contextlib.contextmanager
def serves(*spec, **named):
    server = Server(*spec, **named)
    try:
        yield server
    finally:
        server.kill()


def pids(server, count):
    """Those of the processes, when so many have answered."""
    found = set()
    while len(found) < count:
        found.add(int(server.ask("/pid").text))
    return found


class One(Served, unittest.TestCase):
    spec = "process"
    quiet = False       # children that are forked say what became of them

    def test_it_is_one(self):
        self.assertEqual(pids(self.server, 1), {self.server.process.pid})
        self.assertEqual(self.get("/processes"), "False True")

    def test_what_an_application_starts_can_be_ended(self):
        # The threads of the library take no signals, and a program inherits that from the thread that starts it.
        self.assertEqual(self.get("/signals"), "2 handlers, 0 blocked")

    def test_a_child_that_comes_back_from_the_application_ends(self):
        self.assertEqual(self.get("/fork?exits"), "7")
        for way in ("returns", "waits", "raises"):
            self.assertEqual(self.get("/fork?" + way), "70")
            self.server.wait_for("an application forked, and the child came back to the server")
            # Its loop is not disturbed.
            self.assertEqual(self.get("/pid"), str(self.server.process.pid))


class Suspending(One):
    way = ("--suspending",)

    def test_it_is_one(self):
        self.assertEqual(self.get("/processes"), "False False")


class Unheard(unittest.TestCase):
    def test_it_serves_and_drains_though_nobody_reads_what_it_says(self):
        reading, writing = os.pipe()
        os.close(reading)
        self.addCleanup(os.close, writing)
        for processes in ([], TWO):
            for closed in (True, False):
                with self.subTest(processes, closed=closed):
                    self.serve(processes, {"preexec_fn": lambda: os.close(2)} if closed else {"stderr": writing})

    def serve(self, processes, unheard):
        # It cannot say at which port.
        with socket.create_server(("127.0.0.1", 0)) as listener:
            how = serving.command("process", *processes)
            at = how["args"].index("--bind")
            how["args"][at:at + 2] = ["--fd", str(listener.fileno())]
            process = subprocess.Popen(**how, **unheard, pass_fds=(listener.fileno(),), stdout=subprocess.DEVNULL)
            try:
                for target, status in (("/nowhere", 500), ("/pid", 200)):
                    with socket.create_connection(listener.getsockname(), PATIENCE) as client:
                        client.sendall(b"GET %s HTTP/1.0\r\n\r\n" % target.encode())
                        self.assertEqual(client.recv(12), b"HTTP/1.0 %d" % status)
                process.send_signal(signal.SIGTERM)
                self.assertEqual(process.wait(PATIENCE), 0)
            finally:
                process.kill()
                process.wait()


class Slow(unittest.TestCase):
    def test_clients_that_are_slow_to_send_hold_no_thread(self):
        with serves("process", "--threads", "2", "--max-body", "8M", "--body-memory", "1K") as server:
            begun = []
            self.addCleanup(lambda: [connection.close() for connection in begun])
            for size in (10, 200000) * 4:
                connection = server.connect()
                connection.sendall(b"POST /body HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n" % size)
                connection.sendall(b"x" * (size - 1))
                begun.append(connection)
            # One that sends nothing, one that waits to be asked, one in chunks; and two that leave.
            for head in (b"Content-Length: 9", b"Expect: 100-continue\r\nContent-Length: 9", b"Transfer-Encoding: chunked"):
                for leaves in (False, True):
                    connection = server.connect()
                    connection.sendall(b"POST /body HTTP/1.1\r\nHost: test\r\n%s\r\n\r\n" % head)
                    if leaves:
                        serving.vanish(connection)
                    else:
                        begun.append(connection)
            self.assertEqual(server.ask("/pid").text, str(server.process.pid))
            for connection, size in zip(begun, (10, 200000) * 4):
                connection.sendall(b"x")
                self.assertEqual(serving.receive(connection).text, str(size))
            for connection, sent in zip(begun[8:], (b"123456789", b"123456789", b"9\r\n123456789\r\n0\r\n\r\n")):
                connection.sendall(sent)
                self.assertEqual(serving.receive(connection).text, "9")
            log = server.stop()
            self.assertNotIn("Traceback", log)

    def test_what_has_not_come_when_the_server_drains_is_given_up(self):
        with serves("process", "--drain-timeout", "0.1") as server:
            connection = server.connect()
            connection.sendall(b"POST /body HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\nabc")
            server.ask("/pid")
            log = server.stop()
            self.assertEqual(serving.receive(connection).status, 503)
            self.assertNotIn("Traceback", log)


class Options(unittest.TestCase):
    def test_what_makes_no_sense_is_refused(self):
        for options, sentence in [
            (["--max-body", "much"], "write a number of bytes, as 65536, 64K, 16M or 1G, or unlimited"),
            (["--max-header-bytes", "1T"], "write a number of bytes"),
            (["--idle-timeout", "-1"], "write a number of seconds"),
            (["--drain-timeout", "nan"], "write a number of seconds"),
            (["--processes", "0"], "write a number from 1 on"),
            (["--max-queued", "0"], "write a number from 1 on"),
            (["--fd", "3"], "not allowed with argument --bind"),
            (["--bin", "x"], "unrecognized arguments: --bin"),
        ]:
            with self.subTest(options):
                said, status = refused("process", *options)
                self.assertIn(sentence, said)
                self.assertEqual(status, 2)

    def test_what_the_library_refuses(self):
        for options, sentence in [
            (["--bind", "8080"], "is no address: write ADDRESS:PORT"),
            (["--bind", "127.0.0.1:99999"], "is no address: write ADDRESS:PORT"),
            (["--max-header-bytes", "1"], "max_header_bytes"),
            (["--bind", "unix:/nowhere/at/all"], "unix:/nowhere/at/all"),
        ]:
            for processes in ([], TWO):
                with self.subTest([*options, *processes]):
                    said, status = refused("process", *options, *processes)
                    self.assertIn(sentence, said)
                    self.assertNotIn("Traceback", said)
                    self.assertEqual(status, 1)

    def test_limits_reach_the_server(self):
        with serves("process", "--max-body", "1K", "--max-headers", "5") as server:
            self.assertEqual(server.ask("/body", b"x" * 1024).text, "1024")
            self.assertEqual(server.ask("/body", b"x" * 1025).status, 413)
            self.assertEqual(server.ask("/pid", headers=[("X-%d" % i, "1") for i in range(6)]).status, 431)
            server.stop()

    def test_the_access_log_has_a_line_for_each(self):
        with tempfile.TemporaryFile("w+") as log:
            how = serving.command("process", "--access-log")
            server = Server(how=how, stdout=log)
            try:
                server.ask("/pid?a=1")
                server.ask("/nowhere")
                server.stop()
            finally:
                server.kill()
            log.seek(0)
            lines = log.read().splitlines()
        self.assertEqual(len(lines), 2, lines)
        self.assertRegex(lines[0], r'^127\.0\.0\.1 - - \[.*\] "GET /pid\?a=1 HTTP/1\.1" 200 \d+ \d+$')
        self.assertIn('"GET /nowhere HTTP/1.1" 500 ', lines[1])

    def test_a_descriptor_that_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            number = listener.fileno()
            for processes in ([], TWO):
                how = serving.command("process", *processes)
                at = how["args"].index("--bind")
                how["args"][at:at + 2] = ["--fd", str(number)]
                with serves(how={**how, "pass_fds": (number,)}) as server:
                    self.assertEqual(server.address, listener.getsockname())
                    self.assertTrue(server.ask("/pid").text)
                    server.stop()

    def test_a_path(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "socket")
            for processes in ([], TWO):
                how = serving.command("process", *processes, "--bind", "unix:" + path)
                # One that was ended badly has left its socket.
                for end in (Server.kill, Server.stop):
                    server = Server(how=how, listening=re.compile("listening on unix:(%s)()" % re.escape(path)))
                    try:
                        said, status = refused("process", *processes, "--bind", "unix:" + path)
                        self.assertIn("a server listens there: choose another path, or end that server", said)
                        self.assertEqual(status, 1)
                        with socket.socket(socket.AF_UNIX) as client:
                            client.settimeout(PATIENCE)
                            client.connect(path)
                            client.sendall(b"GET /pid HTTP/1.1\r\nHost: test\r\n\r\n")
                            self.assertTrue(client.recv(100).startswith(b"HTTP/1.1 200 "))
                        end(server)
                    finally:
                        server.kill()
                    if end is Server.stop:
                        self.assertFalse(os.path.exists(path))
            with open(path, "w"):
                said, status = refused("process", *TWO, "--bind", "unix:" + path)
                self.assertIn("a file that is no socket is there", said)


class Several(unittest.TestCase):
    def test_they_share_the_address(self):
        with serves("process", *TWO) as server:
            self.assertIn(" with 2 processes\n", server.log())
            serving_now = pids(server, 2)
            self.assertNotIn(server.process.pid, serving_now)
            self.assertEqual(server.ask("/processes").text, "True True")
            server.stop()
            for pid in serving_now:
                self.assertRaises(ProcessLookupError, os.kill, pid, 0)

    def test_one_that_dies_is_said_and_replaced(self):
        with serves("process", *TWO) as server:
            before = pids(server, 2)
            with self.assertRaises(OSError):
                server.ask("/end")
            server.wait_for(r"process \d+ ended with the exit status 3: starting another one")
            killed = pids(server, 2) & before
            os.kill(killed.pop(), signal.SIGKILL)
            server.wait_for(r"process \d+ was ended by SIGKILL: starting another one")
            self.assertFalse(pids(server, 2) & before)
            server.stop()

    def test_one_that_is_told_to_end_drains_and_is_replaced(self):
        with serves("process", *TWO) as server:
            one, other = pids(server, 2)
            os.kill(one, signal.SIGTERM)
            server.wait_for(r"process %d ended with the exit status 0: starting another one" % one)
            self.assertNotIn(one, pids(server, 2))
            server.stop()

    def test_what_does_not_start_ends_the_whole(self):
        said, status = refused("nowhere:application", *TWO)
        self.assertEqual(status, 1)
        self.assertIn("libawsgi: there is no module nowhere", said)
        self.assertIn("ended with the exit status 1 before it served: ending the others", said)
        self.assertNotIn("listening", said)

    def test_a_drain_waits_for_all_and_a_second_signal_for_none(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with serves("process", *TWO) as server:
                waiting = [server.send("/begin") for _ in range(4)]
                for connection in waiting:
                    self.assertTrue(connection.recv(1))
                server.signal(signal.SIGTERM)
                server.wait_for("SIGTERM: 2 processes stop accepting, and wait up to 30 s")
                self.assertIsNone(server.process.poll())
                server.signal(number)
                server.wait()
                self.assertEqual(server.process.returncode, 128 + number, server.log())
                for connection in waiting:
                    connection.close()

    def test_they_end_with_the_one_that_looks_after_them(self):
        with serves("process", *TWO) as server:
            ends = [os.pidfd_open(pid) for pid in pids(server, 2)]
            server.process.kill()
            for end in ends:
                self.assertTrue(serving.readable(end))
                os.close(end)


if __name__ == "__main__":
    unittest.main()
