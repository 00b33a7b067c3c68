"""Applications that do something wrong: one failure in the log, a 500 or a broken body, and the rest goes on."""

import gc
import itertools
import threading

from gateway import both, pipe
from test_wsgi_fdevent import READABLE, Waiting

from libawsgi._native import check, lib
from libawsgi.wsgi.exchange import Exchange

TEXT = [("Content-Type", "text/plain")]


@both
class Failures(Waiting):
    def fails(self, application, *words, body=b""):
        """It fails, before anything was sent or after; then another request is answered."""

        def either(environ, start_response):
            if environ["PATH_INFO"] == "/good":
                start_response("200 OK", TEXT)
                return [b"good"]
            return application(environ, start_response)

        gateway = self.gateway(either)
        client = gateway.get()
        if body:
            # What was given before may have left, or not.
            self.assertIn((client.status, client.ended), ((200, "abort"), (500, "end")))
        else:
            self.assertEqual((client.status, client.ended), (500, "end"))
            self.assertIn(b"500 Internal Server Error", client.body)
        said = self.failure(gateway, *words)
        self.assertIn("Traceback", said)
        self.assertEqual(gateway.get(target="/good").body, b"good")
        self.assertEqual(len(gateway.closed), 2)
        return client

    def test_it_raises_when_called(self):
        def application(environ, start_response):
            raise LookupError("mine")

        self.fails(application, "LookupError: mine", "in application")

    def test_it_raises_after_it_gave_its_head(self):
        def application(environ, start_response):
            start_response("200 OK", TEXT)
            raise LookupError("mine")

        self.fails(application, "LookupError: mine")

    def test_it_raises_in_its_first_step(self):
        def application(environ, start_response):
            start_response("200 OK", TEXT)
            raise LookupError("mine")
            yield

        self.fails(application, "LookupError: mine")

    def test_it_raises_in_the_middle(self):
        def application(environ, start_response):
            start_response("200 OK", TEXT)
            yield b"begun"
            raise LookupError("mine")

        client = self.fails(application, "LookupError: mine", body=b"begun")
        if self.suspending:
            self.assertEqual((client.body, client.ended), (b"begun", "abort"))

    def test_it_raises_after_a_wait(self):
        reader, _ = pipe(self)

        def application(environ, start_response):
            yield environ[READABLE](reader, 0.001)
            raise LookupError("mine")

        self.fails(application, "LookupError: mine")

    def test_it_raises_what_is_no_exception(self):
        for error in (SystemExit(3), KeyboardInterrupt(), GeneratorExit()):

            def application(environ, start_response):
                raise error

            self.fails(application, type(error).__name__)

    def test_close_raises(self):
        class Iterable(list):
            def close(self):
                raise LookupError("mine")

        def application(environ, start_response):
            start_response("200 OK", TEXT)
            return Iterable([b"body"])

        self.fails(application, "LookupError: mine", "in close", body=b"body")

    def test_both_raise(self):
        class Iterable:
            def __iter__(self):
                raise LookupError("first")

            def close(self):
                raise ValueError("second")

        with self.stderr() as stderr:
            self.fails(lambda environ, start_response: Iterable(), "LookupError: first")
        self.assertIn("ValueError: second", stderr.getvalue())

    def test_close_raises_when_the_client_left(self):
        waiting = []

        class Iterable:
            def __init__(self, environ):
                self.environ = environ

            def __iter__(self):
                return self

            def __next__(self):
                waiting.append(self.environ["x-wsgiorg.suspend"]())
                return b""

            def close(self):
                raise LookupError("mine")

        gateway = self.gateway(lambda environ, start_response: Iterable(environ))
        client = gateway.open()
        gateway.until(lambda: waiting)
        gateway.turns(3)
        client.leave()
        self.assertEqual(client.wait().ended, "abort")
        self.failure(gateway, "LookupError: mine")

    def test_close_runs_once_also_after_a_failure(self):
        closed = []

        class Iterable:
            def __iter__(self):
                yield b"x"
                raise LookupError("mine")

            def close(self):
                closed.append(1)

        def application(environ, start_response):
            start_response("200 OK", TEXT)
            return Iterable()

        self.fails(application, "LookupError: mine", body=b"x")
        self.assertEqual(closed, [1])

    def test_it_never_calls_start_response(self):
        for iterable in ([], [b"x"], iter([b"x"]), iter([])):
            self.fails(lambda environ, start_response: iterable, "StateError", "never called start_response")

    def test_it_returns_what_is_no_iterable(self):
        def returning(answer):
            def application(environ, start_response):
                start_response("200 OK", TEXT)
                return answer

            return application

        self.fails(returning(None), "TypeError: the application returned None, not an iterable of bytes")
        self.fails(returning(5), "TypeError: the application returned an int, not an iterable of bytes")
        self.fails(returning("text"), "TypeError: the application returned a str", "return a list")
        self.fails(returning(b"bytes"), "TypeError: the application returned bytes", "return a list")
        self.fails(returning({}), "TypeError: the application returned a dict")

    def test_it_yields_what_is_no_bytes(self):
        def yielding(block):
            def application(environ, start_response):
                start_response("200 OK", TEXT)
                return [block]

            return application

        self.fails(yielding("text"), "TypeError: the application yielded a str, not bytes; encode it", "'text'")
        self.fails(yielding(""), "TypeError: the application yielded a str, not bytes")
        self.fails(yielding(None), "TypeError: the application yielded None, not bytes")
        self.fails(yielding(5), "TypeError: the application yielded an int, not bytes")
        self.fails(yielding(0), "TypeError: the application yielded an int, not bytes")
        self.fails(yielding(bytearray(b"x")), "TypeError: the application yielded a bytearray, not bytes")
        self.fails(yielding(memoryview(b"x")), "TypeError: the application yielded a memoryview, not bytes")
        self.fails(yielding([b"x"]), "TypeError: the application yielded a list, not bytes")

    def test_it_writes_what_is_no_bytes(self):
        def application(environ, start_response):
            start_response("200 OK", TEXT)("text")

        self.fails(application, "TypeError: the application wrote a str, not bytes; encode it")

    def test_it_sends_more_than_it_declared(self):
        def application(environ, start_response):
            start_response("200 OK", [("Content-Length", "3")])
            yield b"ab"
            yield b"cd"

        self.fails(application, "InvalidError: 2 bytes would follow 2 of a response whose Content-Length is 3", body=b"ab")

    def test_it_writes_more_than_it_declared(self):
        def application(environ, start_response):
            start_response("200 OK", [("Content-Length", "3")])(b"abcd")

        self.fails(application, "4 bytes would follow 0")

    def test_it_sends_less_than_it_declared(self):
        def application(environ, start_response):
            start_response("200 OK", [("Content-Length", "3")])
            return [b"ab"]

        gateway = self.gateway(application)
        client = gateway.get()
        self.assertIn((client.status, client.ended), ((200, "abort"), (500, "end")))
        self.assertIn("ended after 2 of 3 bytes", "\n".join(gateway.log))

    def test_it_writes_after_its_end(self):
        kept = []

        class Iterable:
            def __iter__(self):
                yield b"x"

            def close(self):
                kept.append(1)
                self.write(b"late")

        def application(environ, start_response):
            iterable = Iterable()
            iterable.write = start_response("200 OK", TEXT)
            return iterable

        self.fails(application, "StateError", body=b"x")
        self.assertEqual(kept, [1])

    def test_it_yields_without_end(self):
        pulled = []

        def application(environ, start_response):
            start_response("200 OK", TEXT)
            for number in itertools.count():
                pulled.append(number)
                yield b"x" * 1000

        gateway = self.gateway(application, output=10000)
        client = gateway.open(hold=True)
        gateway.until(lambda: len(pulled) > 10)
        gateway.turns(20)
        self.assertLess(len(pulled), 13)
        client.leave()
        self.assertEqual(client.wait().ended, "abort")

    def test_a_client_that_is_cut_off_by_the_host(self):
        reader, _ = pipe(self)
        events = []

        def application(environ, start_response):
            try:
                events.append("waits")
                yield environ[READABLE](reader)
            finally:
                events.append("closed")

        gateway = self.gateway(application)
        client = gateway.open()
        gateway.until(lambda: events)
        gateway.turns(3)
        check(lib.awsgi_exchange_fail(client.token, 503))
        self.assertEqual((client.wait().status, events), (503, ["waits", "closed"]))

    def test_a_drain_that_is_over_ends_what_waits(self):
        reader, _ = pipe(self)
        events = []

        def application(environ, start_response):
            try:
                events.append("waits")
                yield environ[READABLE](reader)
            finally:
                events.append("closed")

        gateway = self.gateway(application)
        clients = [gateway.open() for _ in range(3)]
        gateway.until(lambda: len(events) == 3)
        check(lib.awsgi_gateway_close(gateway.gateway, 1000000))
        for client in clients:
            self.assertEqual(client.wait().status, 503)
        self.assertEqual(events.count("closed"), 3)

    def test_an_end_with_exchanges_suspended(self):
        reader, _ = pipe(self)
        events = []

        def application(environ, start_response):
            try:
                events.append("waits")
                yield environ[READABLE](reader)
            finally:
                events.append("closed")

        gateway = self.gateway(application)
        for _ in range(3):
            gateway.open()
        gateway.until(lambda: len(events) == 3)
        check(lib.awsgi_reactor_close(gateway.reactor))
        gateway.until(lambda: events.count("closed") == 3)

    def test_nothing_is_left_of_a_thousand_that_failed(self):
        def application(environ, start_response):
            yield environ["awsgi.sleep"](0) and b""
            raise LookupError("mine")

        gateway = self.gateway(application)
        threads = threading.active_count()
        for _ in range(300):
            gateway.get().release()
        self.assertEqual(len(gateway.failures), 300)
        gateway.failures.clear()
        self.assertEqual(gateway.states, {})
        self.assertLessEqual(threading.active_count(), threads + 16)
        gc.collect()
        # The last pool thread may be on its way out.
        gateway.until(lambda: not any(type(one) is Exchange for one in gc.get_objects()))


@both
class Middleware(Waiting):
    def test_one_that_relays_what_it_gets(self):
        reader, _ = pipe(self)

        def inner(environ, start_response):
            yield environ[READABLE](reader, 0.01)
            start_response("200 OK", TEXT)
            yield b"late" if environ["x-wsgiorg.fdevent.timeout"] else b"early"

        class Upper:
            def __init__(self, iterable):
                self.iterator = iter(iterable)
                self.close = iterable.close

            def __iter__(self):
                return self

            def __next__(self):
                return next(self.iterator).upper()

        def middleware(environ, start_response):
            copy = dict(environ, **{"PATH_INFO": "/changed"})
            return Upper(inner(copy, lambda status, headers: start_response(status, headers + [("X-A", "b")])))

        client = self.gateway(middleware).get()
        self.assertEqual((client.body, client.headers[-1]), (b"LATE", (b"X-A", b"b")))

    def test_one_that_swallows_the_empty_block_fails_visibly(self):
        reader, _ = pipe(self)

        def inner(environ, start_response):
            start_response("200 OK", TEXT)
            yield environ[READABLE](reader, 0.01)
            yield b"block"

        def middleware(environ, start_response):
            return (block for block in inner(environ, start_response) if block)

        gateway = self.gateway(middleware)
        self.assertEqual(gateway.get().status, 500)
        self.failure(gateway, "asked to wait, and then yielded a block")

    def test_one_without_the_keys(self):
        def inner(environ, start_response):
            start_response("200 OK", TEXT)
            yield b"%r" % ("x-wsgiorg.fdevent.readable" in environ)

        def middleware(environ, start_response):
            return inner({"REQUEST_METHOD": environ["REQUEST_METHOD"]}, start_response)

        self.assertEqual(self.gateway(middleware).get().body, b"False")
