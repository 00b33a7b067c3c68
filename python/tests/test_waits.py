"""What a wait promises."""

import asyncio
import os
import socket

import libawsgi
from libawsgi import READABLE, Outcome
from support import ReactorTest, soon


class Waits(ReactorTest):
    async def test_any_all_and_two_of_three(self):
        events = [self.reactor.event() for _ in range(3)]
        any_of = asyncio.ensure_future(self.reactor.wait(*events))
        two_of = asyncio.ensure_future(self.reactor.wait(*events, at_least=2))
        all_of = asyncio.ensure_future(self.reactor.wait_all(*events))
        for event, ready, pending in zip(events, (any_of, two_of, all_of), ((two_of, all_of), (all_of,), ())):
            await soon(self.reactor.wait(timeout=0))
            event.notify()
            self.assertTrue(await soon(ready))
            self.assertFalse([task for task in pending if task.done()])
        self.assertEqual([member.index for member in all_of.result().members], [0, 1, 2])
        self.assertEqual([member.waitable for member in two_of.result().members], events[:2])

    async def test_one_that_timed_out_tells_who_was_there(self):
        here, away = self.reactor.event(), self.reactor.event()
        here.notify()
        result = await soon(self.reactor.wait_all(away, here, timeout=0.001))
        self.assertFalse(result)
        self.assertEqual((result.outcome, here in result, away in result), (Outcome.TIMED_OUT, True, False))

    async def test_a_deadline_is_never_early(self):
        for delay in (0, 1, 999, 1_000_001, 2_345_678):
            deadline = self.reactor.now() + delay
            result = await soon(self.reactor.wait(deadline=deadline))
            self.assertEqual(result.outcome, Outcome.TIMED_OUT)
            self.assertGreaterEqual(self.reactor.now(), deadline)
            began = self.reactor.now()
            await soon(self.reactor.wait(timeout=delay / 1e9))
            self.assertGreaterEqual(self.reactor.now() - began, delay)

    async def test_an_earlier_deadline_is_not_kept_waiting_by_a_later_one(self):
        late = asyncio.ensure_future(self.reactor.wait(timeout=3600))
        await soon(self.reactor.wait(timeout=0.001))
        self.assertFalse(late.done())
        late.cancel()

    async def test_a_deadline_that_never_comes(self):
        event = self.reactor.event()
        for timeout in (float("inf"), 1e300, 1e10):
            waiting = asyncio.ensure_future(self.reactor.wait(event, timeout=timeout))
            await soon(self.reactor.wait(timeout=0))
            event.notify()
            self.assertTrue(await soon(waiting))
            event.take()
        with self.assertRaises(ValueError):
            await self.reactor.wait(event, timeout=float("nan"))
        with self.assertRaises(ValueError):
            await self.reactor.wait(event, timeout=1, deadline=1)

    async def test_a_task_that_is_cancelled_leaves_no_wait(self):
        ours, theirs = socket.socketpair()
        with ours, theirs, self.reactor.descriptor(ours) as waitable:
            waiting = asyncio.ensure_future(self.reactor.wait(waitable))
            other = asyncio.ensure_future(self.reactor.wait(waitable))
            await soon(self.reactor.wait(timeout=0))
            self.assertEqual(self.reactor.stats()["waits"], 2)
            waiting.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await waiting
            self.assertEqual((self.reactor.stats()["waits"], len(self.reactor._waits)), (1, 1))
            theirs.send(b"x")
            self.assertTrue(await soon(other))
        self.assertEqual(self.reactor._waits, {})

    async def test_wait_for_gives_up(self):
        with self.assertRaises(asyncio.TimeoutError):
            await asyncio.wait_for(self.reactor.wait(self.reactor.event()), 0.001)
        self.assertEqual(self.reactor.stats()["waits"], 0)

    async def test_a_thousand_waits_at_once(self):
        pairs = [(self.reactor.event(), n) for n in range(1000)]

        async def one(event, n):
            return (await self.reactor.wait(event)).ready(event), event.take(), n

        waiting = [asyncio.ensure_future(one(event, n)) for event, n in pairs]
        await asyncio.sleep(0)
        for event, _ in reversed(pairs):
            event.notify()
        self.assertEqual(await soon(asyncio.gather(*waiting)), [(READABLE, 1, n) for n in range(1000)])

    async def test_idle_is_idle(self):
        waiting = asyncio.ensure_future(self.reactor.wait(self.reactor.event(), timeout=3600))
        await soon(self.reactor.wait(timeout=0.001))
        before = self.reactor.stats()["turns"]
        for _ in range(100):
            await asyncio.sleep(0.0001)
        self.assertLessEqual(self.reactor.stats()["turns"] - before, 1)
        waiting.cancel()


class Started(ReactorTest):
    """Waits without a task."""

    async def test_what_was_cancelled_completes(self):
        told = []
        wait = self.reactor.start([self.reactor.event()], told.append)
        wait.cancel()
        await soon(self.reactor.wait(timeout=0))
        self.assertEqual([result.outcome for result in told], [Outcome.CANCELLED])
        self.assertTrue(wait.ended)
        self.assertRaises(libawsgi.StaleError, wait.cancel)
        self.assertRaises(libawsgi.StaleError, wait.forget)

    async def test_what_was_forgotten_does_not(self):
        event = self.reactor.event()
        wait = self.reactor.start([event], self.fail)
        event.notify()
        wait.forget()
        await soon(self.reactor.wait(timeout=0))
        self.assertTrue(wait.ended)

    async def test_what_another_completion_of_the_turn_forgets_does_not_come(self):
        first, second = self.reactor.event(), self.reactor.event()
        self.reactor.start([first], lambda result: forgotten.forget())
        forgotten = self.reactor.start([second], self.fail, multishot=True)
        with self.reactor.watch(second) as watch:
            self.reactor.start([first], lambda result: watch.close())
            first.notify()
            second.notify()
            await soon(self.reactor.wait(timeout=0))
            with self.assertRaises(StopAsyncIteration):
                await soon(watch.__anext__())
        self.assertEqual(self.reactor.stats()["waits"], 0)

    async def test_a_completion_may_turn_start_and_close(self):
        events, told = [self.reactor.event() for _ in range(3)], []

        def tell(result):
            told.append(result)
            self.reactor.turn()
            if result:
                events.pop().close()
                self.reactor.start([], told.append, timeout=0)

        for event in events:
            self.reactor.start([event], tell)
        events[0].notify()
        for _ in range(3):
            await soon(self.reactor.wait(timeout=0))
        outcomes = sorted(result.outcome for result in told)
        self.assertEqual(outcomes, [Outcome.READY, Outcome.TIMED_OUT, Outcome.CLOSED])
        self.assertEqual(len(events), 2)

    async def test_a_turn_can_be_bounded(self):
        told = []
        self.reactor.limit(room=1)
        for event in [self.reactor.event() for _ in range(10)]:
            self.reactor.start([event], told.append)
            event.notify()
        await soon(self.reactor.wait(timeout=0.001))
        self.assertEqual(len(told), 10)
        self.assertGreaterEqual(self.reactor.stats()["turns"], 10)


class Watches(ReactorTest):
    """Multishot waits, for `async for`."""

    async def test_a_socket_that_is_drained_each_time(self):
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with ours, theirs, self.reactor.descriptor(ours) as waitable:
            received = b""
            theirs.send(b"0")
            with self.reactor.watch(waitable) as watch:
                async for result in watch:
                    self.assertTrue(result.more)
                    try:
                        while True:
                            received += ours.recv(1)
                    except BlockingIOError:
                        pass
                    if len(received) == 5:
                        break
                    theirs.send(b"%d" % len(received))
            self.assertEqual(received, b"01234")
            self.assertEqual(self.reactor.stats()["waits"], 0)

    async def test_rearm_looks_again(self):
        reading, writing = os.pipe()
        with self.reactor.descriptor(reading, own=True) as waitable, self.reactor.watch(waitable) as watch:
            os.write(writing, b"xy")
            for _ in range(2):
                self.assertEqual((await soon(watch.__anext__())).ready(waitable), READABLE)
                os.read(reading, 1)
                watch.rearm()
        os.close(writing)

    async def test_the_loop_ends_with_the_wait(self):
        for outcome in (Outcome.TIMED_OUT, Outcome.CLOSED):
            event, seen = self.reactor.event(), []
            event.notify()
            with self.reactor.watch(event, timeout=0.01 if outcome == Outcome.TIMED_OUT else None) as watch:
                async for result in watch:
                    seen.append(result.outcome)
                    event.take()
                    if outcome == Outcome.CLOSED:
                        event.close()
            self.assertEqual(seen, [Outcome.READY])
            self.assertEqual(watch.result.outcome, outcome)

    async def test_results_that_nobody_looked_at_are_merged(self):
        event = self.reactor.event()
        with self.reactor.watch(event, READABLE | libawsgi.WRITABLE) as watch:
            for ready in (READABLE, libawsgi.WRITABLE):
                event.notify(ready)
                await soon(self.reactor.wait(timeout=0.001))
            self.assertEqual((await soon(watch.__anext__())).ready(event), READABLE | libawsgi.WRITABLE)
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(watch.__anext__(), 0.001)

    async def test_only_one_task_iterates(self):
        with self.reactor.watch(self.reactor.event()) as watch:
            first = asyncio.ensure_future(watch.__anext__())
            await asyncio.sleep(0)
            with self.assertRaises(RuntimeError):
                await watch.__anext__()
            watch.close()
            with self.assertRaises(StopAsyncIteration):
                await soon(first)
