"""How a reactor ends, and what is left then."""

import asyncio
import gc
import os
import socket
import sys
import unittest
import warnings

import libawsgi
from libawsgi import Outcome
from support import ReactorTest, soon
from test_threads import refusals


class Ending(unittest.IsolatedAsyncioTestCase):
    async def test_closing_completes_every_wait(self):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            async with libawsgi.Reactor() as reactor:
                waitables = reactor.event(), reactor.timer(3600), reactor.descriptor(ours), reactor.foreign(print)
                waiting = [asyncio.ensure_future(reactor.wait(waitable)) for waitable in waitables]
                waiting.append(asyncio.ensure_future(reactor.wait(timeout=3600)))
                watch = reactor.watch(waitables[0])
                await asyncio.sleep(0)
            results = await soon(asyncio.gather(*waiting))
            self.assertEqual([result.outcome for result in results], [Outcome.CLOSED] * 5)
            with self.assertRaises(StopAsyncIteration):
                await soon(watch.__anext__())
            self.assertEqual(watch.result.outcome, Outcome.CLOSED)

    async def test_more_waits_than_a_turn_has_room_for(self):
        async with libawsgi.Reactor() as reactor:
            told = []
            for _ in range(1000):
                reactor.start([reactor.event()], told.append)
        self.assertEqual([result.outcome for result in told], [Outcome.CLOSED] * 1000)

    async def test_nothing_is_left_open(self):
        before = os.listdir("/proc/self/fd")
        for _ in range(3):
            async with libawsgi.Reactor() as reactor:
                await reactor.wait(reactor.event(), timeout=0.001)
        self.assertEqual(os.listdir("/proc/self/fd"), before)

    async def test_what_begins_while_it_closes_is_refused(self):
        async with libawsgi.Reactor() as reactor:
            event = reactor.event()
            reactor.close()
            reactor.close()
            self.assertRaises(libawsgi.ClosedError, reactor.event)
            with self.assertRaises(libawsgi.ClosedError):
                await reactor.wait(event)
        self.assertIsNone(reactor.close())
        await soon(reactor.wait_closed())

    async def test_everything_is_refused_afterwards(self):
        async with libawsgi.Reactor() as reactor:
            event, timer, foreign = reactor.event(), reactor.timer(1), reactor.foreign(print)
            wait = reactor.start([event], lambda result: None)
            watch = reactor.watch(event)
        refused = refusals(
            {
                "now": reactor.now,
                "turn": reactor.turn,
                "stats": reactor.stats,
                "event": reactor.event,
                "timer": lambda: reactor.timer(1),
                "descriptor": lambda: reactor.descriptor(0),
                "foreign": lambda: reactor.foreign(print),
                "start": lambda: reactor.start([event], print),
                "watch": lambda: reactor.watch(event),
            }
        )
        self.assertEqual(refused, {name: libawsgi.ClosedError for name in refused})
        stale = refusals(
            {
                "take": timer.take,
                "notify": event.notify,
                "report": foreign.notify,
                "describe": event.describe,
                "label": lambda: event.label("x"),
                "cancel": wait.cancel,
                "forget": wait.forget,
                "rearm": watch.rearm,
            }
        )
        self.assertEqual(stale, {name: libawsgi.StaleError for name in stale})
        for waitable in event, timer, foreign, watch:
            waitable.close()
        # What was made since has nothing to do with them.
        async with libawsgi.Reactor() as other:
            other.event()
            self.assertRaises(libawsgi.StaleError, event.notify)
            with self.assertRaises(libawsgi.StaleError):
                await other.wait(event)

    async def test_a_waitable_is_no_other_reactors(self):
        async with libawsgi.Reactor() as one, libawsgi.Reactor() as other:
            event = one.event()
            with self.assertRaises(libawsgi.StaleError):
                await other.wait(event, timeout=0)


class Forgotten(unittest.TestCase):
    def test_one_that_is_not_closed_is_ended_all_the_same(self):
        async def forget():
            reactor = libawsgi.Reactor()
            reactor.limit(room=0)
            reactor.start([reactor.event()], print)
            reactor.foreign(print)

        before = os.listdir("/proc/self/fd")
        with self.assertWarns(ResourceWarning):
            with warnings.catch_warnings():
                warnings.simplefilter("always")
                asyncio.run(forget())
                gc.collect()
        self.assertEqual(os.listdir("/proc/self/fd"), before)

    def test_a_task_that_is_left_behind_with_its_loop_complains_of_nothing(self):
        tasks, complaints, loop = [], [], asyncio.new_event_loop()

        async def leave():
            reactor = libawsgi.Reactor()
            tasks.append(asyncio.ensure_future(reactor.wait(reactor.event())))
            await asyncio.sleep(0)

        loop.set_exception_handler(lambda loop, context: None)      # asyncio tells of the task itself
        loop.run_until_complete(leave())
        loop.close()
        self.addCleanup(setattr, sys, "unraisablehook", sys.unraisablehook)
        sys.unraisablehook = lambda failure: complaints.append(repr(failure.exc_value))
        with self.assertWarns(ResourceWarning):
            tasks.clear()
            gc.collect()
        self.assertEqual(complaints, [])

    def test_one_that_cannot_be_made_leaves_nothing(self):
        self.assertRaises(RuntimeError, libawsgi.Reactor)


class Fork(ReactorTest):
    async def test_a_child_is_refused(self):
        event = self.reactor.event()
        wait = self.reactor.start([event], self.fail)
        calls = {
            "now": self.reactor.now,
            "turn": self.reactor.turn,
            "close": self.reactor.close,
            "stats": self.reactor.stats,
            "event": self.reactor.event,
            "start": lambda: self.reactor.start([event], self.fail),
            "notify": event.notify,
            "take": event.take,
            "waitable close": event.close,
            "cancel": wait.cancel,
        }
        child = forked(lambda: refusals(calls) == {name: libawsgi.ForkedError for name in calls})
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        # And the parent has noticed nothing.
        wait.forget()
        event.notify()
        self.assertTrue(await soon(self.reactor.wait(event)))

    async def test_a_child_may_make_its_own(self):
        async def main():
            async with libawsgi.Reactor() as reactor:
                return (await reactor.wait(timeout=0.001)).outcome == Outcome.TIMED_OUT

        def afresh():
            asyncio._set_running_loop(None)
            return asyncio.run(main())

        self.assertEqual(os.waitpid(forked(afresh), 0)[1], 0)


def forked(function):
    """Runs a function in a child, which exits with 0 if it answers True, and does nothing else."""
    with warnings.catch_warnings():
        # Newer ones warn of threads that the child will not have.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        status = 2
        try:
            status = 0 if function() else 1
        finally:
            os._exit(status)
    return child
