"""Python applications in processes that are not Python's: `awsgi serve`, and a small C program."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import serving
from libawsgi import places
from serving import APPS, TESTS, Served

ROOT = TESTS.parents[1]
# `awsgi`, of the build that the library is of.
COMMAND = os.environ.get("AWSGI_COMMAND") or str(ROOT / "target" / "release" / "awsgi")


def environment(**more):
    """The applications are found, and so is the package; the library is nobody's business but the host's."""
    found = {**os.environ, "PYTHONPATH": str(APPS), "PYTHONDONTWRITEBYTECODE": "1", **more}
    return {key: value for key, value in found.items() if value is not None}


class Plugged(Served):
    """Under `awsgi serve`, or another host."""

    spec = "process"
    suspending = False

    @classmethod
    def host(cls, plugin, config):
        return [COMMAND, "serve", "--bind", "127.0.0.1:0", "--workers", "1", plugin, "--", *config]

    @classmethod
    def setUpClass(cls):
        command = cls.host(places.plugin(cls.suspending), [cls.spec, *cls.way])
        cls.server = serving.Server(how={"args": command, "env": environment(LIBAWSGI=None), "cwd": str(APPS)})


class Hosted(Plugged):
    def test_it_serves(self):
        self.assertNotEqual(self.get("/pid"), str(os.getpid()))
        self.assertEqual(self.ask("/body", b"x" * 3000000).text, "3000000")

    def test_the_signals_are_the_hosts(self):
        self.assertTrue(self.get("/signals").startswith("0 handlers"))

    def test_a_program_that_it_starts_can_be_ended(self):
        self.assertEqual(self.get("/child"), "ended by 15")

    def test_extension_modules_find_python(self):
        self.assertEqual(self.get("/extension"), "1.1")

    def test_it_is_in_the_environment_that_it_was_built_in(self):
        self.assertEqual(self.get("/prefix"), sys.prefix)

    def test_a_thread_keeps_what_it_has(self):
        for _ in range(20):
            times, threads = map(int, self.get("/thread").split())
        # One after another needs one thread, or few, and each finds what it has left.
        self.assertGreaterEqual(times * threads, 20)
        self.assertLess(threads, 20)


class Blocking(Hosted, unittest.TestCase):
    def test_exchanges_run_beside_each_other(self):
        # One waits for ever: the others go on.
        waiting = self.server.send("/begin")
        self.assertEqual(waiting.recv(9), b"HTTP/1.1 ")
        self.test_it_serves()
        serving.vanish(waiting)


class Suspending(Hosted, unittest.TestCase):
    suspending = True
    way = ("--blocked-after", "5")

    def test_all_run_on_the_loop(self):
        times, threads = map(int, self.get("/thread").split())
        self.assertEqual(threads, 1)


class Refused(unittest.TestCase):
    def check(self, *config, suspending=False, **more):
        """What `awsgi check` says to what it refuses."""
        ran = subprocess.run(
            [COMMAND, "check", places.plugin(suspending), "--", *config],
            env=environment(**more), cwd=str(APPS), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            timeout=60,
        )
        self.assertEqual((ran.returncode, ran.stdout), (1, ""), ran.stderr)
        return ran.stderr

    def test_a_module_that_is_not_there(self):
        said = self.check("nowhere:application")
        self.assertIn("libawsgi: there is no module nowhere in %s" % APPS, said)
        self.assertNotIn("Traceback", said)

    def test_an_option_that_does_not_exist(self):
        self.assertIn("--bind=x, after the -- of the host's command line: give MODULE", self.check("process", "--bind=x"))

    def test_a_quotation_without_an_end(self):
        said = self.check("process", "it's")
        self.assertIn("what is given for the application cannot be taken apart: No closing quotation: process it's", said)

    def test_no_application(self):
        self.assertIn("MODULE:APPLICATION", self.check())

    def test_a_python_that_does_not_start(self):
        said = self.check("process", PYTHONHOME="/nowhere")
        self.assertIn("libawsgi: Python does not start: ", said)

    @unittest.skipUnless(places.CLONE, "an installed package has what was compiled beside it")
    def test_one_that_has_no_shared_library(self):
        program = (
            "import sysconfig; found = sysconfig.get_config_var\n"
            "sysconfig.get_config_var = lambda name: None if name in ('INSTSONAME', 'LDLIBRARY') else found(name)\n"
            "import runpy, sys; sys.argv = ['libawsgi', 'plugin']; runpy.run_module('libawsgi', run_name='__main__')\n"
        )
        with tempfile.TemporaryDirectory() as empty:
            found = {**environment(LIBAWSGI_BUILT=empty), "PYTHONPATH": str(serving.PACKAGES)}
            ran = subprocess.run([sys.executable, "-c", program], env=found, stderr=subprocess.PIPE, text=True, timeout=60)
        self.assertEqual(ran.returncode, 1)
        self.assertIn("has no shared library, so no other process can host it", ran.stderr)


class Program(unittest.TestCase):
    """A C program that opens exchanges itself. There is no Python in it before the plugin brings it."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.program = pathlib.Path(cls.folder.name) / "host"
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        subprocess.run(
            [compiler, "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-I", str(ROOT / "include"),
             str(TESTS / "host.c"), "-o", str(cls.program), "-ldl"],
            check=True, timeout=120,
        )

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def run_host(self, suspending, config, *targets):
        """What the exchanges were answered, if signals and locale are as they were."""
        library = next(path for path in places.libraries() if os.path.exists(path))
        ran = subprocess.run(
            [str(self.program), library, places.plugin(suspending), config, *targets],
            env=environment(LC_ALL="C.UTF-8"), cwd=str(APPS), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, timeout=60,
        )
        self.assertEqual(ran.returncode, 0, ran.stderr)
        *answers, untouched = ran.stdout.splitlines()
        self.assertEqual(untouched, "untouched")
        return answers

    def test_both_ways_answer(self):
        for suspending in (False, True):
            answers = self.run_host(suspending, "process:application", "/prefix", "/extension", "/signals")
            self.assertEqual(answers[:2], ["200 " + sys.prefix, "200 1.1"])
            self.assertTrue(answers[2].startswith("200 0 handlers"))

    def test_exchanges_wait_for_each_other(self):
        for suspending in (False, True):
            self.assertEqual(self.run_host(suspending, "process", *["/meet?10"] * 10), ["200 met"] * 10)

    def test_what_fails_is_the_exchange(self):
        answers = self.run_host(False, "process", "/nowhere", "/prefix")
        self.assertEqual([answer[:4] for answer in answers if answer], ["500 ", "200 "])
