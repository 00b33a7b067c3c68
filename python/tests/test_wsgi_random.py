"""Random applications with random clients: whatever they do, each ends once, and nothing is left."""

import os
import random
import threading

from gateway import PATIENCE, both, close_quietly

SEEDS = 20
EXCHANGES = 40


class Script:
    """An application that does what a seed says."""

    def __init__(self, seed, threads):
        self.random = random.Random(seed)
        self.threads = threads
        self.opened = 0
        self.closed = []
        self.lock = threading.Lock()

    def __call__(self, environ, start_response):
        with self.lock:
            number, self.opened = self.opened, self.opened + 1
            dice = random.Random(self.random.random())
        if dice.random() < 0.05:
            self.closed.append(number)
            raise LookupError("planned")
        return Body(self, number, dice, environ, start_response)


class Body:
    def __init__(self, script, number, dice, environ, start_response):
        self.script, self.number, self.dice = script, number, dice
        self.steps = self.run(environ, start_response)

    def __iter__(self):
        return self.steps

    def close(self):
        self.script.closed.append(self.number)
        self.steps.close()
        if self.dice.random() < 0.05:
            raise LookupError("planned")

    def run(self, environ, start_response):
        dice = self.dice
        reader, writer = os.pipe()
        try:
            started = dice.random() < 0.5
            if started:
                start_response("200 OK", [])
            for _ in range(dice.randrange(12)):
                what = dice.randrange(12)
                if what == 0:
                    yield b""
                elif what == 1:
                    yield environ["x-wsgiorg.fdevent.readable"](reader, dice.choice((0, 0.001, 0.01)))
                elif what == 2:
                    os.write(writer, b"x")
                    yield environ["x-wsgiorg.fdevent.readable"](reader)
                    os.read(reader, 1)
                elif what == 3:
                    yield from environ["awsgi.sleep"](dice.choice((0, 0.001, 0.01)))
                elif what == 4:
                    self.script.threads.append(environ["x-wsgiorg.suspend"](dice.choice((None, 1, 20))))
                    yield b""
                elif what == 5:
                    event = environ["awsgi.event"](counter=True)
                    self.script.threads.append(event.notify)
                    yield from environ["awsgi.wait"](event, environ["awsgi.client"], timeout=5)
                elif what == 6:
                    yield from environ["awsgi.wait_all"]((writer, 2), environ["awsgi.timer"](0.001), timeout=1)
                elif what == 7:
                    for bad in (
                        lambda: environ["x-wsgiorg.fdevent.readable"](-1),
                        lambda: environ["awsgi.wait"](),
                        lambda: environ["awsgi.wait"]((reader, "x")),
                    ):
                        try:
                            bad()
                        except (ValueError, TypeError):
                            pass
                elif what == 8 and dice.random() < 0.2:
                    raise LookupError("planned")
                elif started and what >= 9:
                    yield b"x" * dice.choice((1, 10, 5000, 100000))
            if not started:
                yield environ["x-wsgiorg.fdevent.writable"](writer)
                start_response("200 OK", [])
            yield b"end"
        finally:
            close_quietly(reader)
            close_quietly(writer)


@both
class Random:
    def test_every_exchange_ends_once_and_nothing_is_left(self):
        for seed in range(SEEDS):
            with self.subTest(seed=seed), self.stderr():
                self.one(seed)

    def one(self, seed):
        calls, done = [], threading.Event()

        def resume():
            # Late, early, often: whatever other threads do is allowed.
            while not done.wait(0.0005):
                while calls:
                    call = calls.pop()
                    call()
                    call()

        script, dice = Script(seed, calls), random.Random(seed)
        thread = threading.Thread(target=resume)
        thread.start()
        gateway = self.gateway(script, output=dice.choice((1000, 0)), streaming=dice.random() < 0.5)
        try:
            clients, left = [], set()
            for _ in range(EXCHANGES):
                body = dice.choice((None, None, b"x" * 100, b"x" * 30000))
                clients.append(gateway.open("POST" if body else "GET", body=body, hold=dice.random() < 0.2))
                for _ in range(dice.randrange(3)):
                    gateway.turn()
                leaving = dice.choice(clients)
                if dice.random() < 0.3 and not leaving.ended:
                    leaving.leave()
                    left.add(leaving)
            for client in clients:
                if client.hold:
                    client.hold = False
                    client.take()
                client.wait()
                if client.ended == "end" and client.status == 200 and client not in left:
                    self.assertTrue(client.body.endswith(b"end"))
        finally:
            done.set()
            thread.join(PATIENCE)
        gateway.until(lambda: len(script.closed) == script.opened)
        self.assertEqual(sorted(script.closed), list(range(script.opened)))
        gateway.until(lambda: not gateway.states)
        gateway.failures[:] = [said for said in gateway.failures if "LookupError: planned" not in said]
        self.assertEqual(gateway.failures, [])
