"""The engine with the functions that were compiled for it, as it runs everywhere else: all its tests once more."""

import os
import pathlib
import subprocess
import sys
import unittest

TESTS = pathlib.Path(__file__).resolve().parent

# In a process of its own: what the tests use is decided before they are imported.
RUN = """
import sys, unittest
import gateway
from libawsgi import entry, server

server.introduce()
assert entry.lib.libawsgi_environ and entry.lib.libawsgi_respond
gateway.ENGINE = entry.ffi, entry.lib
tests = unittest.defaultTestLoader.loadTestsFromNames(sys.argv[1:])
result = unittest.TextTestRunner(verbosity=0).run(tests)
sys.exit(not result.wasSuccessful() or result.testsRun < 300)
"""


class Compiled(unittest.TestCase):
    def test_the_engine_does_the_same(self):
        others = {pathlib.Path(__file__).stem, "test_wsgi_lock"}
        names = sorted(path.stem for path in TESTS.glob("test_wsgi_*.py") if path.stem not in others)
        path = os.pathsep.join(filter(None, [str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH")]))
        ran = subprocess.run(
            [sys.executable, "-X", "dev", "-c", RUN] + names,
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            universal_newlines=True,
            timeout=300,
        )
        self.assertEqual(ran.returncode, 0, ran.stdout)
