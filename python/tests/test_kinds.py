"""Each kind of waitable, by itself."""

import asyncio
import gc
import os
import socket

import libawsgi
from libawsgi import HANGUP, READABLE, READ_CLOSED, WRITABLE, Outcome
from support import ReactorTest, soon


class Kinds(ReactorTest):
    async def test_an_event_is_set_until_it_is_taken(self):
        with self.reactor.event() as event:
            event.notify()
            event.notify()
            self.assertTrue(await soon(self.reactor.wait(event)))
            self.assertTrue(await soon(self.reactor.wait(event)))
            self.assertEqual((event.take(), event.take()), (1, 0))
            self.assertEqual((await self.reactor.wait(event, timeout=0)).outcome, Outcome.TIMED_OUT)

    async def test_an_event_tells_what_it_was_notified_of(self):
        event = self.reactor.event()
        event.notify(WRITABLE | HANGUP)
        result = await soon(self.reactor.wait((event, WRITABLE)))
        self.assertEqual(result.ready(event), WRITABLE | HANGUP)

    async def test_a_counter_counts(self):
        counter = self.reactor.counter()
        for _ in range(7):
            counter.notify()
        self.assertIn(counter, await soon(self.reactor.wait(counter)))
        self.assertEqual((counter.take(), counter.take()), (7, 0))

    async def test_a_timer_expires_again_and_again(self):
        began = self.reactor.now()
        timer = self.reactor.timer(0.002, 0.003)
        expired = 0
        while expired < 3:
            await soon(self.reactor.wait(timer))
            expired += timer.take()
            self.assertGreaterEqual(self.reactor.now() - began, 2_000_000 + (expired - 1) * 3_000_000)

    async def test_a_timer_of_no_time_has_expired(self):
        timer = self.reactor.timer(0)
        self.assertTrue(await self.reactor.wait(timer, timeout=0))
        self.assertEqual(timer.take(), 1)

    async def test_a_socket_is_ready_as_poll_says(self):
        ours, theirs = socket.socketpair()
        with ours, theirs, self.reactor.descriptor(ours) as waitable:
            both = (waitable, READABLE | WRITABLE)
            self.assertEqual((await soon(self.reactor.wait(both))).ready(waitable), WRITABLE)
            theirs.send(b"x")
            self.assertEqual((await soon(self.reactor.wait(both))).ready(waitable), READABLE | WRITABLE)
            theirs.close()
            result = await soon(self.reactor.wait((waitable, READ_CLOSED)))
            self.assertTrue(result.ready(waitable) & READ_CLOSED)

    async def test_a_descriptor_stays_open_unless_it_is_given_away(self):
        for own in (False, True):
            reading, writing = os.pipe()
            waitable = self.reactor.descriptor(reading, own=own)
            os.write(writing, b"x")
            self.assertTrue(await soon(self.reactor.wait(waitable)))
            waitable.close()
            os.close(writing)
            if own:
                self.assertRaises(OSError, os.fstat, reading)
            else:
                os.close(reading)

    async def test_a_file_is_always_ready(self):
        with open(__file__) as file, self.reactor.descriptor(file) as waitable:
            self.assertIn(waitable, await self.reactor.wait(waitable, timeout=0))

    async def test_an_object_lives_as_long_as_its_waitable(self):
        ours, theirs = socket.socketpair()
        with theirs, self.reactor.descriptor(ours) as waitable:
            number = ours.fileno()
            del ours
            theirs.send(b"x")
            self.assertTrue(await soon(self.reactor.wait(waitable)))
            os.fstat(number)
            waitable._behind.close()

    async def test_one_that_nobody_holds_is_closed(self):
        event = self.reactor.event()
        waiting = asyncio.ensure_future(self.reactor.wait(event))
        await soon(self.reactor.wait(timeout=0))
        notify = event.notify
        del event
        gc.collect()
        self.assertEqual(self.reactor.stats()["waitables"], 1, "somebody waits for it")
        notify()
        self.assertTrue(await soon(waiting))
        del waiting, notify
        held = [self.reactor.event()]
        # Also when another thread drops it.
        await asyncio.get_running_loop().run_in_executor(None, held.clear)
        await soon(self.reactor.wait(timeout=0))
        gc.collect()
        self.assertEqual(self.reactor.stats()["waitables"], 0)

    async def test_only_a_number_can_be_given_away(self):
        ours, theirs = socket.socketpair()
        with ours, theirs, self.assertRaises(TypeError):
            self.reactor.descriptor(ours, own=True)

    async def test_a_waitable_says_what_it_is(self):
        event = self.reactor.event()
        event.label("upstream ✓")
        self.assertIn("upstream ✓", event.describe())
        self.assertIn("libawsgi.Event", repr(event))


class Foreign(ReactorTest):
    """Objects that only the program can watch."""

    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.asked = []

    async def test_a_level_object_is_watched_until_reports_are_in_vain(self):
        foreign = self.reactor.foreign(self.asked.append)
        for _ in range(5):
            waiting = asyncio.ensure_future(self.reactor.wait(foreign))
            await soon(self.reactor.wait(timeout=0))
            foreign.notify(READABLE)
            self.assertEqual((await soon(waiting)).ready(foreign), READABLE)
        self.assertEqual(self.asked, [READABLE], "a rhythm of requests and responses costs no changes")
        foreign.notify(READABLE)
        foreign.notify(READABLE)
        await self.reactor.wait(timeout=0)
        self.assertEqual(self.asked, [READABLE, 0])
        self.assertEqual(foreign.interest, 0)

    async def test_an_object_that_reports_once_is_asked_each_time(self):
        def watch(interest):
            self.asked.append(interest)
            if interest:            # the stop comes with the reactor's end
                foreign.notify(interest)

        foreign = self.reactor.foreign(watch, once=True)
        for _ in range(3):
            self.assertTrue(await soon(self.reactor.wait((foreign, WRITABLE))))
        self.assertEqual(self.asked, [WRITABLE] * 3)

    async def test_one_that_is_closed_while_it_is_watched_is_stopped(self):
        for end in ("waitable", "reactor"):
            asked = []
            foreign = self.reactor.foreign(asked.append)
            waiting = asyncio.ensure_future(self.reactor.wait(foreign))
            await soon(self.reactor.wait(timeout=0.001))
            self.assertEqual(asked, [READABLE])
            (foreign if end == "waitable" else self.reactor).close()
            self.assertEqual((await soon(waiting)).outcome, Outcome.CLOSED)
            self.assertEqual(asked, [READABLE, 0])
            self.assertRaises(libawsgi.StaleError, foreign.notify)
            self.assertEqual(self.reactor._foreign, {})

    async def test_one_that_was_never_watched_is_not_stopped(self):
        self.reactor.foreign(self.asked.append).close()
        await soon(self.reactor.wait(timeout=0.001))
        self.assertEqual(self.asked, [])
        self.assertEqual(self.reactor._foreign, {})

    async def test_a_callback_that_fails_disturbs_nobody(self):
        def fail(interest):
            raise KeyError("broken")

        foreign, event = self.reactor.foreign(fail), self.reactor.event()
        event.notify()
        both = asyncio.ensure_future(self.reactor.wait_all(foreign, event))
        self.assertIn(event, await soon(self.reactor.wait(event)))
        await soon(self.reactor.wait(timeout=0))
        self.assertIsInstance(self.failures.pop()["exception"], KeyError)
        foreign.close()
        self.assertEqual((await soon(both)).outcome, Outcome.CLOSED)
        await soon(self.reactor.wait(timeout=0))
        self.assertIsInstance(self.failures.pop()["exception"], KeyError, "it is stopped, and fails again")
