"""What uWSGI gets wrong, row by row, with the right outcome: over HTTP, blocking and suspending."""

import hashlib
import threading
import unittest

from serving import Served, receive, vanish

SECOND = 1000000000


class Table:
    spec = "table:application"

    def elapsed(self, target):
        """How long the application waited, in nanoseconds of its clock, and what its flag said."""
        elapsed, timed_out = self.get(target).split()
        return int(elapsed), timed_out

    def all_of(self, target, count):
        """The texts of as many requests at once."""
        connections = [self.server.send(target) for _ in range(count)]
        answers = [receive(connection) for connection in connections]
        self.assertEqual({answer.status for answer in answers}, {200}, self.server.log())
        return [answer.text for answer in answers]

    # Which keys there are.

    def test_all_keys_are_there(self):
        keys = self.get("/describe").splitlines()
        for expected in [
            "x-wsgiorg.fdevent.readable callable",
            "x-wsgiorg.fdevent.writable callable",
            "x-wsgiorg.fdevent.timeout False",
            "x-wsgiorg.async.readable callable",
            "x-wsgiorg.async.writable callable",
            "x-wsgiorg.async.timeout False",
            "x-wsgiorg.suspend callable",
        ]:
            self.assertIn(expected, keys)
        self.assertTrue([key for key in keys if key.startswith("x-wsgiorg.async.input ")], keys)

    # Its own example.

    def test_sleepers_wait_together_and_none_is_early(self):
        took = self.all_of("/sleeping?seconds=0.3", 60)
        self.assertGreaterEqual(min(map(int, took)), 3 * SECOND // 10)

    def test_none_is_served_before_all_sixty_are_there(self):
        self.assertEqual(set(self.all_of("/together?count=60", 60)), {"together"})

    # Before the head.

    def test_one_may_wait_before_the_status_is_known(self):
        answer = self.ask("/before-the-head")
        self.assertEqual((answer.status, answer.text), (201, "True"))

    # Timeouts.

    def test_whole_seconds_are_waited_for_whole(self):
        elapsed, timed_out = self.elapsed("/timeout?timeout=1")
        self.assertGreaterEqual(elapsed, SECOND)
        self.assertEqual(timed_out, "True")

    def test_parts_of_a_second_are_waited_for(self):
        for timeout in ["0.001", "0.05", "0.5"]:
            for fd in ["object", "number"]:
                elapsed, timed_out = self.elapsed("/timeout?timeout=%s&fd=%s" % (timeout, fd))
                self.assertGreaterEqual(elapsed, float(timeout) * SECOND)
                self.assertEqual(timed_out, "True")

    def test_what_is_ready_ends_a_wait_however_long_it_may_take(self):
        self.assertEqual(self.get("/ready"), "{False}")

    def test_a_timeout_of_nothing_asks_once(self):
        self.assertEqual(self.get("/polled"), "True")

    def test_a_negative_timeout_is_refused(self):
        self.assertRegex(self.get("/negative"), "^ValueError: ")

    def test_without_a_timeout_a_wait_goes_on_until_the_client_leaves(self):
        ended = int(self.get("/count?gate=endless+ended"))
        begun = int(self.get("/count?gate=endless"))
        connections = [self.server.send("/endless"), self.server.send("/endless")]
        self.get("/await?gate=endless&count=%d" % (begun + 2))
        self.assertEqual(self.get("/count?gate=endless+ended"), str(ended), "nobody was resumed")
        # One ends what it sends, the other is suddenly gone. Both are noticed while they are suspended.
        connections[0].close()
        vanish(connections[1])
        self.get("/await?gate=endless+ended&count=%d" % (ended + 2))

    def test_no_timeout_is_early_while_others_are_served(self):
        over = threading.Event()
        served = []

        def others():
            while not over.is_set():
                served.append(self.get("/polled"))

        busy = [threading.Thread(target=others) for _ in range(2)]
        for thread in busy:
            thread.start()
        try:
            waits = []
            for _ in range(3):      # at different parts of a second
                waits += [text.split() for text in self.all_of("/timeout?timeout=0.35", 10)]
        finally:
            over.set()
            for thread in busy:
                thread.join()
        self.assertGreaterEqual(min(int(elapsed) for elapsed, _ in waits), 35 * SECOND // 100)
        self.assertEqual({timed_out for _, timed_out in waits}, {"True"})
        self.assertGreater(len(served), 30)

    def test_a_sleep_of_less_than_a_second_is_one(self):
        for seconds in ["0.5", "0.05", "0"]:
            self.assertGreaterEqual(int(self.get("/sleep?seconds=" + seconds)), float(seconds) * SECOND)

    # Several at once, and none at all.

    def test_one_of_two_is_waited_for_and_told(self):
        self.assertEqual(self.get("/any-of"), "[False, True, 'TIMED_OUT']")

    def test_all_of_several_are_waited_for(self):
        self.assertEqual(self.get("/all-of"), "[True, True, True]")

    def test_who_is_suspended_is_resumed_by_another_thread_or_by_time(self):
        self.assertEqual(self.get("/resumed"), "True False True")

    # What the environ is copied by.

    def test_the_flag_is_right_behind_middleware_that_copies_the_environ(self):
        self.assertEqual(self.get("/copied"), "True False")

    # What the draft leaves open: that two calls, or a call and a block, are errors is in test_acceptance_bad_input.

    def test_empty_strings_without_a_wait_do_not_spin(self):
        # The first hundred in a row are free, and each other takes a millisecond.
        self.get("/empty?count=90")
        self.assertGreaterEqual(int(self.get("/empty?count=300")), 190 * SECOND // 1000)

    def test_empty_strings_without_end_stop_nobody_and_end_with_the_client(self):
        ended = int(self.get("/count?gate=empty+ended"))
        given = int(self.get("/count?gate=empty"))
        connection = self.server.send("/empty")
        self.get("/await?gate=empty&count=%d" % (given + 200))
        self.assertEqual(self.get("/polled"), "True")
        vanish(connection)
        self.get("/await?gate=empty+ended&count=%d" % (ended + 1))

    # Descriptors.

    def test_a_regular_file_is_always_ready(self):
        self.assertEqual(self.get("/regular-file"), "False False")

    def test_a_number_without_a_descriptor_is_refused_at_once(self):
        self.assertEqual(self.get("/bad-descriptor"), "OSError 9 ValueError OSError 9")

    def test_a_peer_that_hangs_up_ends_the_wait(self):
        self.assertEqual(self.get("/hung-up"), "False")

    def test_two_requests_wait_for_one_descriptor(self):
        arrived = int(self.get("/count?gate=shared"))
        connections = [self.server.send("/shared") for _ in range(3)]
        self.get("/await?gate=shared&count=%d" % (arrived + 3))
        # One of them leaves: the others still wait.
        vanish(connections.pop(1))
        self.get("/share")
        self.assertEqual({receive(connection).text for connection in connections}, {"False"})
        self.get("/unshare")

    # How many.

    def test_a_hundred_and_fifty_wait_together(self):
        self.assertEqual(set(self.all_of("/together?count=150", 150)), {"together"})

    # Bodies.

    def test_a_body_that_comes_in_two_halves_is_whole(self):
        sent = bytes(range(256)) * 1000
        with self.server.connect() as connection:
            connection.sendall(b"POST /body HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n" % len(sent))
            connection.sendall(sent[:100000])
            # Others are served while the rest is missing.
            self.assertEqual(self.get("/polled"), "True")
            connection.sendall(sent[100000:])
            answer = receive(connection)
        self.assertEqual(answer.text, "%d %s" % (len(sent), hashlib.sha256(sent).hexdigest()))

    def test_a_slow_reader_gets_all_of_a_large_response(self):
        begun = int(self.get("/count?gate=large"))
        with self.server.send("/large") as connection:
            self.get("/await?gate=large&count=%d" % (begun + 2))
            # Nothing of it is read meanwhile, and the application does not run ahead.
            self.assertEqual(self.get("/polled"), "True")
            self.assertLess(int(self.get("/count?gate=large")) - begun, 256)
            body = receive(connection).body
        self.assertEqual(len(body), 16 << 20)
        self.assertEqual(body[::65536], bytes(range(256)))

    def test_lines_keep_their_ends(self):
        sent = b"a\nbb\nccc"
        self.assertEqual(self.ask("/lines", sent).text, "[b'a\\n', b'bb\\n', b'ccc', b'', b'']")
        self.assertEqual(self.ask("/lines-of", sent).text, "[b'a\\n', b'bb\\n', b'ccc']")


class TableBlocking(Table, Served, unittest.TestCase):
    way = ("--threads", "200")


class TableSuspending(Table, Served, unittest.TestCase):
    way = ("--suspending",)
