"""Finding an application, its options, and the watchdog."""

import os
import signal
import sys
import tempfile
import textwrap
import threading
import time
import unittest

from gateway import GatewayTest

from libawsgi import wsgi
from libawsgi._native import ffi, lib


class Loading(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.folder)
        path = list(sys.path)
        self.addCleanup(sys.path.__setitem__, slice(None), path)
        modules = set(sys.modules)
        self.addCleanup(lambda: [sys.modules.pop(name) for name in set(sys.modules) - modules])

    def module(self, name, text):
        with open(os.path.join(self.folder, name + ".py"), "w") as file:
            file.write(textwrap.dedent(text))

    def load(self, spec, **options):
        return wsgi.Application(ffi, lib, spec, **options)

    def refused(self, spec, *words, error=ImportError):
        with self.assertRaises(error) as raised:
            self.load(spec)
        for word in words:
            self.assertIn(word, str(raised.exception))
        self.assertNotIn("\n", str(raised.exception))
        return raised.exception

    def test_it_is_found_in_the_working_directory(self):
        self.module("first_app", "def application(environ, start_response): pass\nclass A:\n  other = application")
        found = self.load("first_app").application
        self.assertIs(found, self.load("first_app:application").application)
        self.assertIs(found, self.load("first_app:A.other").application)

    def test_one_that_is_given_is_taken(self):
        self.assertIs(self.load(len).application, len)
        self.refused(5, "the application is int: 5", error=TypeError)

    def test_what_names_none(self):
        for spec in ("", ":application", "a b", "a-b:c", "../x", "x/y.py"):
            self.refused(spec, "names no application", "module:application")

    def test_a_module_that_is_not_there(self):
        self.refused("no_such_module_here", "there is no module no_such_module_here", self.folder)
        self.refused("email.no_such_module_here:x", "there is no module email.no_such_module_here")

    def test_a_module_that_cannot_be_imported(self):
        self.module("needs_more", "import no_such_module_there")
        error = self.refused("needs_more", "needs_more cannot be imported", "no_such_module_there")
        self.assertIsNotNone(error.__cause__)
        self.module("raises_it", "1 / 0")
        self.refused("raises_it", "raises_it cannot be imported: ZeroDivisionError: division by zero")
        self.module("is_no_python", "def")
        self.refused("is_no_python", "is_no_python cannot be imported: SyntaxError")

    def test_one_that_is_not_in_its_module(self):
        self.module("empty_app", "")
        self.refused("empty_app", "module empty_app has no application")
        self.refused("empty_app:other.x", "module empty_app has no other.x")

    def test_one_that_cannot_be_called(self):
        self.module("text_app", "application = 'text'")
        self.refused("text_app", "text_app is str: 'text'", "is called with environ and start_response", error=TypeError)

    def test_options_are_checked(self):
        for options in ({"memory": -1}, {"memory": "1"}, {"blocked": -1}, {"blocked": None}, {"blocked": float("nan")}):
            with self.assertRaises(ValueError):
                self.load(len, options=options)
        with self.assertRaises(TypeError):
            self.load(len, options={"unknown": 1})


class Watching(GatewayTest):
    """A suspending application that blocks its loop is named."""

    def test_a_step_that_blocks_is_named_with_its_line(self):
        def application(environ, start_response):
            start_response("200 OK", [])
            yield b"x"
            last = time.monotonic() + 20
            while "blocked its loop" not in stderr.getvalue() and time.monotonic() < last:
                time.sleep(0.01)    # blocks here
            yield b"y"

        with self.stderr() as stderr:
            gateway = self.gateway(application, blocked=0.03)
            self.assertEqual(gateway.get(target="/slow%0apath").body, b"xy")
            (said,) = stderr.getvalue().splitlines()
        self.assertIn("for GET '/slow\\npath'", said)
        self.assertIn("more than 0.03 s", said)
        self.assertIn(__file__, said)
        self.assertIn("in application: time.sleep(0.01)    # blocks here", said)

    def test_it_is_named_once_for_each_step(self):
        def application(environ, start_response):
            start_response("200 OK", [])
            for number in (1, 2):
                last = time.monotonic() + 20
                while len(stderr.getvalue().splitlines()) < number and time.monotonic() < last:
                    time.sleep(0.01)
                time.sleep(0.2)     # long enough to be named again, were it not for the rule
                yield b"x"

        with self.stderr() as stderr:
            gateway = self.gateway(application, blocked=0.03)
            self.assertEqual(gateway.get().body, b"xx")
            self.assertEqual(len(stderr.getvalue().splitlines()), 2)

    def test_it_sleeps_while_nothing_runs(self):
        gateway = self.gateway(lambda environ, start_response: start_response("200 OK", []) and [], blocked=0.01)
        watchdog = gateway.application.watchdog
        for _ in range(3):
            gateway.get()
            self.assertFalse(watchdog.asleep and gateway.workers[1].steps == 0)
            gateway.until(lambda: watchdog.asleep)

    def test_who_looks_takes_no_signals(self):
        self.gateway(lambda environ, start_response: start_response("200 OK", []) and [], blocked=0.01).get()
        (thread,) = [thread for thread in threading.enumerate() if thread.name == "libawsgi-watchdog"]
        with open("/proc/self/task/%d/status" % thread.native_id) as status:
            (blocked,) = [int(line.split()[1], 16) for line in status if line.startswith("SigBlk:")]
        self.assertEqual([n for n in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1) if not blocked >> n - 1 & 1], [])

    def test_one_that_waits_is_not_named(self):
        def application(environ, start_response):
            start_response("200 OK", [])
            yield from environ["awsgi.sleep"](0.2)
            yield b"x"

        with self.stderr() as stderr:
            self.assertEqual(self.gateway(application, blocked=0.02).get().body, b"x")
            self.assertEqual(stderr.getvalue(), "")

    def test_its_thread_ends_with_the_application(self):
        import threading

        gateway = self.gateway(len, blocked=1)
        thread = gateway.application.watchdog._thread
        self.assertIn(thread, threading.enumerate())
        self.addCleanup(lambda: self.assertFalse(thread.is_alive()))
        self._cleanups.reverse()
