"""Applications and clients that do what they should not, over HTTP: one sentence, a 500 or a broken transfer, and the rest
goes on."""

import http.client
import os
import signal
import subprocess
import unittest

from serving import PATIENCE, Served, Server, command, vanish

# Pages that answer 500, and what the log says of them.
REFUSED = {
    "raises-at-once": "RuntimeError: raised at once",
    "raises-before-the-head": "RuntimeError: raised before the head",
    "raises-after-the-head": "RuntimeError: raised after the head",
    "raises-after-a-wait": "RuntimeError: raised after a wait",
    "exits": "SystemExit: 3",
    "returns-none": "the application returned None, not an iterable of bytes",
    "returns-text": "the application returned a str",
    "returns-bytes": "the application returned bytes, .* return a list",
    "returns-a-number": "the application returned an int, not an iterable",
    "yields-text": "the application yielded a str, not bytes",
    "yields-none": "the application yielded None, not bytes",
    "yields-empty-text": "the application yielded a str, not bytes",
    "never-starts": "the application never called start_response",
    "never-yields": "the application never called start_response",
    "yields-too-much": "whose Content-Length is 3: send no more than was declared",
    "starts-twice": "start_response was called before",
    "status-without-a-reason": "'200' is not a status: it has no reason",
    "status-that-is-bytes": "the status is bytes, not a str",
    "status-with-a-line-break": "is not a status: it holds a control character",
    "status-of-nothing": "'999 Unheard' is not a status",
    "header-that-is-bytes": "the name of a header is bytes, not a str",
    "header-value-that-is-a-number": "the value of Content-Length is an int, not a str",
    "header-with-a-line-break": "the value of X-Broken holds a control character",
    "header-that-is-the-servers": "Transfer-Encoding is the server's to set",
    "header-beyond-latin-1": "the value of X-Name holds characters beyond ISO-8859-1",
    "headers-in-a-dictionary": "the headers are a dict, not a list",
    "waits-for-a-closed-number": "SystemCallError: .*EBADF|Bad file descriptor",
    "waits-for-a-negative-number": "a descriptor is not negative: -1",
    "waits-for-a-closed-socket": "a descriptor is not negative: -1",
    "waits-for-text": "this cannot be waited for: it is neither a number nor has it fileno",
    "waits-for-the-loop": "NestingError",
    "waits-for-text-seconds": "a timeout is a number or None, not str",
    "waits-for-two": "the application waits for one thing at a time",
    "waits-and-yields-a-body": "the application asked to wait, and then yielded a block",
    "waits-and-ends": "the application asked to wait, and ended without yielding b''",
    "overlooks-the-replacement": "wsgi.input was read by somebody else",
}

# Pages whose clients leave while they wait.
LEFT = [
    "leaves_in_a_wait",
    "leaves_suspended",
    "leaves_in_a_sleep",
    "leaves_in_the_middle",
    "leaves_while_it_is_sent_to",
    "leaves_while_nothing_is_waited_for",
    "leaves_a_closing",
]


class Bad:
    spec = "bad:application"
    quiet = False

    def tearDown(self):
        # Whatever it was, the rest goes on.
        self.assertEqual(self.get("/fine"), "fine")

    def test_what_is_wrong_is_told_once_and_answered_with_500(self):
        for page, sentence in REFUSED.items():
            with self.subTest(page):
                before = len(self.server.log())
                body = b"body" if page == "overlooks-the-replacement" else None
                answer = self.ask("/" + page, body)
                self.assertEqual(answer.status, 500)
                self.assertNotIn("Traceback", answer.text)
                self.server.wait_for(sentence, before)
                self.server.wait_for("its run failed with", before)
                self.assertEqual(self.server.log().count("Traceback", before), 1, self.server.log())

    def test_what_fails_in_the_middle_does_not_look_whole(self):
        for page in ["raises-in-the-middle", "raises-in-the-middle-of-a-length", "yields-too-little"]:
            with self.subTest(page):
                try:
                    # As long as its head was not sent, there is still something to say.
                    self.assertEqual(self.ask("/" + page).status, 500)
                except (http.client.IncompleteRead, ConnectionError):
                    pass
        self.server.wait_for("RuntimeError: raised in the middle of a length")
        self.server.wait_for("Content-Length")

    def test_a_response_is_whole_though_its_close_fails(self):
        # Its end is not sent before `close` has returned, so the client knows.
        try:
            self.assertIn(self.ask("/raises-in-close").status, (200, 500))
        except (http.client.IncompleteRead, ConnectionError):
            pass
        self.server.wait_for("RuntimeError: raised in close")
        self.assertEqual(self.get("/count?gate=raises+in+close"), "1")

    def test_what_is_called_elsewhere_is_refused_there(self):
        self.assertRegex(self.get("/waits-on-another-thread"), "^ThreadError: .*not on another thread")

    def test_what_is_called_after_the_end_is_refused(self):
        self.get("/keeps")
        said = self.get("/waits-after-the-end").splitlines()
        self.assertEqual(len(said), 4, said)
        for line in said:
            self.assertRegex(line, "^StateError: this exchange has ended")

    def test_resuming_again_or_too_late_does_nothing(self):
        self.assertEqual(self.get("/resumes-late"), "True False")
        self.assertEqual(self.get("/resumes-after-the-end"), "False")

    def test_the_input_is_that_of_middleware(self):
        self.assertEqual(self.ask("/copies-and-replaces", b"body").text, "BODY False")

    def test_the_input_of_the_second_draft_is_read_in_pieces(self):
        self.assertEqual(self.ask("/reads-asynchronously", bytes(100000)).text, "100000")

    def test_clients_that_leave_end_what_waits_for_them(self):
        for page in LEFT:
            for leave in [vanish, lambda connection: connection.close()]:
                with self.subTest(page):
                    begun, closed = (int(self.get("/count?gate=" + gate)) for gate in (page, page + "+closed"))
                    connection = self.server.send("/" + page)
                    self.get("/await?gate=%s&count=%d" % (page, begun + 1))
                    leave(connection)
                    self.get("/await?gate=%s+closed&count=%d" % (page, closed + 1))
                    self.assertEqual(self.get("/count?gate=%s+closed" % page), str(closed + 1), "closed once")

    def test_who_waits_for_the_client_is_told(self):
        connection = self.server.send("/tidies-up")
        self.get("/await?gate=tidies_up&count=1")
        vanish(connection)
        self.get("/await?gate=tidied+up,+True,+True&count=1")

    def test_clients_that_leave_in_the_middle_of_what_they_send_are_forgotten(self):
        for sent in [
            b"",
            b"POST /fi",
            b"POST /fine HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n",
            b"POST /fine HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n\r\nhalf",
            b"POST /fine HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal",
        ]:
            connection = self.server.connect()
            connection.sendall(sent)
            vanish(connection)


class BadBlocking(Bad, Served, unittest.TestCase):
    def test_a_blocking_application_may_block(self):
        self.assertEqual(self.get("/blocks"), "blocked")
        self.assertNotIn("has blocked its loop", self.server.log())


class BadSuspending(Bad, Served, unittest.TestCase):
    way = ("--suspending",)

    def test_who_blocks_the_loop_is_named_with_the_line(self):
        self.assertEqual(self.get("/blocks"), "blocked")
        self.server.wait_for(r"GET '/blocks', has blocked its loop .* line \d+, in blocks: time\.sleep\(0\.5\);")

    def test_so_it_is_when_a_library_blocks(self):
        self.assertEqual(self.get("/blocks_in_a_library"), "blocked")
        self.server.wait_for(
            r"GET '/blocks_in_a_library', has blocked its loop .*bad\.py, line \d+, in blocks_in_a_library: "
            r"threading\.Event\(\)\.wait\(0\.5\) \(deeper: .*threading\.py, line \d+, in wait\);"
        )


class NoApplication(unittest.TestCase):
    """Names behind which there is none: one sentence, and exit status 1."""

    def refused(self, spec, *options):
        done = subprocess.run(
            **command(spec, *options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=PATIENCE
        )
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        return done.stderr

    def test_a_module_that_is_not_there(self):
        self.assertRegex(self.refused("nothing:application"), "there is no module nothing in ")

    def test_a_name_that_is_not_there(self):
        self.assertRegex(self.refused("bad:nothing"), "module bad has no nothing")

    def test_what_cannot_be_called(self):
        self.assertRegex(self.refused("bad:PLAIN"), "bad:PLAIN is list: .* is called with environ and start_response")

    def test_a_module_that_raises(self):
        said = self.refused("raises:application")
        self.assertRegex(said, "raises cannot be imported: ZeroDivisionError: division by zero")
        self.assertIn("raises.py", said, "where it was raised")

    def test_a_module_that_is_no_python(self):
        self.assertRegex(self.refused("broken:application"), "broken cannot be imported: SyntaxError")

    def test_what_is_no_name(self):
        self.assertRegex(self.refused("a b:c"), "'a b:c' names no application: give module:application")


class Ending(unittest.TestCase):
    """The process ends while exchanges are suspended."""

    def start(self, *options):
        server = Server("bad:application", *options)
        self.addCleanup(server.kill)
        connections = []
        for page in ["leaves_in_a_wait", "leaves_suspended", "leaves_in_a_sleep"]:
            connections.append(server.send("/" + page))
            self.addCleanup(connections[-1].close)
            server.ask("/await?gate=%s&count=1" % page)
        return server, connections

    def test_what_does_not_end_in_time_is_cut_off(self):
        for way in [(), ("--suspending",)]:
            with self.subTest(way):
                server, connections = self.start("--drain-timeout", "0.1", *way)
                log = server.stop()
                self.assertNotIn("Traceback", log)
                for connection in connections:
                    answer = http.client.HTTPResponse(connection)
                    answer.begin()
                    self.assertEqual(answer.status, 503)
                    answer.close()

    def test_a_second_signal_ends_at_once(self):
        for way in [(), ("--suspending",)]:
            with self.subTest(way):
                server, _ = self.start(*way)
                server.signal(signal.SIGTERM)
                # Whoever drains does not listen any more.
                while True:
                    try:
                        server.connect().close()
                    except ConnectionError:
                        break
                server.signal(signal.SIGTERM)
                server.wait()
                self.assertEqual(server.process.returncode, 143, server.log())
                self.assertNotIn("Traceback", server.log())

    def test_nothing_is_left(self):
        for way in [(), ("--suspending",)]:
            with self.subTest(way):
                server = Server("bad:application", *way)
                self.addCleanup(server.kill)
                server.ask("/fine")
                threads, descriptors = left(server)
                for page in LEFT:
                    connection = server.send("/" + page)
                    server.ask("/await?gate=%s&count=1" % page)
                    vanish(connection)
                    server.ask("/await?gate=%s+closed&count=1" % page)
                for page in REFUSED:
                    server.ask("/" + page)
                server.ask("/fine")
                # The pool of blocking applications may have grown, and is kept; its waits and sockets are not.
                if way:
                    self.assertLessEqual(left(server)[0], threads)
                self.assertLessEqual(left(server)[1], descriptors + len(SOCKETS))
                server.stop()


# Connections that the server may still have, kept alive.
SOCKETS = range(2)


def left(server):
    """The threads of a server, and its descriptors."""
    process = "/proc/%d/" % server.process.pid
    return len(os.listdir(process + "task")), len(os.listdir(process + "fd"))
