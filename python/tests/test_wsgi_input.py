"""The body of a request: wsgi.input, and x-wsgiorg.async.input."""

import io
import os

from gateway import GatewayTest, both

from libawsgi import wsgi

BODY = b"a\nbb\n\nccc"


def reading(read):
    """An application that answers with what `read(input)` answers."""

    def application(environ, start_response):
        answer = read(environ["wsgi.input"])
        start_response("200 OK", [])
        return [repr(answer).encode()]

    return application


# What a file in memory answers is what an input has to answer.
WAYS = {
    "read": lambda stream: [stream.read(), stream.read()],
    "read of a size": lambda stream: [stream.read(3), stream.read(0), stream.read(100), stream.read(1)],
    "read of none": lambda stream: [stream.read(None), stream.read(-1)],
    "readline": lambda stream: [stream.readline() for _ in range(6)],
    "readline of a size": lambda stream: [stream.readline(size) for size in (1, 1, 0, 2, 9, -1, 2, 9, 9)],
    "readline of none": lambda stream: [stream.readline(None), stream.readline(-1)],
    "readlines": lambda stream: [stream.readlines(), stream.readlines()],
    "readlines with a hint": lambda stream: [stream.readlines(1), stream.readlines(3), stream.readlines(0)],
    "readlines of none": lambda stream: stream.readlines(None),
    "iteration": lambda stream: [list(stream), list(stream)],
    "next": lambda stream: [next(stream, None), next(stream, None), iter(stream) is stream],
    "all": lambda stream: [stream.read(1), stream.readline(), next(stream, 0), stream.readlines(1), stream.read()],
}


class Reading:
    """What is true of every input."""

    options = {}

    def test_it_reads_as_a_file_does(self):
        for name, read in WAYS.items():
            for body in (BODY, BODY + b"\n", b"", b"\n" * 5):
                with self.subTest(name, body=body):
                    client = self.gateway(reading(read), **self.options).get("POST", body=body)
                    self.assertEqual(client.body.decode(), repr(read(io.BytesIO(body))))

    def test_a_request_without_a_body_has_an_empty_one(self):
        client = self.gateway(reading(lambda stream: [stream.read(), list(stream)]), **self.options).get()
        self.assertEqual(client.body, b"[b'', []]")

    def test_a_body_of_unknown_length(self):
        client = self.gateway(reading(lambda stream: stream.read()), **self.options).open("POST", body=..., length=-1)
        client.feed(b"ab")
        client.feed(b"cd", end=True)
        self.assertEqual(client.wait().body, b"b'abcd'")


@both
class PreRead(Reading):
    def test_the_application_is_called_when_all_of_it_is_there(self):
        called = []

        def application(environ, start_response):
            called.append(environ["wsgi.input"].read())
            start_response("200 OK", [])
            return [b"done"]

        gateway = self.gateway(application)
        client = gateway.open("POST", body=..., length=10)
        gateway.turns(3)
        client.feed(b"01234")
        gateway.turns(3)
        self.assertEqual(called, [])
        client.feed(b"56789", end=True)
        self.assertEqual(client.wait().body, b"done")
        self.assertEqual(called, [b"0123456789"])

    def test_what_is_large_goes_to_a_file(self):
        inputs = []
        body = os.urandom(300000)

        def application(environ, start_response):
            stream = environ["wsgi.input"]
            inputs.append(stream)
            start_response("200 OK", [])
            yield stream.read(7)
            yield stream.readline()
            yield b"".join(stream)

        gateway = self.gateway(application, memory=100000)
        client = gateway.open("POST", body=..., length=len(body))
        client.feed_all(body)
        self.assertEqual(client.wait().body, body)
        self.assertNotIsInstance(inputs[0], io.BytesIO)
        self.assertTrue(inputs[0].closed)
        self.assertEqual(gateway.get("POST", body=b"x" * 99999).body, b"x" * 99999)
        self.assertIsInstance(inputs[1], io.BytesIO)

    def test_what_came_in_chunks_has_a_length(self):
        def application(environ, start_response):
            start_response("200 OK", [])
            names = ("CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING")
            return [repr([environ.get(name) for name in names] + [environ["wsgi.input"].read()]).encode()]

        gateway = self.gateway(application)
        client = gateway.open("POST", headers=[("Transfer-Encoding", "chunked")], body=..., length=-1)
        client.feed(b"abc", end=True)
        self.assertEqual(eval(client.wait().body), ["3", None, b"abc"])
        client = gateway.open("POST", headers=[("Transfer-Encoding", "chunked")], body=..., length=-1)
        client.feed(end=True)
        self.assertEqual(eval(client.wait().body), [None, "chunked", b""])
        self.assertEqual(eval(gateway.get("POST", body=b"").body), ["0", None, b""])

    def test_a_client_that_leaves_before_its_body_came_calls_nothing(self):
        gateway = self.gateway(reading(lambda stream: self.fail("called")))
        client = gateway.open("POST", body=..., length=10)
        gateway.turns(3)
        client.feed(b"01234")
        gateway.turns(3)
        client.leave()
        self.assertEqual(client.wait().ended, "abort")

    def test_an_upload_that_ends_leaves_no_file(self):
        import gc

        before = len(os.listdir("/proc/self/fd"))
        gateway = self.gateway(reading(lambda stream: len(stream.read())), memory=0)
        inside = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            self.assertEqual(gateway.get("POST", body=b"x" * 70000).body, b"70000")
        client = gateway.open("POST", body=..., length=10)
        client.feed(b"12345")
        gateway.turns(5)
        client.leave()
        client.wait()
        gc.collect()
        self.assertGreaterEqual(inside, before)
        self.assertEqual(len(os.listdir("/proc/self/fd")), inside)

    # ---- x-wsgiorg.async.input ----

    def async_application(self, read):
        def application(environ, start_response):
            answer = yield from read(environ)
            start_response("200 OK", [])
            yield repr(answer).encode()

        return application

    def test_async_input_gives_at_most_what_is_asked_for(self):
        def read(environ):
            stream, readable = environ["x-wsgiorg.async.input"], environ["x-wsgiorg.async.readable"]
            pieces = []
            while True:
                yield readable(stream, 1.0)
                self.assertFalse(environ["x-wsgiorg.async.timeout"])
                piece = stream.recv(4) if len(pieces) % 2 else stream.read(4)
                pieces.append(piece)
                if not piece:
                    return pieces

        client = self.gateway(self.async_application(read)).get("POST", body=b"0123456789")
        self.assertEqual(client.body, b"[b'0123', b'4567', b'89', b'']")

    def test_async_input_refuses_what_is_no_size(self):
        def application(environ, start_response):
            for size, error in ((-1, ValueError), (None, TypeError), ("1", TypeError)):
                with self.assertRaises(error):
                    environ["x-wsgiorg.async.input"].read(size)
            with self.assertRaises(TypeError):
                environ["x-wsgiorg.async.input"].read()
            start_response("200 OK", [])
            return [environ["x-wsgiorg.async.input"].read(0) + environ["x-wsgiorg.async.input"].recv(9)]

        self.assertEqual(self.gateway(application).get("POST", body=b"abc").body, b"abc")

    def test_a_file_behind_it_is_read_too(self):
        def read(environ):
            yield environ["x-wsgiorg.async.readable"](environ["x-wsgiorg.async.input"])
            return len(environ["x-wsgiorg.async.input"].recv(100000))

        gateway = self.gateway(self.async_application(read), memory=0)
        self.assertEqual(gateway.get("POST", body=b"x" * 65000).body, b"65000")

    def test_input_that_middleware_replaced_is_what_is_read(self):
        def read(environ):
            environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read().upper())
            yield environ["x-wsgiorg.async.readable"](environ["x-wsgiorg.async.input"])
            return environ["x-wsgiorg.async.input"].recv(10)

        self.assertEqual(self.gateway(self.async_application(read)).get("POST", body=b"abc").body, b"b'ABC'")

    def test_so_it_is_in_a_copied_environ_that_is_named(self):
        def read(environ):
            copy = dict(environ)
            copy["wsgi.input"] = io.BytesIO(b"replaced")
            stream = copy["x-wsgiorg.async.input"](copy)
            yield copy["x-wsgiorg.async.readable"](stream)
            return stream.recv(3), stream.recv(10)

        self.assertEqual(self.gateway(self.async_application(read)).get("POST", body=b"abc").body, b"(b'rep', b'laced')")

    def test_in_an_environ_that_is_named_it_may_be_named_again(self):
        def read(environ):
            stream, environ = environ["x-wsgiorg.async.input"], dict(environ)
            yield environ["x-wsgiorg.async.readable"](stream)
            return stream.recv(1), stream(environ).recv(1), stream(environ).recv(1), environ["wsgi.input"].read()

        answer = self.gateway(self.async_application(read)).get("POST", body=b"abcde")
        self.assertEqual(answer.body, b"(b'a', b'b', b'c', b'de')")

    def test_input_that_somebody_else_has_read_fails_visibly(self):
        def application(environ, start_response):
            copy = dict(environ)
            copy["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read().upper())
            copy["x-wsgiorg.async.input"].recv(10)

        gateway = self.gateway(application)
        self.assertEqual(gateway.get("POST", body=b"abc").status, 500)
        self.failure(gateway, "StateError: wsgi.input was read by somebody else")

    def test_input_that_was_taken_away_fails_visibly(self):
        def application(environ, start_response):
            environ["wsgi.input"] = None
            environ["x-wsgiorg.async.input"].recv(10)

        gateway = self.gateway(application)
        self.assertEqual(gateway.get("POST", body=b"abc").status, 500)
        self.failure(gateway, "StateError: middleware has replaced wsgi.input")


@both
class Streaming(Reading):
    options = {"streaming": True}

    def test_the_application_reads_while_the_body_comes(self):
        def application(environ, start_response):
            stream, readable = environ["x-wsgiorg.async.input"], environ["x-wsgiorg.async.readable"]
            start_response("200 OK", [])
            while True:
                yield readable(stream, 20.0)
                piece = stream.recv(100)
                if not piece:
                    break
                yield b"<" + piece + b">"

        gateway = self.gateway(application, streaming=True)
        client = gateway.open("POST", body=..., length=-1)
        for piece in (b"one", b"two", b"three"):
            client.feed(piece)
            gateway.until(lambda: client.body.endswith(b"<" + piece + b">"))
        client.feed(end=True)
        self.assertEqual(client.wait().body, b"<one><two><three>")

    def test_awsgi_waits_for_the_input_too(self):
        def application(environ, start_response):
            stream = environ["x-wsgiorg.async.input"]
            result = yield from environ["awsgi.wait"](stream, timeout=20)
            start_response("200 OK", [])
            yield b"%r %r" % (stream in result, stream.recv(10))
            result = yield from environ["awsgi.wait"](environ["wsgi.input"], timeout=0)
            yield b" %r" % bool(result)

        gateway = self.gateway(application, streaming=True)
        client = gateway.open("POST", body=..., length=10)
        gateway.turns(3)
        client.feed(b"ab")
        self.assertEqual(client.wait().body, b"True b'ab' False")

    def test_reading_before_anything_came_is_an_error(self):
        said = []

        def application(environ, start_response):
            for _ in range(2):
                try:
                    environ["x-wsgiorg.async.input"].recv(10)
                except BlockingIOError as error:
                    said.append(str(error))
            yield environ["x-wsgiorg.async.readable"](environ["x-wsgiorg.async.input"])
            start_response("200 OK", [])
            yield environ["x-wsgiorg.async.input"].recv(10)

        gateway = self.gateway(application, streaming=True)
        client = gateway.open("POST", body=..., length=3)
        gateway.until(lambda: len(said) == 2)
        client.feed(b"abc", end=True)
        self.assertEqual(client.wait().body, b"abc")
        self.assertIn("has not arrived", said[0])

    def test_a_large_body_is_streamed_in_little_memory(self):
        def application(environ, start_response):
            stream, readable = environ["x-wsgiorg.async.input"], environ["x-wsgiorg.async.readable"]
            total, largest = 0, 0
            while True:
                yield readable(stream)
                piece = stream.recv(1 << 20)
                if not piece:
                    break
                total += len(piece)
                largest = max(largest, len(piece), len(environ["wsgi.input"]._buffer))
            start_response("200 OK", [])
            yield b"%d %d" % (total, largest <= 65536)

        gateway = self.gateway(application, streaming=True)
        client = gateway.open("POST", body=..., length=3000000)
        client.feed_all(b"x" * 3000000)
        self.assertEqual(client.wait().body, b"3000000 1")

    def test_input_that_middleware_replaced_fails_visibly(self):
        def application(environ, start_response):
            environ["wsgi.input"] = io.BytesIO(b"other")
            environ["x-wsgiorg.async.input"].recv(10)

        gateway = self.gateway(application, streaming=True)
        self.assertEqual(gateway.get("POST", body=b"abc").status, 500)
        self.failure(gateway, "StateError: middleware has replaced wsgi.input")

    def test_a_client_that_leaves_while_it_is_waited_for(self):
        seen = []

        def application(environ, start_response):
            try:
                stream = environ["x-wsgiorg.async.input"]
                seen.append("waits")
                yield environ["x-wsgiorg.async.readable"](stream, 20.0)
                # Draft 2: empty only if the client closed, or at the end.
                seen.append((stream.recv(10), environ["awsgi.client"].gone, bool(environ["x-wsgiorg.async.timeout"])))
                environ["wsgi.input"].read()
            finally:
                seen.append("ended")

        gateway = self.gateway(application, streaming=True)
        client = gateway.open("POST", body=..., length=10)
        gateway.until(lambda: seen)
        gateway.turns(3)
        client.leave()
        self.assertEqual(client.wait().ended, "abort")
        # A pool thread that had not begun to wait is told by its wait, as if it had.
        self.assertEqual(seen, ["waits", (b"", True, False), "ended"])



class StreamingInSteps(GatewayTest):
    """wsgi.input itself cannot wait in a step."""

    def test_what_needs_more_than_is_there_raises_and_loses_nothing(self):
        def application(environ, start_response):
            stream = environ["wsgi.input"]
            tries = 0
            while True:
                try:
                    body = stream.read()
                    break
                except BlockingIOError:
                    tries += 1
                    yield environ["x-wsgiorg.async.readable"](environ["x-wsgiorg.async.input"])
            start_response("200 OK", [])
            yield b"%r %r" % (tries > 1, body)

        gateway = self.gateway(application, streaming=True)
        client = gateway.open("POST", body=..., length=6)
        for piece in (b"ab", b"cd", b"ef"):
            gateway.turns(3)
            client.feed(piece)
        client.feed(end=True)
        self.assertEqual(client.wait().body, b"True b'abcdef'")

    def test_so_does_a_line_that_is_not_complete(self):
        def application(environ, start_response):
            stream, lines = environ["wsgi.input"], []
            start_response("200 OK", [])
            while True:
                try:
                    line = stream.readline()
                except BlockingIOError:
                    yield environ["x-wsgiorg.async.readable"](environ["x-wsgiorg.async.input"])
                    continue
                if not line:
                    break
                yield b"<%s>" % line

        gateway = self.gateway(application, streaming=True)
        client = gateway.open("POST", body=..., length=-1)
        for piece in (b"a", b"b\nc", b"d\n\ne"):
            gateway.turns(3)
            client.feed(piece)
        client.feed(end=True)
        self.assertEqual(client.wait().body, b"<ab\n><cd\n><\n><e>")


class StreamingOnAThread(GatewayTest):
    suspending = False

    def test_a_read_waits_for_what_it_needs(self):
        def application(environ, start_response):
            stream = environ["wsgi.input"]
            start_response("200 OK", [])
            yield repr([stream.readline(), stream.read(3), stream.read()]).encode()

        gateway = self.gateway(application, streaming=True)
        client = gateway.open("POST", body=..., length=-1)
        for piece in (b"a", b"b\nc", b"d", b"ef"):
            gateway.turns(3)
            client.feed(piece)
        client.feed(end=True)
        self.assertEqual(client.wait().body, b"[b'ab\\n', b'cde', b'f']")

    def test_a_client_that_leaves_ends_the_read(self):
        raised = []

        def application(environ, start_response):
            try:
                environ["wsgi.input"].read()
            except wsgi.ClientGone as error:
                raised.append(error)
                raise

        gateway = self.gateway(application, streaming=True)
        client = gateway.open("POST", body=..., length=10)
        client.feed(b"abc")
        gateway.turns(3)
        client.leave()
        self.assertEqual(client.wait().ended, "abort")
        self.assertLessEqual(len(raised), 1)
