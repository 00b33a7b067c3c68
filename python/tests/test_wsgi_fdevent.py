"""x-wsgiorg.fdevent, to the letter of its third draft, and what it leaves undefined."""

import fcntl
import os
import resource
import select
import socket
import tempfile
import threading
import time

from gateway import both, in_a_thread, pipe

import libawsgi

READABLE = "x-wsgiorg.fdevent.readable"
WRITABLE = "x-wsgiorg.fdevent.writable"
TIMEOUT = "x-wsgiorg.fdevent.timeout"


class Waiting:
    def waits(self, wait, **options):
        """An application that answers with what `wait(environ)`, a generator, answers."""

        def application(environ, start_response):
            answer = yield from wait(environ)
            start_response("200 OK", [])
            yield repr(answer).encode()

        return self.gateway(application, **options)

    def answer(self, wait, **options):
        client = self.waits(wait, **options).get()
        self.assertEqual((client.status, client.ended), (200, "end"))
        return eval(client.body)

    def sockets(self):
        ends = socket.socketpair()
        for end in ends:
            self.addCleanup(end.close)
            end.setblocking(False)
        return ends


@both
class Descriptors(Waiting):
    def test_it_returns_the_empty_bytes_exactly(self):
        ours, _ = self.sockets()

        def wait(environ):
            given = environ[WRITABLE](ours)
            self.assertIs(type(given), bytes)
            self.assertEqual(given, b"")
            yield given

        self.answer(wait)

    def test_a_descriptor_that_is_ready_resumes(self):
        ours, theirs = self.sockets()
        theirs.send(b"x")

        def wait(environ):
            answers = []
            for file in (ours, ours.fileno()):
                yield environ[READABLE](file)
                answers.append(bool(environ[TIMEOUT]))
                yield environ[WRITABLE](file, None)
                answers.append(bool(environ[TIMEOUT]))
            return answers

        self.assertEqual(self.answer(wait), [False] * 4)

    def test_one_that_becomes_ready_resumes_then(self):
        reader, writer = pipe(self)
        asked = []

        def wait(environ):
            asked.append(environ[READABLE](reader, 20.0))
            yield b""
            return os.read(reader, 10), bool(environ[TIMEOUT])

        gateway = self.waits(wait)
        client = gateway.open()
        gateway.until(lambda: asked)
        gateway.turns(3)
        self.assertIsNone(client.ended)
        os.write(writer, b"now")
        self.assertEqual(eval(client.wait().body), (b"now", False))

    def test_time_that_runs_out_is_told_and_is_never_early(self):
        reader, _ = pipe(self)

        def wait(environ):
            answers = []
            for timeout in (0.05, 0.101, 1e-9, 1):
                before = time.monotonic()
                yield environ[READABLE](reader, timeout)
                took = time.monotonic() - before
                answers.append((bool(environ[TIMEOUT]), timeout <= took < timeout + 5))
            return answers

        self.assertEqual(self.answer(wait), [(True, True)] * 4)

    def test_a_timeout_of_zero_asks_once(self):
        reader, writer = pipe(self)

        def wait(environ):
            answers = []
            for timeout in (0, 0.0, -0.0):
                yield environ[READABLE](reader, timeout)
                answers.append(bool(environ[TIMEOUT]))
            os.write(writer, b"x")
            yield environ[READABLE](reader, 0)
            answers.append(bool(environ[TIMEOUT]))
            return answers

        self.assertEqual(self.answer(wait), [True, True, True, False])

    def test_a_timeout_that_is_none_or_infinite_never_comes(self):
        reader, writer = pipe(self)
        asked = []

        def wait(environ):
            for timeout in (None, float("inf"), 1e300, 10**400):
                asked.append(environ[READABLE](reader, timeout))
                yield b""
                os.read(reader, 1)
            return bool(environ[TIMEOUT])

        gateway = self.waits(wait)
        client = gateway.open()
        for number in (1, 2, 3, 4):
            gateway.until(lambda: len(asked) == number)
            gateway.turns(3)
            os.write(writer, b"x")
        self.assertEqual(client.wait().body, b"False")

    def test_the_flag_is_one_object_that_a_copied_environ_sees(self):
        reader, writer = pipe(self)

        def inner(environ, start_response):
            flag = environ[TIMEOUT]
            yield environ[READABLE](reader, 0.01)
            first = bool(flag)
            os.write(writer, b"x")
            yield environ[READABLE](reader, 0.01)
            start_response("200 OK", [])
            yield repr((first, bool(flag), environ[TIMEOUT] is flag)).encode()

        gateway = self.gateway(lambda environ, start_response: inner(dict(environ), start_response))
        self.assertEqual(gateway.get().body, b"(True, False, True)")

    def test_the_arguments_have_the_names_of_the_draft(self):
        reader, _ = pipe(self)

        def wait(environ):
            yield environ[READABLE](fd=reader, timeout=0)
            first = bool(environ[TIMEOUT])
            yield environ[WRITABLE](fd=reader, timeout=0)
            return first

        self.assertTrue(self.answer(wait))

    def test_an_environ_with_nothing_but_the_keys_will_do(self):
        reader, _ = pipe(self)

        def inner(environ, start_response):
            yield environ[READABLE](reader, 0.01)
            start_response("200 OK", [])
            yield b"%r" % bool(environ[TIMEOUT])

        def middleware(environ, start_response):
            keys = {key: environ[key] for key in (READABLE, WRITABLE, TIMEOUT)}
            environ.clear()
            yield from inner(keys, start_response)

        self.assertEqual(self.gateway(middleware).get().body, b"True")

    def test_waiting_works_before_the_status_is_known(self):
        reader, _ = pipe(self)

        def application(environ, start_response):
            yield environ[READABLE](reader, 0.01)
            start_response("504 Gateway Timeout" if environ[TIMEOUT] else "200 OK", [])
            yield b"x"

        self.assertEqual(self.gateway(application).get().status, 504)

    def test_a_file_is_always_ready(self):
        with tempfile.TemporaryFile() as file, open("/dev/null", "rb") as null:

            def wait(environ):
                answers = []
                for ready in (file, null):
                    for key in (READABLE, WRITABLE):
                        yield environ[key](ready, 20.0)
                        answers.append(bool(environ[TIMEOUT]))
                return answers

            self.assertEqual(self.answer(wait), [False] * 4)

    def test_the_end_of_the_other_side_resumes(self):
        ours, theirs = self.sockets()
        reader, writer = pipe(self)
        theirs.close()
        os.close(writer)

        def wait(environ):
            yield environ[READABLE](ours, 20.0)
            yield environ[READABLE](reader, 20.0)
            yield environ[WRITABLE](ours, 20.0)
            return bool(environ[TIMEOUT]), ours.recv(1), os.read(reader, 1)

        self.assertEqual(self.answer(wait), (False, b"", b""))

    def test_urgent_data_resumes_both(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        # Full, so that it is not writable.
        ours.setblocking(False)
        try:
            while True:
                ours.send(b"x" * 65536)
        except BlockingIOError:
            pass

        def wait(environ):
            yield environ[WRITABLE](ours, 0.01)
            answers = [bool(environ[TIMEOUT])]
            theirs.send(b"!", socket.MSG_OOB)
            for key in (WRITABLE, READABLE):
                yield environ[key](ours, 20.0)
                answers.append(bool(environ[TIMEOUT]))
            return answers

        self.assertEqual(self.answer(wait), [True, False, False])

    def test_a_poller_of_the_application_s_own(self):
        reader, writer = pipe(self)
        poller = select.epoll()
        self.addCleanup(poller.close)
        poller.register(reader, select.EPOLLIN)

        def wait(environ):
            yield environ[READABLE](poller, 0.01)
            first = bool(environ[TIMEOUT])
            os.write(writer, b"x")
            yield environ[READABLE](poller, 20.0)
            return first, bool(environ[TIMEOUT]), poller.poll(0) == [(reader, select.EPOLLIN)]

        self.assertEqual(self.answer(wait), (True, False, True))

    def test_numbers_beyond_1024_are_no_limit(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < 2000:
            self.skipTest("this process may open %d files" % hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (2000, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        reader, writer = pipe(self)
        high = fcntl.fcntl(reader, fcntl.F_DUPFD, 1500)
        self.addCleanup(os.close, high)
        os.write(writer, b"x")

        def wait(environ):
            yield environ[READABLE](high, 20.0)
            return high >= 1500 and not environ[TIMEOUT]

        self.assertTrue(self.answer(wait))

    def test_several_requests_wait_for_one_descriptor(self):
        reader, writer = pipe(self)
        asked = []

        def wait(environ):
            asked.append(environ[READABLE](reader, 20.0))
            yield b""
            return bool(environ[TIMEOUT])

        gateway = self.waits(wait)
        clients = [gateway.open() for _ in range(10)]
        gateway.until(lambda: len(asked) == 10)
        gateway.turns(3)
        # One that leaves takes nothing from the others.
        clients[0].leave()
        gateway.turns(3)
        os.write(writer, b"x")
        for client in clients[1:]:
            self.assertEqual(client.wait().body, b"False")

    def test_a_descriptor_is_not_closed_nor_changed(self):
        ours, theirs = self.sockets()
        ours.setblocking(True)

        def wait(environ):
            yield environ[READABLE](ours, 0.01)
            return ours.getblocking()

        self.assertTrue(self.answer(wait))
        theirs.send(b"x")
        self.assertEqual(ours.recv(1), b"x")

    def test_a_number_that_is_used_again_is_another_descriptor(self):
        def wait(environ):
            for _ in range(5):
                reader, writer = os.pipe()
                try:
                    yield environ[READABLE](reader, 0.001)
                    first = bool(environ[TIMEOUT])
                    os.write(writer, b"x")
                    yield environ[READABLE](reader, 20.0)
                    if not first or environ[TIMEOUT]:
                        return False
                finally:
                    os.close(reader)
                    os.close(writer)
            return True

        self.assertTrue(self.answer(wait))

    def test_generators_three_deep(self):
        reader, writer = pipe(self)

        def innermost(environ):
            yield environ[READABLE](reader, 0.01)
            return bool(environ[TIMEOUT])

        def inner(environ):
            first = yield from innermost(environ)
            os.write(writer, b"x")
            second = yield from innermost(environ)
            return first, second

        def wait(environ):
            return (yield from inner(environ))

        self.assertEqual(self.answer(wait), (True, False))

    def test_blocks_and_waits_alternate(self):
        reader, _ = pipe(self)

        def application(environ, start_response):
            start_response("200 OK", [])
            for number in range(5):
                yield b"%d" % number
                yield environ[READABLE](reader, 0.001)
                yield b"%r " % bool(environ[TIMEOUT])

        self.assertEqual(self.gateway(application).get().body, b"0True 1True 2True 3True 4True ")

    def test_an_iterator_that_is_no_generator(self):
        reader, _ = pipe(self)

        class Application:
            def __init__(self, environ, start_response):
                self.environ, self.start, self.at = environ, start_response, 0

            def __iter__(self):
                return self

            def __next__(self):
                self.at += 1
                if self.at == 1:
                    return self.environ[READABLE](reader, 0.01)
                if self.at == 2:
                    self.start("200 OK", [])
                    return b"%r" % bool(self.environ[TIMEOUT])
                raise StopIteration

        self.assertEqual(self.gateway(Application).get().body, b"True")


@both
class Undefined(Waiting):
    """What the draft leaves undefined has a defined answer, the same in both ways to run."""

    def refused(self, error, ask, words=""):
        """`ask(environ)` raises; the application goes on, and nothing has changed by it."""
        reader, writer = pipe(self)

        def wait(environ):
            try:
                ask(environ)
            except Exception as raised:
                said.append(raised)
            os.write(writer, b"x")
            yield environ[READABLE](reader, 20.0)
            return bool(environ[TIMEOUT])

        said = []
        self.assertFalse(self.answer(wait))
        self.assertEqual(len(said), 1, "nothing was raised")
        self.assertIsInstance(said[0], error)
        self.assertIn(words, str(said[0]))
        return said[0]

    def test_a_number_that_is_not_open(self):
        number = fcntl.fcntl(0, fcntl.F_DUPFD, 900)     # which no other descriptor gets meanwhile
        os.close(number)
        self.assertEqual(self.refused(OSError, lambda environ: environ[READABLE](number)).errno, 9)
        self.assertEqual(self.refused(OSError, lambda environ: environ[WRITABLE](2**31 - 1)).errno, 9)
        self.assertEqual(self.refused(OSError, lambda environ: environ[READABLE](2**70)).errno, 9)

    def test_a_negative_number(self):
        self.refused(ValueError, lambda environ: environ[READABLE](-1), "not negative: -1")
        closed = socket.socket()
        closed.close()
        self.refused(ValueError, lambda environ: environ[READABLE](closed), "was closed")

    def test_what_is_no_descriptor(self):
        class Wrong:
            def fileno(self):
                return "3"

        class Raises:
            def fileno(self):
                raise LookupError("mine")

        self.refused(TypeError, lambda environ: environ[READABLE]("3"), "neither a number nor has it fileno()")
        self.refused(TypeError, lambda environ: environ[READABLE](None), "neither a number")
        self.refused(TypeError, lambda environ: environ[READABLE](1.0), "neither a number")
        self.refused(TypeError, lambda environ: environ[READABLE](Wrong()), "returned no number")
        self.refused(LookupError, lambda environ: environ[READABLE](Raises()), "mine")
        self.refused(TypeError, lambda environ: environ[READABLE]())

    def test_the_server_s_own_loop_is_refused(self):
        def pollers():
            for name in os.listdir("/proc/self/fd"):
                try:
                    if os.readlink("/proc/self/fd/" + name) == "anon_inode:[eventpoll]":
                        yield int(name)
                except FileNotFoundError:
                    pass

        def wait(environ):
            ours = set(pollers()) - before
            raised = [caught(lambda: environ[READABLE](number)) for number in ours]
            yield environ[READABLE](reader, 0)
            return raised != [] and all(isinstance(error, libawsgi.NestingError) for error in raised)

        before = set(pollers())
        reader, _ = pipe(self)
        self.assertTrue(self.answer(wait))

    def test_what_is_no_timeout(self):
        ours, _ = self.sockets()
        for timeout in (-1, -0.001, float("-inf"), float("nan")):
            self.refused(ValueError, lambda environ: environ[READABLE](ours, timeout), "not negative")
        for timeout in ("1", b"", [], 1j):
            self.refused(TypeError, lambda environ: environ[READABLE](ours, timeout), "a number or None")

    def test_two_calls_before_one_yield(self):
        reader, writer = pipe(self)
        said = []

        def wait(environ):
            first = environ[READABLE](reader, 20.0)
            for key, *arguments in (
                (READABLE, reader), (WRITABLE, writer), ("x-wsgiorg.async.readable", environ["x-wsgiorg.async.input"]),
                ("x-wsgiorg.suspend",), ("awsgi.sleep", 1), ("awsgi.wait", reader), ("awsgi.wait_all", reader),
            ):
                try:
                    environ[key](*arguments)
                except RuntimeError as error:
                    said.append(str(error))
            os.write(writer, b"x")
            # The first is asked all the same.
            yield first
            return bool(environ[TIMEOUT])

        self.assertFalse(self.answer(wait))
        self.assertEqual(len(said), 7)
        for sentence in said:
            self.assertIn("one thing at a time", sentence)

    def fails(self, application, *words, status=500):
        gateway = self.gateway(application)
        client = gateway.get()
        self.assertEqual(client.status, status)
        self.failure(gateway, *words)

    def test_a_block_after_asking(self):
        reader, _ = pipe(self)

        def application(environ, start_response):
            start_response("200 OK", [])
            environ[READABLE](reader, 20.0)
            yield b"a block"

        self.fails(application, "StateError: the application asked to wait, and then yielded a block")

    def test_an_end_after_asking(self):
        reader, _ = pipe(self)

        def application(environ, start_response):
            start_response("200 OK", [])
            environ[READABLE](reader, 20.0)
            return []

        self.fails(application, "StateError: the application asked to wait, and ended")

    def test_on_another_thread(self):
        reader, _ = pipe(self)
        raised = []

        def wait(environ):
            event = environ["awsgi.event"]()
            for call in (
                event.take,
                event.close,
                lambda: environ[READABLE](reader),
                lambda: environ["x-wsgiorg.async.writable"](reader),
                lambda: environ["x-wsgiorg.async.input"].recv(1),
                lambda: environ["x-wsgiorg.suspend"](),
                lambda: environ["awsgi.sleep"](1),
                lambda: environ["awsgi.event"](),
                lambda: environ["awsgi.client"].gone,
            ):
                raised.append(in_a_thread(call))
            yield environ[READABLE](reader, 0)
            return bool(environ[TIMEOUT])

        self.assertTrue(self.answer(wait))
        for error in raised:
            self.assertIsInstance(error, RuntimeError)
            self.assertIn("thread", str(error))

    def test_start_response_and_write_on_another_thread(self):
        raised = []

        def application(environ, start_response):
            raised.append(in_a_thread(lambda: start_response("200 OK", [])))
            write = start_response("200 OK", [])
            raised.append(in_a_thread(lambda: write(b"x")))
            return [b"good"]

        self.assertEqual(self.gateway(application).get().body, b"good")
        for error in raised:
            self.assertIn("on another thread", str(error))

    def test_after_the_end(self):
        reader, _ = pipe(self)
        kept = []

        def application(environ, start_response):
            kept.append((dict(environ), start_response, start_response("200 OK", [])))
            return [b"x"]

        self.gateway(application).get()
        environ, start_response, write = kept[0]
        for call in (
            lambda: environ[READABLE](reader),
            lambda: environ["x-wsgiorg.suspend"](),
            lambda: environ["x-wsgiorg.async.input"].recv(1),
            lambda: environ["awsgi.sleep"](1),
            lambda: environ["awsgi.event"](),
            lambda: environ["awsgi.client"].gone,
            lambda: start_response("200 OK", []),
            lambda: write(b"x"),
        ):
            for raised in (in_a_thread(call), caught(call)):
                self.assertIsInstance(raised, RuntimeError)
                self.assertIn("has ended", str(raised))

    def test_bare_empty_yields_let_others_run(self):
        order = []

        def application(environ, start_response):
            start_response("200 OK", [])
            for number in range(3):
                order.append(environ["PATH_INFO"])
                yield b""
            yield b"x"

        gateway = self.gateway(application)
        clients = [gateway.open(target=target) for target in ("/a", "/b")]
        for client in clients:
            self.assertEqual(client.wait().body, b"x")
        if self.suspending:
            self.assertEqual(order, ["/a", "/b"] * 3)

    def test_too_many_of_them_are_slowed_down(self):
        def application(environ, start_response):
            start_response("200 OK", [])
            before = time.monotonic()
            for _ in range(150):
                yield b""
            yield b"%r" % (time.monotonic() - before >= 0.045)

        gateway = self.gateway(application)
        with self.stderr() as stderr:
            for _ in range(2):
                self.assertEqual(gateway.get().body, b"True")
        said = [line for line in gateway.log + stderr.getvalue().splitlines() if "100 times" in line]
        self.assertEqual(len(said), 1)

    def test_an_application_that_only_yields_ends_with_its_client(self):
        steps = []

        def application(environ, start_response):
            start_response("200 OK", [])
            try:
                while True:
                    steps.append(1)
                    yield b""
            finally:
                steps.append("closed")

        gateway = self.gateway(application)
        client = gateway.open()
        with self.stderr():
            gateway.until(lambda: len(steps) > 110)
            client.leave()
            self.assertEqual(client.wait().ended, "abort")
        self.assertEqual(steps[-1], "closed")

    def test_a_descriptor_that_is_closed_before_the_yield(self):
        def application(environ, start_response):
            reader, writer = os.pipe()
            environ[READABLE](reader, 20.0)
            os.close(reader)
            os.close(writer)
            yield b""

        self.fails(application, "Bad file descriptor")

    def test_another_exchange_cannot_ask_for_it(self):
        reader, _ = pipe(self)
        kept, said = [], []

        def application(environ, start_response):
            start_response("200 OK", [])
            if environ["PATH_INFO"] == "/first":
                kept.append(environ)
                suspended.append(environ["x-wsgiorg.suspend"]())
                yield b""
                yield b"first"
            else:
                said.append(caught(lambda: kept[0][READABLE](reader)))
                said.append(caught(lambda: environ[READABLE](kept[0]["x-wsgiorg.async.input"])))
                said.append(caught(lambda: environ["awsgi.wait"](kept[0]["awsgi.client"])))
                suspended[0]()
                yield b"second"

        suspended = []
        gateway = self.gateway(application)
        first = gateway.open(target="/first")
        gateway.until(lambda: suspended)
        gateway.turns(3)
        self.assertEqual(gateway.get(target="/second").body, b"second")
        self.assertEqual(first.wait().body, b"first")
        self.assertIn("another thread" if not self.suspending else "does not run now", str(said[0]))
        self.assertIn("its own input", str(said[1]))
        self.assertIn("its own client", str(said[2]))
        for error in said:
            self.assertIsInstance(error, (RuntimeError, ValueError))


def caught(call):
    try:
        return call()
    except Exception as error:
        return error


@both
class Leaving(Waiting):
    """A client that leaves at each point."""

    def test_while_a_descriptor_is_waited_for(self):
        reader, _ = pipe(self)
        events = []

        def application(environ, start_response):
            try:
                events.append("waits")
                yield environ[READABLE](reader, 20.0)
                events.append("resumed")
            finally:
                events.append("closed")

        gateway = self.gateway(application)
        client = gateway.open()
        gateway.until(lambda: events)
        gateway.turns(3)
        before = time.monotonic()
        client.leave()
        self.assertEqual(client.wait().ended, "abort")
        self.assertLess(time.monotonic() - before, 10)
        self.assertEqual(events, ["waits", "closed"])
        self.assertEqual(gateway.log, [])

    def test_its_descriptor_may_be_closed_then(self):
        kept, events = [], []

        def application(environ, start_response):
            reader, writer = os.pipe()
            kept.extend([os.dup(reader), writer])
            try:
                events.append("waits")
                yield environ[READABLE](reader, 20.0)
            finally:
                os.close(reader)
                events.append("closed")

        gateway = self.gateway(application)
        client = gateway.open()
        gateway.until(lambda: events)
        gateway.turns(3)
        client.leave()
        client.wait()
        self.assertEqual(events, ["waits", "closed"])
        # The file lives on: were the number closed before its waitable, it would be told of for ever.
        reader, writer = kept
        os.write(writer, b"x")
        gateway.turns(5)
        os.close(reader)
        os.close(writer)
        self.assertEqual(gateway.log, [])

    def test_the_iterable_of_one_that_does_not_run_is_closed(self):
        reader, _ = pipe(self)
        events = []

        class Iterable:
            def __init__(self, environ):
                self.environ = environ

            def __iter__(self):
                return self

            def __next__(self):
                events.append("next")
                return self.environ[READABLE](reader, 20.0)

            def close(self):
                events.append("close")

        gateway = self.gateway(lambda environ, start_response: Iterable(environ))
        client = gateway.open()
        gateway.until(lambda: events)
        gateway.turns(3)
        client.leave()
        client.wait()
        self.assertEqual(events, ["next", "close"])

    def test_while_a_block_has_no_room(self):
        events = []

        def application(environ, start_response):
            start_response("200 OK", [])
            try:
                while True:
                    events.append("block")
                    yield b"x" * 1000
            finally:
                events.append("closed")

        gateway = self.gateway(application, output=2000)
        client = gateway.open(hold=True)
        gateway.until(lambda: len(events) >= 3)
        gateway.turns(3)
        client.leave()
        self.assertEqual(client.wait().ended, "abort")
        self.assertEqual(events, ["block"] * 3 + ["closed"])

    def test_between_two_blocks(self):
        events = []

        def application(environ, start_response):
            write = start_response("200 OK", [])
            try:
                yield b"first"
                events.append("begun")
                if not self.suspending:
                    gone.wait(20)
                else:
                    client.leave()
                events.append(environ["awsgi.client"].gone)
                try:
                    write(b"second")
                except RuntimeError as error:
                    events.append(type(error).__name__)
                    self.assertIsInstance(error, ConnectionError)
                yield b"third"
                events.append("not reached")
            finally:
                events.append("closed")

        gone = threading.Event()
        gateway = self.gateway(application)
        client = gateway.open()
        gateway.until(lambda: "begun" in events)
        if not self.suspending:
            client.leave()
            gone.set()
        self.assertEqual(client.wait().ended, "abort")
        self.assertEqual(events, ["begun", True, "ClientGone", "closed"])

    def test_before_it_ran(self):
        events = []
        gateway = self.gateway(lambda environ, start_response: events.append("called") or [])
        client = gateway.open()
        client.leave()
        self.assertEqual(client.wait().ended, "abort")
        self.assertEqual(events, [])
        self.assertEqual(len(gateway.closed), 1)
