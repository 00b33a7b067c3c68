#!/usr/bin/env python3
"""The driver by which awsgi-contract checks the reactor in asyncio: docs/contract.md has the lines that it speaks.

    LIBAWSGI=... PYTHONPATH=python awsgi-contract python3 python/contract_asyncio.py
"""

import asyncio
import collections
import os
import sys
import threading
import time

import libawsgi
from libawsgi import Readiness
from libawsgi.waitable import Notified
from contract_objects import Box, Pipe, Signal, Socket


class Broken(Exception):
    """A promise that the driver itself saw broken."""


class Driver:
    """Executes commands in the loop, one between two of its rounds."""

    def __init__(self):
        self.loop = asyncio.get_running_loop()
        self.loop.set_exception_handler(self.broken)
        self.reactor = libawsgi.Reactor()
        self.objects, self.closed, self.waits, self.threads = {}, {}, {}, {}
        self.budget, self.room = 0, 64
        self.unread, self.lines = b"", collections.deque()
        self.batch, self.executing, self.reporting = 1, False, False
        self.kept = None, None      # a wait, and the command for its next completion
        self.ended = self.loop.create_future()
        self.loop.add_reader(0, self.read)

    # ---- Lines ----

    def read(self):
        received = os.read(0, 65536)
        *lines, self.unread = (self.unread + received).split(b"\n")
        self.lines.extend(line.decode() for line in lines)
        if not received:
            self.loop.remove_reader(0)
            self.lines.append(None)
        self.execute()

    def execute(self):
        """Executes the commands that belong together, and has the loop come back for those that follow."""
        if self.executing or not self.lines or (len(self.lines) < self.batch and self.lines[-1] is not None):
            return
        batch, self.batch = self.batch, 1
        for _ in range(min(batch, len(self.lines))):
            self.command(self.lines.popleft())
        self.executing = True
        self.loop.call_soon(self.go_on)

    def go_on(self):
        self.executing = False
        self.execute()

    def command(self, line):
        if line is None:
            self.ended.set_result(None)
            return
        name, *words = line.split(" ")
        function = getattr(self, "do_" + name, None)
        try:
            if function is None:
                raise ValueError("no such command")
            answer = function(*words)
            if name not in ("batch", "when"):
                say("ok" if answer is None else "ok %s" % answer)
        except libawsgi.Error as error:
            say("error " + error.status.replace("AWSGI_E_", ""))
        except OSError:
            say("error OS")
        except Broken as broken:
            say("error %s" % broken)
        except (KeyError, AttributeError, TypeError, ValueError) as error:
            say("unknown %s: %r" % (name, error))
        self.report()

    def report(self):
        """The host of the objects of ours: they are looked at after each command, change and completion."""
        self.reporting = False
        for thing in list(self.objects.values()):
            if isinstance(thing, Box):
                thing.report()

    def something_came(self):
        if not self.reporting:
            self.reporting = True
            self.loop.call_soon(self.report)

    def broken(self, loop, context):
        # A turn that the kernel refused is done again: the loop still sees the descriptor.
        if not isinstance(context.get("exception"), libawsgi.SystemCallError):
            say("broken %s: %r" % (context["message"], context.get("exception")))

    # ---- Objects ----

    def do_event(self, name):
        self.objects[name] = Signal(self.reactor.event())

    def do_counter(self, name):
        self.objects[name] = Signal(self.reactor.counter())

    def do_timer(self, name, first, period):
        self.objects[name] = Signal(self.reactor.timer(int(first) / 1e9, int(period) / 1e9))

    def do_pipe(self, name):
        self.objects[name] = Pipe(self.reactor)

    def do_socket(self, name, port):
        self.objects[name] = Socket(self.reactor, int(port))

    def do_foreign(self, name, kind):
        def watch(interest):
            say("watch %s %s" % (name, bits_in_words(interest)) if interest else "stop " + name)
            self.something_came()

        self.objects[name] = Box(self.reactor, kind == "once", watch)

    def do_put(self, name):
        self.objects[name].put()

    def do_take(self, name):
        return self.objects[name].take()

    def do_hangup(self, name):
        self.objects[name].hangup()

    def do_close(self, name):
        thing = self.objects.pop(name)
        self.closed[name] = thing
        thing.close()

    # ---- Waits ----

    def do_wait(self, name, count, *words):
        began = self.reactor.now()
        members, options = [], {}
        for word in words:
            key, _, value = word.partition("=")
            if key == "deadline":
                options[key] = 0 if value == "now" else began + int(value)
            elif key in ("multishot", "off_loop"):
                options[key] = True
            else:
                waitable, bits = word.split(":")
                members.append((self.waitable(waitable), bits_of(bits)))
        at_least = {"any": 1, "all": len(members)}.get(count)
        at_least = int(count) if at_least is None else at_least

        def deliver(result):
            ended = ["done", name, result.outcome.name] + ["MORE"] * result.more
            ended.append("after=%d" % (self.reactor.now() - began))
            ended += ["%d:%s" % (member.index, bits_in_words(member.ready)) for member in result.members]
            say(" ".join(ended))
            self.something_came()
            if self.kept[0] == name:
                line, self.kept = self.kept[1], (None, None)
                self.command(line)

        self.waits[name] = self.reactor.start(members, deliver, at_least=at_least, **options)

    def do_when(self, name, *command):
        self.kept = name, " ".join(command)

    def do_cancel(self, name):
        self.waits[name].cancel()

    def do_forget(self, name):
        self.waits[name].forget()

    def do_rearm(self, name):
        self.waits[name].rearm()

    def waitable(self, name):
        return (self.objects.get(name) or self.closed[name]).waitable

    # ---- Notifies and threads ----

    def do_notify(self, name, bits):
        # Also of what has no such method, since it tells by itself.
        Notified.notify(self.waitable(name), bits_of(bits))

    def do_notify_closed(self, name, bits):
        self.closed[name].waitable.notify(bits_of(bits))

    def do_threads(self, name, threads, notifies, waitable, bits):
        arguments = self.waitable(waitable), int(notifies), bits_of(bits)
        self.threads[name] = [threading.Thread(target=notify, args=arguments) for _ in range(int(threads))]
        for thread in self.threads[name]:
            thread.start()

    def do_join(self, name):
        for thread in self.threads.pop(name):
            thread.join()

    # ---- The loop and the process ----

    def do_stall(self, ns):
        time.sleep(int(ns) / 1e9)

    def do_budget(self, events):
        self.budget = int(events)
        self.reactor.limit(self.budget, self.room)

    def do_room(self, completions):
        self.room = int(completions)
        self.reactor.limit(self.budget, self.room)

    def do_batch(self, commands):
        self.batch = int(commands)

    def do_fork(self):
        event = self.reactor.event()
        wait = self.reactor.start([event], lambda result: None)
        calls = {
            "now": self.reactor.now,
            "turn": self.reactor.turn,
            "start": lambda: self.reactor.start([event], None),
            "notify": event.notify,
            "cancel": wait.cancel,
            "take": event.take,
            "close": event.close,
            "close of the reactor": self.reactor.close,
        }
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.write(writing, "; ".join(what_was_answered(calls)).encode())
            finally:
                os._exit(0)
        os.close(writing)
        with open(reading) as answers:
            wrong = answers.read()
        os.waitpid(child, 0)
        wait.forget()
        event.close()
        if wrong:
            raise Broken(wrong)

    def do_stats(self):
        stats = self.reactor.stats()
        names = "turns events completions stale spurious ghosts rebuilds changes signals waits waitables"
        return " ".join("%s=%d" % (name, stats[name]) for name in names.split(" "))

    def do_quit(self):
        self.loop.remove_reader(0)
        self.lines.clear()
        self.lines.append(None)


def notify(waitable, times, bits):
    while times > 0:
        try:
            waitable.notify(bits)
            times -= 1
        except libawsgi.LimitError:
            time.sleep(0)       # a counter that is full: let it be taken
        except libawsgi.StaleError:
            return


def what_was_answered(calls):
    for name, call in calls.items():
        try:
            call()
            yield name + " answers OK"
        except libawsgi.ForkedError:
            pass
        except Exception as error:
            yield "%s answers %r" % (name, error)


def bits_of(words):
    bits = 0
    for word in words.split(","):
        bits |= int(word) if word.isdigit() else Readiness[word]
    return bits


def bits_in_words(bits):
    return ",".join(bit.name for bit in Readiness if bit & bits)


def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def main():
    driver = Driver()
    say("contract 1\nhost asyncio\nmode nested\nkind both\nready")
    await driver.ended
    driver.reactor.close()
    await driver.reactor.wait_closed()
    say("freed")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except (libawsgi.Error, OSError) as error:
        sys.exit("contract_asyncio: %s" % error)
