"""The examples serve real traffic, with wsgiref.validate around each, and end with nothing left."""

import http.server
import json
import socketserver
import subprocess
import sys
import threading
import unittest

import database
from serving import EXAMPLES, PATIENCE, Served, receive, vanish


class Example(Served):
    directory = EXAMPLES


class Hello(Example):
    spec = "validated:hello"

    def test_it_answers_all_who_ask_at_once(self):
        connections = [self.server.send("/") for _ in range(20)]
        self.assertEqual({receive(connection).text for connection in connections}, {"hello\n"})


class HelloSuspending(Hello, unittest.TestCase):
    way = ("--suspending",)


class HelloBlocking(Hello, unittest.TestCase):
    pass


class InAProgram(unittest.TestCase):
    def test_it_serves_and_asks_itself(self):
        program = [sys.executable, "-W", "error", str(EXAMPLES / "in_a_program.py")]
        printed = subprocess.run(program, stdout=subprocess.PIPE, check=True, timeout=PATIENCE).stdout
        self.assertEqual(printed, b"hello\n")


class Upstream(http.server.ThreadingHTTPServer):
    """What the proxies ask. Who asks for /gate is answered when the test opens it."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.gate = threading.Event()
        self.asked = threading.Semaphore(0)
        self.left = threading.Semaphore(0)
        self.thread = threading.Thread(target=self.serve_forever)
        self.thread.start()

    @property
    def name(self):
        return "%s:%d" % self.server_address

    def close(self):
        self.gate.set()
        self.shutdown()
        self.thread.join(PATIENCE)
        self.server_close()

    def handle_error(self, request, client_address):
        pass                    # a proxy that goes away is what some tests are about


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def do_GET(self):
        if self.path == "/silent":
            self.server.asked.release()
            # Until the proxy gives up on us.
            if not self.rfile.read(1):
                self.server.left.release()
            return
        if self.path == "/gate":
            self.server.asked.release()
            self.server.gate.wait(PATIENCE)
        if self.path == "/garbage":
            self.wfile.write(b"\r\n\r\n")
            return
        body = b"\xff" * 300000 if self.path == "/large" else b"upstream says %s" % self.path.encode()
        self.answer(body)

    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, body):
        self.send_response(203, "Somewhat")
        self.send_header("Content-Type", self.headers.get("Content-Type", "text/plain"))
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Seen", self.headers.get("X-Sent", ""))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


class Proxy(Example):
    @classmethod
    def setUpClass(cls):
        cls.upstream = Upstream()
        cls.environment = {"UPSTREAM": cls.upstream.name}
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        try:
            super().tearDownClass()
        finally:
            cls.upstream.close()

    def test_what_the_upstream_answers_is_handed_on(self):
        answer = self.ask("/a/b%20c?d=e", headers={"X-Sent": "sent"})
        self.assertEqual((answer.status, answer.text), (203, "upstream says /a/b%20c?d=e"), self.server.log())
        self.assertEqual(answer.fields["X-Seen"], "sent")

    def test_bodies_go_both_ways(self):
        sent = bytes(range(256)) * 2000
        answer = self.ask("/", sent, headers={"Content-Type": "application/x-bytes"})
        self.assertEqual((answer.status, answer.body == sent), (203, True), self.server.log())
        self.assertEqual(answer.fields["Content-Type"], "application/x-bytes")
        self.assertEqual(len(self.ask("/large").body), 300000)

    def test_many_wait_for_the_upstream_at_once(self):
        connections = [self.server.send("/gate") for _ in range(12)]
        for _ in connections:
            self.assertTrue(self.upstream.asked.acquire(timeout=PATIENCE))
        self.upstream.gate.set()
        self.assertEqual({receive(connection).text for connection in connections}, {"upstream says /gate"})

    def test_an_upstream_that_speaks_no_http_is_a_bad_gateway(self):
        self.assertEqual(self.ask("/garbage").status, 502)


class ProxyThatNotices(Proxy):
    def test_a_client_that_leaves_ends_the_connection_to_the_upstream(self):
        connection = self.server.send("/silent")
        self.assertTrue(self.upstream.asked.acquire(timeout=PATIENCE))
        vanish(connection)
        self.assertTrue(self.upstream.left.acquire(timeout=PATIENCE))


class ProxySuspending(ProxyThatNotices, unittest.TestCase):
    spec, way = "validated:proxy", ("--suspending",)


class ProxyBlocking(ProxyThatNotices, unittest.TestCase):
    spec = "validated:proxy"


class ProxyThreads(Proxy, unittest.TestCase):
    spec = "validated:proxy_threads"


class Nowhere(Example):
    """The proxies without an upstream: nobody listens there."""

    @classmethod
    def setUpClass(cls):
        with socketserver.TCPServer(("127.0.0.1", 0), None) as nobody:
            cls.environment = {"UPSTREAM": "%s:%d" % nobody.server_address}
        super().setUpClass()

    def test_no_upstream_is_a_bad_gateway(self):
        answer = self.ask("/")
        self.assertEqual(answer.status, 502)
        self.assertIn("refused", answer.text)


class NowhereSuspending(Nowhere, unittest.TestCase):
    spec, way = "validated:proxy", ("--suspending",)


class NowhereThreads(Nowhere, unittest.TestCase):
    spec = "validated:proxy_threads"


class Chat(Example):
    spec = "validated:chat"

    def test_those_who_listen_hear_what_is_said(self):
        listening = [self.server.send("/hear") for _ in range(10)]
        gone = self.server.send("/hear")
        # Whoever speaks first may be sooner than some who listen: they hear it, too.
        vanish(gone)
        self.assertEqual(self.ask("/say", "hello".encode()).status, 204)
        for connection in listening:
            self.assertEqual(json.loads(receive(connection).body), [[1, "hello"]])
        self.assertEqual(self.ask("/say", "häh?".encode()).status, 204)
        self.assertEqual(json.loads(self.get("/hear?after=1")), [[2, "häh?"]])

    def test_its_page_is_there_and_nothing_else(self):
        self.assertIn("<form", self.get("/"))
        self.assertEqual(self.ask("/nothing").status, 404)


class ChatSuspending(Chat, unittest.TestCase):
    way = ("--suspending",)


class ChatBlocking(Chat, unittest.TestCase):
    pass


class Notes(Example):
    spec = "validated:notes"

    @classmethod
    def setUpClass(cls):
        cls.database = database.Server(password="secret")
        cls.environment = {"DATABASE": "%s:%d" % cls.database.server_address, "PASSWORD": "secret"}
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        try:
            super().tearDownClass()
        finally:
            cls.database.close()

    def test_notes_are_kept(self):
        first = self.ask("/", "it's; DROP TABLE notes".encode())
        self.assertEqual(first.status, 200, first)
        number, body = first.text.split(" ", 1)
        self.assertEqual(body, "it's; DROP TABLE notes\n")
        self.assertIn(first.text, self.get("/"))
        self.assertNotIn(first.text, self.get("/?after=" + number))
        sessions = self.database.sessions
        self.get("/")
        self.assertEqual(self.database.sessions, sessions, "a session is used again")

    def test_many_wait_for_the_database_at_once(self):
        self.database.gate.clear()
        connections = [self.server.send("/?after=1000") for _ in range(12)]
        for _ in connections:
            self.assertTrue(self.database.asked.acquire(timeout=PATIENCE))
        self.database.gate.set()
        self.assertEqual({receive(connection).status for connection in connections}, {200})

    def test_what_the_database_refuses_is_told_and_its_session_lives(self):
        answer = self.ask("/?after=x")
        self.assertEqual(answer.status, 400)
        self.assertIn("invalid input syntax", answer.text)
        self.get("/")

    def test_a_session_that_the_database_has_ended_is_not_used(self):
        self.get("/")
        self.database.end_sessions()
        self.get("/")


class NotesSuspending(Notes, unittest.TestCase):
    way = ("--suspending",)


class NotesBlocking(Notes, unittest.TestCase):
    pass


class WrongPassword(Example, unittest.TestCase):
    spec, way = "validated:notes", ("--suspending",)

    @classmethod
    def setUpClass(cls):
        cls.database = database.Server(password="secret")
        cls.environment = {"DATABASE": "%s:%d" % cls.database.server_address, "PASSWORD": "wrong"}
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        try:
            super().tearDownClass()
        finally:
            cls.database.close()

    def test_it_is_told(self):
        answer = self.ask("/")
        self.assertEqual((answer.status, answer.text), (500, "password authentication failed\n"))


class ThreeDeep(Example):
    spec = "validated:three_deep"

    def test_it_sorts(self):
        lines = [b"%d\n" % (n * 7919 % 10007) for n in range(10000)]
        answer = self.ask("/", b"".join(lines))
        self.assertEqual((answer.status, answer.body == b"".join(sorted(lines))), (200, True), self.server.log())

    def test_many_sort_at_once(self):
        connections = [self.server.send("/") for _ in range(20)]
        self.assertEqual({receive(connection).status for connection in connections}, {200})


class ThreeDeepSuspending(ThreeDeep, unittest.TestCase):
    way = ("--suspending",)


class ThreeDeepBlocking(ThreeDeep, unittest.TestCase):
    pass
