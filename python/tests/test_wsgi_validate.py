"""The validator of the standard library around applications of every kind."""

import io
import unittest.mock
import wsgiref.validate

from gateway import both, pipe
from test_wsgi_fdevent import READABLE, TIMEOUT, Waiting

TEXT = [("Content-Type", "text/plain")]


class Patient(wsgiref.validate.IteratorWrapper):
    """The validator wants start_response to be called before the iterable gives anything. PEP 3333 wants it before the
    first block that is not empty, and the drafts have applications wait before they know their status. So here empty
    blocks pass until it was called, and all else is checked as it is there."""

    def __next__(self):
        check, self.check_start_response = self.check_start_response, None
        block = super().__next__()
        self.check_start_response = check
        if check is not None and block:
            wsgiref.validate.assert_(check, "a block came before start_response was called")
            self.check_start_response = None
        return block


@both
class Validated(Waiting):
    def validated(self, application, *arguments, **options):
        streaming = options.pop("streaming", False)
        with self.stderr() as stderr, unittest.mock.patch.object(wsgiref.validate, "IteratorWrapper", Patient):
            gateway = self.gateway(wsgiref.validate.validator(application), streaming=streaming)
            client = gateway.get(*arguments, **options)
        self.assertEqual(stderr.getvalue(), "")
        self.assertEqual((client.ended, gateway.failures), ("end", []))
        return client

    def test_a_list(self):
        def application(environ, start_response):
            start_response("200 OK", TEXT)
            return [b"a", b"b"]

        self.assertEqual(self.validated(application).body, b"ab")
        self.assertEqual(self.validated(application, "HEAD", "/x?y=z").body, b"")

    def test_write_and_a_generator(self):
        def application(environ, start_response):
            write = start_response("200 OK", TEXT)
            write(b"a")
            return (block for block in [b"b", b"", b"c"])

        self.assertEqual(self.validated(application).body, b"abc")

    def test_a_body_read_in_every_way(self):
        def application(environ, start_response):
            stream = environ["wsgi.input"]
            parts = [stream.read(2), stream.readline(), stream.readlines(), list(stream)]
            environ["wsgi.errors"].write("")
            environ["wsgi.errors"].writelines([""])
            environ["wsgi.errors"].flush()
            start_response("200 OK", TEXT)
            return [repr(parts).encode()]

        for streaming in (False, True):
            if streaming and self.suspending:
                continue    # its wsgi.input cannot wait
            client = self.validated(application, "POST", body=b"abc\nd\ne", streaming=streaming)
            self.assertEqual(client.body, b"[b'ab', b'c\\n', [b'd\\n', b'e'], []]")

    def test_waits_after_and_before_start_response(self):
        reader, _ = pipe(self)

        def after(environ, start_response):
            start_response("200 OK", TEXT)
            yield environ[READABLE](reader, 0.001)
            yield b"%r" % bool(environ[TIMEOUT])

        def before(environ, start_response):
            yield environ[READABLE](reader, 0.001)
            yield from environ["awsgi.sleep"](0.001)
            environ["x-wsgiorg.suspend"](1)
            yield b""
            start_response("200 OK", TEXT)
            yield b"%r" % bool(environ[TIMEOUT])

        self.assertEqual(self.validated(after).body, b"True")
        self.assertEqual(self.validated(before).body, b"True")

    def test_its_clash_with_waiting_first_is_the_only_one(self):
        reader, _ = pipe(self)

        def application(environ, start_response):
            yield environ[READABLE](reader, 0.001)
            start_response("200 OK", TEXT)
            yield b"x"

        with self.stderr():
            gateway = self.gateway(wsgiref.validate.validator(application))
            self.assertEqual(gateway.get().status, 500)
        self.failure(gateway, "AssertionError", "start_response has not yet been called")

    def test_a_file_and_an_error(self):
        def application(environ, start_response):
            if environ["PATH_INFO"] == "/file":
                start_response("200 OK", TEXT)
                return environ["wsgi.file_wrapper"](io.BytesIO(b"abc"))
            import sys

            try:
                raise LookupError
            except LookupError:
                start_response("500 Oops", TEXT, sys.exc_info())
            return [b"sorry"]

        self.assertEqual(self.validated(application, target="/file").body, b"abc")
        self.assertEqual(self.validated(application).status, 500)

    def test_an_application_that_raises_is_closed(self):
        def application(environ, start_response):
            start_response("200 OK", TEXT)
            yield b"x"
            raise LookupError("mine")

        with self.stderr() as stderr:
            gateway = self.gateway(wsgiref.validate.validator(application))
            gateway.get()
            self.failure(gateway, "LookupError: mine")
        # It would say that the iterator was not closed.
        self.assertEqual(stderr.getvalue(), "")
