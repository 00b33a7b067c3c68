"""Bodies that are read while they come, over HTTP, blocking and suspending."""

import hashlib
import unittest

from serving import Served, receive

HALF = b"a line of some length\n" * 4000


class Streaming:
    spec = "table:application"

    def stream(self, page):
        """Sends one half, and the other only when the application has read of the first."""
        read = int(self.get("/count?gate=streamed"))
        with self.server.connect() as connection:
            connection.sendall(b"POST %s HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n" % page)
            connection.sendall(b"%x\r\n%s\r\n" % (len(HALF), HALF))
            self.get("/await?gate=streamed&count=%d" % (read + 1))
            connection.sendall(b"%x\r\n%s\r\n0\r\n\r\n" % (len(HALF), HALF))
            return receive(connection)

    def test_the_input_is_waited_for_and_read_in_pieces(self):
        answer = self.stream(b"/streamed")
        self.assertEqual((answer.status, answer.text), (200, hashlib.sha256(HALF + HALF).hexdigest()))


class StreamingBlocking(Streaming, Served, unittest.TestCase):
    way = ("--streaming",)

    def test_an_ordinary_reader_waits_for_its_lines(self):
        answer = self.stream(b"/streamed-in-lines")
        self.assertEqual((answer.status, answer.text), (200, hashlib.sha256(HALF + HALF).hexdigest()))


class StreamingSuspending(Streaming, Served, unittest.TestCase):
    way = ("--streaming", "--suspending")
