"""x-wsgiorg.suspend, and the waits of awsgi.*."""

import gc
import os
import socket
import threading
import time

from gateway import both, in_a_thread, pipe

import libawsgi
from libawsgi import HANGUP, PRIORITY, READABLE, WRITABLE, Outcome
from test_wsgi_fdevent import Waiting, caught

SUSPEND = "x-wsgiorg.suspend"
STATUS = "x-wsgiorg.suspend_status"


@both
class Suspending(Waiting):
    def test_another_thread_resumes(self):
        resumes = []

        def wait(environ):
            resumes.append(environ[SUSPEND]())
            yield b""
            return bool(environ[STATUS])

        gateway = self.waits(wait)
        client = gateway.open()
        gateway.until(lambda: resumes)
        gateway.turns(3)
        self.assertIsNone(client.ended)
        self.assertIs(in_a_thread(resumes[0]), True)
        self.assertEqual(client.wait().body, b"True")

    def test_resumed_before_the_yield(self):
        def wait(environ):
            resume = environ[SUSPEND](20000)
            resume()
            yield b""
            return bool(environ[STATUS])

        self.assertTrue(self.answer(wait))

    def test_time_that_runs_out_in_milliseconds(self):
        def wait(environ):
            answers = []
            for timeout in (50, 0.5, 0, None):
                before = time.monotonic()
                resume = environ[SUSPEND](timeout)
                if timeout is None:
                    resume()
                yield b""
                took = time.monotonic() - before
                answers.append((bool(environ[STATUS]), took >= (timeout or 0) / 1000))
            return answers

        self.assertEqual(self.answer(wait), [(False, True)] * 3 + [(True, True)])

    def test_what_is_no_timeout(self):
        def wait(environ):
            self.assertIsInstance(caught(lambda: environ[SUSPEND](-1)), ValueError)
            self.assertIsInstance(caught(lambda: environ[SUSPEND]("1")), TypeError)
            yield from environ["awsgi.sleep"](0)

        self.answer(wait)

    def test_resuming_too_often_or_too_late_does_nothing(self):
        kept = []

        def wait(environ):
            first = environ[SUSPEND](20000)
            kept.append(first)
            self.assertTrue(first())
            first()
            yield b""
            second = environ[SUSPEND](20)
            self.assertFalse(first())
            yield b""
            return bool(environ[STATUS]), second()

        self.assertEqual(self.answer(wait), (False, False))
        self.assertFalse(kept[0]())

    def test_one_exchange_resumes_others(self):
        waiting = []

        def application(environ, start_response):
            start_response("200 OK", [])
            if environ["PATH_INFO"] == "/say":
                for resume in waiting:
                    resume()
                return [b"said"]
            return hear(environ)

        def hear(environ):
            waiting.append(environ[SUSPEND](20000))
            yield b""
            yield b"heard %r" % bool(environ[STATUS])

        gateway = self.gateway(application)
        clients = [gateway.open() for _ in range(5)]
        gateway.until(lambda: len(waiting) == 5)
        gateway.turns(3)
        gateway.get(target="/say")
        for client in clients:
            self.assertEqual(client.wait().body, b"heard True")

    def test_a_client_that_leaves(self):
        waiting, events = [], []

        def application(environ, start_response):
            try:
                waiting.append(environ[SUSPEND]())
                yield b""
            except GeneratorExit:
                events.append("closed")
                raise

        gateway = self.gateway(application)
        client = gateway.open()
        gateway.until(lambda: waiting)
        gateway.turns(3)
        client.leave()
        client.wait()
        self.assertEqual(events, ["closed"])
        self.assertFalse(waiting[0]())


@both
class Waits(Waiting):
    def test_any_of_several(self):
        readers = [pipe(self) for _ in range(3)]
        os.write(readers[1][1], b"x")

        def wait(environ):
            files = [reader for reader, _ in readers]
            result = yield from environ["awsgi.wait"](*files, timeout=20)
            (member,) = result.members
            return bool(result), member.waitable == files[1], member.index, int(member.ready), int(result.outcome)

        self.assertEqual(self.answer(wait), (True, True, 1, int(READABLE), int(Outcome.READY)))

    def test_all_and_some_of_several(self):
        readers = [pipe(self) for _ in range(6)]

        def wait(environ):
            files = [reader for reader, _ in readers]
            for _, writer in readers[:4]:
                os.write(writer, b"x")
            some = yield from environ["awsgi.wait"](*files, at_least=3, timeout=20)
            none = yield from environ["awsgi.wait_all"](*files, timeout=0.01)
            for _, writer in readers[4:]:
                os.write(writer, b"x")
            everything = yield from environ["awsgi.wait_all"](*files, timeout=20)
            return len(some.members) >= 3, bool(none), int(none.outcome), [one.index for one in everything.members]

        self.assertEqual(self.answer(wait), (True, False, int(Outcome.TIMED_OUT), list(range(6))))

    def test_interests(self):
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        theirs.send(b"x")

        def wait(environ):
            result = yield from environ["awsgi.wait"]((ours, WRITABLE | READABLE), timeout=20)
            both = result.ready(ours)
            result = yield from environ["awsgi.wait"]((ours, HANGUP), timeout=0.01)
            timed_out = result.outcome
            theirs.close()
            result = yield from environ["awsgi.wait"]((ours, HANGUP), timeout=20)
            return int(both), int(timed_out), ours in result

        self.assertEqual(self.answer(wait), (int(READABLE | WRITABLE), int(Outcome.TIMED_OUT), True))

    def test_a_sleep(self):
        def wait(environ):
            before = time.monotonic()
            result = yield from environ["awsgi.sleep"](0.05)
            return time.monotonic() - before >= 0.05, bool(result), int(result.outcome)

        self.assertEqual(self.answer(wait), (True, False, int(Outcome.TIMED_OUT)))

    def test_events_and_counters(self):
        def wait(environ):
            event, counter = environ["awsgi.event"](), environ["awsgi.event"](counter=True)
            answers = [event.take(), counter.take()]
            in_a_thread(event.notify)
            for _ in range(3):
                counter.notify()
            result = yield from environ["awsgi.wait_all"](event, counter, timeout=20)
            answers += [event in result and counter in result, event.take(), event.take(), counter.take()]
            result = yield from environ["awsgi.wait"](event, counter, timeout=0)
            answers.append(bool(result))
            event.close()
            event.close()
            answers.append(event.notify())
            return answers

        self.assertEqual(self.answer(wait), [0, 0, True, 1, 0, 3, False, False])

    def test_an_event_ends_when_nobody_holds_it(self):
        def wait(environ):
            before = stats.waitables if (stats := self.stats(gateway)) else 0
            for _ in range(100):
                event = environ["awsgi.event"]()
                event.notify()
                yield from environ["awsgi.wait"](event, timeout=20)
            del event
            gc.collect()
            return self.stats(gateway).waitables - before

        if not self.suspending:
            self.skipTest("statistics belong to the owner's thread")
        gateway = self.waits(wait)
        self.assertLessEqual(int(gateway.get().body), 1)

    def stats(self, gateway):
        from libawsgi._native import check, ffi, lib, structure

        stats = structure(ffi.typeof("awsgi_stats *"))
        check(lib.awsgi_reactor_stats(gateway.reactor, stats))
        return stats

    def test_timers(self):
        def wait(environ):
            once, often = environ["awsgi.timer"](0.02), environ["awsgi.timer"](0.001, 0.001)
            result = yield from environ["awsgi.wait_all"](once, often, timeout=20)
            answers = [bool(result), once.take(), often.take() >= 10]
            result = yield from environ["awsgi.wait"](once, timeout=0.01)
            return answers + [bool(result)]

        self.assertEqual(self.answer(wait), [True, 1, True, False])

    def test_a_wait_can_be_yielded_by_hand(self):
        class Application:
            def __init__(self, environ, start_response):
                self.environ, self.start, self.wait = environ, start_response, None

            def __iter__(self):
                return self

            def __next__(self):
                if self.wait is None:
                    self.wait = self.environ["awsgi.sleep"](0.01)
                    early.append(caught(lambda: self.wait.result))
                    return b""
                if not started:
                    started.append(self.start("200 OK", []))
                    return repr(bool(self.wait.result)).encode()
                raise StopIteration

        early, started = [], []
        self.assertEqual(self.gateway(Application).get().body, b"False")
        self.assertIn("has not ended", str(early[0]))

    def test_generators_three_deep_pass_results_on(self):
        def innermost(environ, seconds):
            return (yield from environ["awsgi.sleep"](seconds))

        def inner(environ):
            first = yield from innermost(environ, 0.001)
            second = yield from innermost(environ, 0)
            return [first.outcome, second.outcome]

        def wait(environ):
            outcomes = yield from inner(environ)
            return [int(outcome) for outcome in outcomes]

        self.assertEqual(self.answer(wait), [int(Outcome.TIMED_OUT)] * 2)

    def test_what_cannot_be_waited_for(self):
        reader, writer = pipe(self)
        ended = []

        def leave(environ):
            ended.append(environ["awsgi.event"]())
            yield b""

        def wait(environ):
            ask = environ["awsgi.wait"]
            event, closed = environ["awsgi.event"](), environ["awsgi.timer"](1)
            closed.close()
            closed.close()
            for error, call in (
                (libawsgi.StateError, lambda: ask(closed)),
                (libawsgi.StateError, lambda: ask(ended[0])),
                (libawsgi.StateError, lambda: ask(ended[0], reader)),
                (ValueError, lambda: ask()),
                (ValueError, lambda: environ["awsgi.wait_all"]()),
                (ValueError, lambda: ask(reader, at_least=2)),
                (ValueError, lambda: ask(reader, at_least=-1)),
                (TypeError, lambda: ask("x")),
                (TypeError, lambda: ask((reader, READABLE, 1))),
                (TypeError, lambda: ask((reader, "x"))),
                (ValueError, lambda: ask((reader, 1 << 20))),
                (ValueError, lambda: ask((reader, -1))),
                (ValueError, lambda: ask((reader, 0))),
                (ValueError, lambda: ask(event, (event, READABLE))),
                (ValueError, lambda: ask(environ["awsgi.client"], environ["x-wsgiorg.async.input"])),
                (ValueError, lambda: ask(reader, timeout=-1)),
                (TypeError, lambda: ask(reader, timeout="1")),
                (OSError, lambda: ask(event, 10**9)),
                (ValueError, lambda: environ["awsgi.sleep"](None)),
                (ValueError, lambda: environ["awsgi.sleep"](-1)),
                (ValueError, lambda: environ["awsgi.timer"](None)),
                (TypeError, lambda: environ["awsgi.timer"]("1")),
            ):
                raised = caught(call)
                self.assertIsInstance(raised, error, (call, raised))
            yield from environ["awsgi.sleep"](0)
            return True

        self.answer(leave)
        self.assertTrue(self.answer(wait))

    def test_a_client_that_leaves_is_told(self):
        events = []

        def application(environ, start_response):
            client = environ["awsgi.client"]
            events.append(client.gone)
            try:
                result = yield from environ["awsgi.wait"](client, timeout=20)
                events.append((client in result, bool(result.ready(client) & HANGUP), client.gone))
                start_response("200 OK", [])
                yield b"into nothing"
                events.append("not reached")
            finally:
                events.append("tidied")

        gateway = self.gateway(application)
        client = gateway.open()
        gateway.until(lambda: events)
        gateway.turns(3)
        client.leave()
        self.assertEqual(client.wait().ended, "abort")
        self.assertEqual(events, [False, (True, True, True), "tidied"])

    def test_so_it_is_among_other_things(self):
        reader, _ = pipe(self)
        events = []

        def application(environ, start_response):
            client = environ["awsgi.client"]
            events.append("waits")
            result = yield from environ["awsgi.wait"](reader, client, timeout=20)
            events.append([(member.waitable is client, member.index) for member in result.members])
            # Once is enough: the second wait is the end.
            try:
                yield from environ["awsgi.wait"](reader, client, timeout=20)
                events.append("not reached")
            finally:
                events.append("tidied")

        gateway = self.gateway(application)
        client = gateway.open()
        gateway.until(lambda: events)
        gateway.turns(3)
        client.leave()
        client.wait()
        self.assertEqual(events, ["waits", [(True, 1)], "tidied"])

    def test_a_server_that_drains_is_told(self):
        from libawsgi._native import check, lib

        asked = []

        def application(environ, start_response):
            client = environ["awsgi.client"]
            asked.append(1)
            result = yield from environ["awsgi.wait"]((client, PRIORITY), timeout=20)
            start_response("200 OK", [])
            yield b"%r %r" % (bool(result.ready(client) & PRIORITY), client.gone)

        gateway = self.gateway(application)
        client = gateway.open()
        gateway.until(lambda: asked)
        gateway.turns(3)
        check(lib.awsgi_gateway_close(gateway.gateway, 20 * 10**9))
        self.assertEqual(client.wait().body, b"True False")

    def test_threads_notify_while_exchanges_wait(self):
        events, lock = [], threading.Lock()

        def wait(environ):
            event = environ["awsgi.event"](counter=True)
            with lock:
                events.append(event)
            total = 0
            while total < 100:
                yield from environ["awsgi.wait"](event, timeout=20)
                total += event.take()
            return total

        gateway = self.waits(wait)
        clients = [gateway.open() for _ in range(8)]
        gateway.until(lambda: len(events) == 8)

        def notify():
            for _ in range(25):
                for event in events:
                    event.notify()

        threads = [threading.Thread(target=notify) for _ in range(4)]
        for thread in threads:
            thread.start()
        for client in clients:
            self.assertEqual(client.wait().body, b"100")
        for thread in threads:
            thread.join()

    def test_results_are_those_of_the_package(self):
        def wait(environ):
            result = yield from environ["awsgi.sleep"](0)
            return type(result) is libawsgi.Result

        self.assertTrue(self.answer(wait))
