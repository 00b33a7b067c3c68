"""Flask, Bottle and Django, unchanged, blocking and suspending."""

import hashlib
import unittest
import urllib.parse

import frameworks
from serving import Served


class Framework(Served):
    @classmethod
    def setUpClass(cls):
        cls.path = [frameworks.path()]
        super().setUpClass()

    def test_a_page(self):
        self.assertEqual(self.get("/hello/w%C3%B6rld?by=%C3%BCs"), "hello, wörld, by üs")
        self.assertEqual(self.ask("/missing").status, 404)

    def test_a_form(self):
        body = urllib.parse.urlencode({"name": "näme", "value": "a b&c"}).encode()
        answer = self.ask("/form", body, headers={"Content-Type": "application/x-www-form-urlencoded"})
        self.assertEqual((answer.status, answer.text), (200, "näme=a b&c"))

    def test_an_upload(self):
        content = bytes(range(256)) * 12000     # about 3 MB: more than is kept in memory
        body = (
            b'--limit\r\nContent-Disposition: form-data; name="file"; filename="f.bin"\r\n'
            b"Content-Type: application/octet-stream\r\n\r\n" + content + b"\r\n--limit--\r\n"
        )
        answer = self.ask("/upload", body, headers={"Content-Type": "multipart/form-data; boundary=limit"})
        self.assertEqual((answer.status, answer.text), (200, "f.bin " + hashlib.sha256(content).hexdigest()))

    def test_a_streamed_response(self):
        self.assertEqual(self.get("/stream"), "".join("%05d\n" % n * 100 for n in range(1000)))

    def test_a_stream_that_waits(self):
        self.assertEqual(self.get("/waits"), "waited: True")


class Blocking(Framework):
    def test_a_stream_is_sent_as_it_comes(self):
        with self.server.send("/slow") as connection:
            self.expect(connection, b"first")
            self.assertEqual(self.ask("/go", b"").status, 204)
            self.expect(connection, b"second")

    def expect(self, connection, part):
        received = b""
        while part not in received:
            data = connection.recv(4096)
            self.assertTrue(data, "%r has no %r" % (received, part))
            received += data


class FlaskBlocking(Blocking, unittest.TestCase):
    spec = "flask_app:app"


class FlaskSuspending(Framework, unittest.TestCase):
    spec, way = "flask_app:app", ("--suspending",)


class BottleBlocking(Blocking, unittest.TestCase):
    spec = "bottle_app:app"


class BottleSuspending(Framework, unittest.TestCase):
    spec, way = "bottle_app:app", ("--suspending",)


class DjangoBlocking(Blocking, unittest.TestCase):
    spec = "django_app:app"


class DjangoSuspending(Framework, unittest.TestCase):
    spec, way = "django_app:app", ("--suspending",)
