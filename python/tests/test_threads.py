"""Other threads may notify, and nothing else."""

import asyncio
import threading

import libawsgi
from support import PATIENCE, ReactorTest, soon

THREADS, NOTIFIES = 10, 1000


class Threads(ReactorTest):
    async def test_ten_threads_lose_no_notify(self):
        counter, done = self.reactor.counter(), self.reactor.event()
        left = [threading.Thread(target=self.notify, args=(counter, done)) for _ in range(THREADS)]
        for thread in left:
            thread.start()
        counted = 0
        while counted < THREADS * NOTIFIES:
            self.assertTrue(await soon(self.reactor.wait(counter)))
            counted += counter.take()
        self.assertEqual(counted, THREADS * NOTIFIES)
        self.assertTrue(await soon(self.reactor.wait(done)))
        for thread in left:
            thread.join(PATIENCE)

    @staticmethod
    def notify(counter, done):
        for _ in range(NOTIFIES):
            counter.notify()
        done.notify()

    async def test_a_notify_wakes_a_loop_that_sleeps(self):
        event = self.reactor.event()
        waiting = asyncio.ensure_future(self.reactor.wait(event))
        await soon(self.reactor.wait(timeout=0.001))
        thread = threading.Thread(target=event.notify)
        thread.start()
        self.assertTrue(await soon(waiting))
        thread.join(PATIENCE)

    async def test_everything_else_is_refused(self):
        event, ended = self.reactor.event(), self.reactor.event()
        ended.close()
        wait = self.reactor.start([event], lambda result: None)
        calls = {
            "now": self.reactor.now,
            "turn": self.reactor.turn,
            "close": self.reactor.close,
            "stats": self.reactor.stats,
            "event": self.reactor.event,
            "timer": lambda: self.reactor.timer(1),
            "descriptor": lambda: self.reactor.descriptor(0),
            "foreign": lambda: self.reactor.foreign(self.fail),
            "start": lambda: self.reactor.start([event], self.fail),
            "watch": lambda: self.reactor.watch(event),
            "take": event.take,
            "waitable close": event.close,
            "describe": event.describe,
            "label": lambda: event.label("x"),
            "cancel": wait.cancel,
            "forget": wait.forget,
        }
        answers = await asyncio.get_running_loop().run_in_executor(None, refusals, calls)
        self.assertEqual(answers, {name: libawsgi.ThreadError for name in calls})
        self.assertFalse(wait.ended)
        self.assertEqual(len(self.reactor._waits), 1)
        wait.forget()

    async def test_a_reactor_belongs_to_its_loop(self):
        self.assertRaises(RuntimeError, self.elsewhere, libawsgi.Reactor)

    @staticmethod
    def elsewhere(function):
        raised = []

        def call():
            try:
                function()
            except Exception as error:
                raised.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        thread.join(PATIENCE)
        raise raised[0]


def refusals(calls):
    """What kind of error each of these raises; None if it does not."""
    answers = {}
    for name, call in calls.items():
        try:
            call()
            answers[name] = None
        except Exception as error:
            answers[name] = type(error)
    return answers
