"""The response: start_response, write, and what is iterated over."""

import io
import itertools
import sys
import tempfile
import threading

from gateway import PATIENCE, both

TEXT = [("Content-Type", "text/plain")]


@both
class Iterables:
    def answer(self, application, *arguments, **options):
        return self.gateway(application).get(*arguments, **options)

    def whole(self, application, body=b"ab", **options):
        """The response, which is complete."""
        client = self.answer(application, **options)
        self.assertEqual((client.status, client.body, client.ended), (200, body, "end"))
        return client

    def test_a_list(self):
        def application(environ, start_response):
            start_response("200 OK", TEXT)
            return [b"a", b"b"]

        client = self.whole(application)
        self.assertEqual(client.headers, [(b"Content-Type", b"text/plain")])
        self.assertEqual(client.length, 2)

    def test_a_tuple_and_an_empty_list(self):
        def application(environ, start_response):
            start_response("200 OK", TEXT)
            return (b"a", b"", b"b") if environ["PATH_INFO"] == "/" else []

        self.assertEqual(self.whole(application).length, 2)
        self.assertEqual(self.whole(application, b"", target="/empty").length, 0)

    def test_a_generator_may_start_its_response_itself(self):
        def application(environ, start_response):
            start_response("200 OK", TEXT)
            yield b"a"
            yield b"b"

        length = self.whole(application).length
        if self.suspending:
            # Not known when the first block leaves. On a thread the end may have come by then.
            self.assertEqual(length, -1)

    def test_an_iterator_a_callable_object_and_a_class(self):
        class Application:
            def __init__(self, environ, start_response):
                self.start = start_response

            def __iter__(self):
                self.start("200 OK", TEXT)
                return iter([b"a", b"b"])

        class Called:
            def __call__(self, environ, start_response):
                start_response("200 OK", TEXT)
                return map(bytes, [b"a", b"b"])

        self.whole(Application)
        self.whole(Called())

    def test_one_item_that_can_be_counted_tells_the_length(self):
        class One:
            def __len__(self):
                return 1

            def __iter__(self):
                yield b"ab"

        def application(environ, start_response):
            start_response("200 OK", TEXT)
            return One()

        self.assertEqual(self.whole(application).length, 2)

    def test_what_is_written_comes_before_what_is_iterated(self):
        def application(environ, start_response):
            write = start_response("200 OK", TEXT)
            self.assertIsNone(write(b"a"))
            write(b"")
            return [b"b"]

        # A list of one tells nothing of the length when something was written before.
        self.assertEqual(self.whole(application).headers, [(b"Content-Type", b"text/plain")])

    def test_written_in_the_iterable(self):
        def application(environ, start_response):
            write = start_response("200 OK", TEXT)
            write(b"a")
            yield b""
            write(b"b")

        self.whole(application)

    def test_much_can_be_written(self):
        block = bytes(range(256)) * 1024

        def application(environ, start_response):
            write = start_response("200 OK", TEXT)
            for _ in range(3):
                write(block)
            return [b"end"]

        self.whole(application, block * 3 + b"end")

    def test_blocks_of_any_size(self):
        blocks = [b"x" * size for size in (1, 65535, 65536, 65537, 1000000, 1)]

        def application(environ, start_response):
            start_response("200 OK", TEXT)
            return blocks if environ["PATH_INFO"] == "/" else iter(blocks)

        self.assertEqual(self.whole(application, b"".join(blocks)).length, 1196610)
        self.whole(application, b"".join(blocks), target="/iter")

    def test_a_subclass_of_bytes(self):
        class Bytes(bytes):
            pass

        def application(environ, start_response):
            start_response("200 OK", TEXT)
            return iter([Bytes(b"a"), Bytes(b""), Bytes(b"b")])

        self.whole(application)

    def test_a_declared_length_is_kept(self):
        def application(environ, start_response):
            start_response("200 OK", [("Content-Length", "2")])
            yield b"a"
            yield b"b"

        client = self.whole(application)
        self.assertEqual((client.length, client.headers), (2, []))

    def test_head_204_and_304_send_no_body_and_pull_no_more(self):
        for method, status in (("HEAD", "200 OK"), ("GET", "204 No Content"), ("GET", "304 Not Modified")):
            pulled = []

            def application(environ, start_response):
                try:
                    start_response(status, [("X-A", "1")])
                    for number in itertools.count():
                        pulled.append(number)
                        yield b"endless"
                finally:
                    pulled.append("closed")

            client = self.answer(application, method=method)
            self.assertEqual((client.status, client.body, client.ended), (int(status[:3]), b"", "end"))
            self.assertTrue(client.bodiless)
            self.assertEqual(pulled, [0, "closed"])

    def test_head_tells_the_length(self):
        def application(environ, start_response):
            start_response("200 OK", [("Content-Length", "1000")] if environ["PATH_INFO"] == "/" else [])
            return [b"abc"] if environ["PATH_INFO"] != "/" else []

        self.assertEqual(self.answer(application, "HEAD").length, 1000)
        self.assertEqual(self.answer(application, "HEAD", "/list").length, 3)

    def test_a_length_that_head_cannot_know_is_not_told(self):
        def application(environ, start_response):
            start_response("200 OK", [])
            if environ["PATH_INFO"] == "/":
                return []
            return iter([b"a", b"b"])

        self.assertEqual(self.answer(application, "HEAD").length, -1)
        self.assertEqual(self.answer(application, "HEAD", "/iter").length, -1)

    def test_304_may_tell_the_length_of_what_it_does_not_send(self):
        def application(environ, start_response):
            start_response("304 Not Modified", [("Content-Length", "1000")])
            return [b"dropped"]

        self.assertEqual(self.answer(application).length, 1000)

    def test_written_to_head(self):
        def application(environ, start_response):
            write = start_response("200 OK", [("Content-Length", "6")])
            write(b"abc")
            write(b"def")
            return []

        client = self.answer(application, "HEAD")
        self.assertEqual((client.length, client.body, client.ended), (6, b"", "end"))

    def test_a_file(self):
        file = tempfile.TemporaryFile()
        file.write(b"x" * 200000)
        file.seek(50000)

        def application(environ, start_response):
            start_response("200 OK", TEXT)
            return environ["wsgi.file_wrapper"](file, 8192)

        self.whole(application, b"x" * 150000)
        self.assertTrue(file.closed)

    def test_a_file_is_sent_up_to_its_content_length(self):
        def application(environ, start_response):
            start_response("200 OK", [("Content-Length", "5")])
            return environ["wsgi.file_wrapper"](io.BytesIO(b"abcdefgh"), 3)

        self.whole(application, b"abcde")

    def test_nothing_is_delayed(self):
        """A block leaves before the application makes the next."""
        gateways = []

        def application(environ, start_response):
            start_response("200 OK", TEXT)
            yield b"a"
            if self.suspending:
                (client,) = gateways[0].clients.values()
                yield client.body + b"?"
            else:
                resume.append(environ["x-wsgiorg.suspend"]())
                yield b""
                yield b"a?"

        resume = []
        gateways.append(self.gateway(application))
        client = gateways[0].open()
        if not self.suspending:
            gateways[0].until(lambda: client.body == b"a")
            gateways[0].until(lambda: resume)
            resume[0]()
        self.assertEqual(client.wait().body, b"aa?")

    def test_the_head_waits_for_the_first_block(self):
        def application(environ, start_response):
            start_response("200 OK", TEXT)
            resume.append(environ["x-wsgiorg.suspend"]())
            yield b""
            start_response("202 Accepted", TEXT, (ValueError, ValueError(), None))
            yield b"later"

        resume = []
        gateway = self.gateway(application)
        client = gateway.open()
        gateway.until(lambda: resume)
        gateway.turns(3)
        self.assertIsNone(client.status)
        resume[0]()
        self.assertEqual((client.wait().status, client.body), (202, b"later"))

    def test_close_runs_once_at_the_end(self):
        events = []

        class Iterable:
            def __iter__(self):
                events.append("iter")
                return iter([b"a", b"b"])

            def close(self):
                events.append("close")

        def application(environ, start_response):
            start_response("200 OK", TEXT)
            return Iterable()

        self.whole(application)
        self.assertEqual(events, ["iter", "close"])

    def test_of_the_iterable_only_iter_len_and_close_are_used(self):
        asked = set()

        class Iterable:
            def __getattribute__(self, name):
                asked.add(name)
                return super().__getattribute__(name)

            def __iter__(self):
                return iter([b"a", b"b"])

        def application(environ, start_response):
            start_response("200 OK", TEXT)
            return Iterable()

        self.whole(application)
        self.assertLessEqual(asked, {"__class__", "__len__", "__iter__", "close"})

    def test_close_runs_where_the_application_ran(self):
        threads = []

        class Iterable:
            def __iter__(self):
                threads.append(threading.get_ident())
                yield b"ab"

            def close(self):
                threads.append(threading.get_ident())

        def application(environ, start_response):
            threads.append(threading.get_ident())
            start_response("200 OK", TEXT)
            return Iterable()

        self.whole(application)
        self.assertEqual(len(threads), 3)
        self.assertEqual(len(set(threads)), 1)

    def test_the_iterable_is_never_pulled_beyond_the_high_water_mark(self):
        pulled = []

        def application(environ, start_response):
            start_response("200 OK", TEXT)
            for number in range(100):
                pulled.append(number)
                yield b"x" * 1000

        gateway = self.gateway(application, output=4000)
        client = gateway.open(hold=True)
        gateway.until(lambda: len(pulled) >= 5)
        gateway.turns(10)
        # Four fill it, and one waits for room.
        self.assertEqual(len(pulled), 5)
        client.take(once=True)
        gateway.until(lambda: len(pulled) >= 9)
        gateway.turns(10)
        self.assertLessEqual(len(pulled), 10)
        client.hold = False
        client.take()
        self.assertEqual(client.wait().body, b"x" * 100000)

    def test_a_list_of_much_is_given_as_it_is_taken(self):
        def application(environ, start_response):
            start_response("200 OK", TEXT)
            return [b"x" * 100000] * 20

        gateway = self.gateway(application)
        client = gateway.open(hold=True)
        gateway.until(lambda: client.status)
        gateway.turns(5)
        self.assertIsNone(client.ended)
        client.hold = False
        client.take()
        self.assertEqual(len(client.wait().body), 2000000)


@both
class StartResponse:
    def refused(self, status="200 OK", headers=None, error=ValueError):
        """What start_response says to an application that gives this. It fails with a 500."""
        said = []

        def application(environ, start_response):
            try:
                start_response(status, [] if headers is None else headers)
            except Exception as failure:
                said.append(failure)
                raise
            return [b"unreached"]

        gateway = self.gateway(application)
        client = gateway.get()
        self.assertEqual((client.status, client.ended), (500, "end"))
        self.failure(gateway, str(said[0]))
        self.assertIsInstance(said[0], error)
        return str(said[0])

    def test_a_status_is_checked(self):
        self.assertIn("bytes, not a str", self.refused(b"200 OK", error=TypeError))
        self.assertIn("None, not a str", self.refused(None, error=TypeError))
        self.assertIn("an int, not a str", self.refused(200, error=TypeError))
        for status in ("200", "200 "):
            self.assertIn("no reason", self.refused(status))
        for status in ("", "OK", "2 OK", "2000 OK", "OK 200", "٢٠٠ OK"):
            self.assertIn("begins with three digits", self.refused(status))
        for status in ("100 Continue", "199 X", "600 X", "999 X", "000 X"):
            self.assertIn("200 to 599", self.refused(status))
        for status in ("200 OK\r\n", "200 O\nK", "200 O\x00K", "200\tOK", "200 OK\x7f"):
            self.assertIn("control character", self.refused(status))
        for status in ("200 OK ", "200  OK"):
            self.assertIn("one space separates", self.refused(status))
        self.assertIn("ISO-8859-1", self.refused("200 €"))

    def test_headers_are_checked(self):
        self.assertIn("a tuple, not a list", self.refused(headers=(("A", "b"),), error=TypeError))
        self.assertIn("a dict, not a list", self.refused(headers={"A": "b"}, error=TypeError))
        self.assertIn("a header is a tuple", self.refused(headers=["A: b"], error=TypeError))
        self.assertIn("a header is a tuple", self.refused(headers=[["A", "b"]], error=TypeError))
        self.assertIn("a header is a tuple", self.refused(headers=[("A", "b", "c")], error=TypeError))
        self.assertIn("name of a header is bytes", self.refused(headers=[(b"A", "b")], error=TypeError))
        self.assertIn("value of A is bytes", self.refused(headers=[("A", b"b")], error=TypeError))
        self.assertIn("value of A is an int", self.refused(headers=[("A", 1)], error=TypeError))
        self.assertIn("value of A is None", self.refused(headers=[("A", None)], error=TypeError))
        for name in ("", "A b", "A:", "Ä", "A\r\nB", "A\n", "A\x00"):
            self.assertIn("not the name of a header", self.refused(headers=[(name, "b")]))
        for value in ("a\r\nb", "a\n", "a\x00", "a\tb", "\x7f"):
            self.assertIn("control character", self.refused(headers=[("A", value)]))
        self.assertIn("ISO-8859-1", self.refused(headers=[("A", "€")]))
        self.assertIn("Status is a header of CGI", self.refused(headers=[("Status", "200 OK")]))

    def test_what_is_the_server_s_is_refused(self):
        for name in (
            "Connection", "keep-alive", "Proxy-Authenticate", "Proxy-Authorization", "TE", "Trailer", "Trailers",
            "Transfer-Encoding", "UPGRADE", "Proxy-Connection",
        ):
            self.assertIn("%s is the server's to set" % name, self.refused(headers=[(name, "x")]))

    def test_a_content_length_is_a_number_given_once(self):
        for value in ("", "x", "-1", "+1", "1_0", "1.5", " 1"):
            self.assertIn("in digits", self.refused(headers=[("content-length", value)]))
        self.assertIn(
            "given twice, as 1 and as 2",
            self.refused(headers=[("Content-Length", "1"), ("CONTENT-LENGTH", "2")]),
        )

    def test_values_are_sent_as_latin_1(self):
        def application(environ, start_response):
            start_response("200 Ökay", [("X-A", "\xe4\xa0\xff"), ("X-B", ""), ("X-B", "~ !")])
            return [b"x"]

        client = self.gateway(application).get()
        self.assertEqual(client.headers, [(b"X-A", b"\xe4\xa0\xff"), (b"X-B", b""), (b"X-B", b"~ !")])

    def test_subclasses_of_what_is_asked_for_will_do(self):
        class Text(str):
            pass

        class Headers(list):
            pass

        def application(environ, start_response):
            start_response(Text("200 OK"), Headers([(Text("X-A"), Text("\xe4"))]))
            return [b"x"]

        client = self.gateway(application).get()
        self.assertEqual((client.status, client.headers), (200, [(b"X-A", b"\xe4")]))

    def test_many_headers(self):
        headers = [("X-%d" % number, "v" * number) for number in range(100)]

        def application(environ, start_response):
            start_response("200 OK", headers)
            return [b"x"]

        client = self.gateway(application).get()
        self.assertEqual(client.headers, [(name.encode(), value.encode()) for name, value in headers])

    def test_a_second_call_needs_exc_info(self):
        def application(environ, start_response):
            start_response("200 OK", TEXT)
            start_response("201 Created", TEXT)

        gateway = self.gateway(application)
        self.assertEqual(gateway.get().status, 500)
        self.failure(gateway, "StateError: start_response was called before", "exc_info")

    def test_also_after_a_call_that_was_refused(self):
        def application(environ, start_response):
            try:
                start_response("200 OK", None)
            except TypeError:
                start_response("500 Oops", [])

        gateway = self.gateway(application)
        self.assertEqual(gateway.get().status, 500)
        self.failure(gateway, "StateError: start_response was called before")

    def test_a_head_that_was_refused_is_not_sent(self):
        def application(environ, start_response):
            try:
                start_response("200 OK", None)
            except TypeError:
                pass
            return [b"x"]

        gateway = self.gateway(application)
        self.assertEqual(gateway.get().status, 500)
        self.failure(gateway, "StateError: start_response refused")

    def test_an_error_handler_replaces_the_head(self):
        def application(environ, start_response):
            start_response("200 OK", [("X-A", "1"), ("Content-Length", "100")])
            try:
                raise ValueError("mine")
            except ValueError:
                start_response("503 Oops", [("X-B", "2")], sys.exc_info())
            return [b"sorry"]

        client = self.gateway(application).get()
        self.assertEqual((client.status, client.headers, client.body), (503, [(b"X-B", b"2")], b"sorry"))

    def test_an_error_handler_may_call_it_first(self):
        def application(environ, start_response):
            try:
                raise ValueError("mine")
            except ValueError:
                start_response("503 Oops", [], sys.exc_info())
            return [b"sorry"]

        self.assertEqual(self.gateway(application).get().status, 503)

    def test_once_the_head_has_left_the_error_comes_back(self):
        def application(environ, start_response):
            start_response("200 OK", TEXT)
            yield b"begun"
            if not self.suspending:
                proceed.wait(PATIENCE)      # else what fails may still become a 500
            try:
                raise ValueError("mine")
            except ValueError:
                start_response("500 Oops", TEXT, sys.exc_info())
                yield b"unreached"

        proceed = threading.Event()
        gateway = self.gateway(application)
        client = gateway.open()
        gateway.until(lambda: client.body)
        proceed.set()
        client.wait()
        self.assertEqual((client.status, client.body, client.ended), (200, b"begun", "abort"))
        self.failure(gateway, "ValueError: mine")

    def test_exc_info_is_not_kept(self):
        import gc
        import weakref

        held = []

        class Mine(Exception):
            pass

        def application(environ, start_response):
            try:
                raise Mine
            except Mine as error:
                held.append(weakref.ref(error))
                start_response("500 Oops", [], sys.exc_info())
            yield b"x"

        gc.disable()
        self.addCleanup(gc.enable)
        self.gateway(application).get()
        self.assertIsNone(held[0]())

    def test_nothing_of_an_exchange_needs_the_collector(self):
        import gc
        import weakref

        held = []

        class Mine(list):
            pass

        def application(environ, start_response):
            environ["mine"] = mine = Mine()
            held.append(weakref.ref(mine))
            start_response("200 OK", [])
            yield environ["x-wsgiorg.fdevent.readable"](0, 0)
            yield b"x"

        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        client = self.gateway(application).get()
        self.assertEqual(client.body, b"x")
        self.assertIsNone(held[0]())
