"""The engine with a compiled module, as application libraries have one: all its tests once more."""

import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import unittest

import cffi

from libawsgi import places
from libawsgi._cdef import CDEF
from libawsgi.wsgi import batch

TESTS = pathlib.Path(__file__).resolve().parent
INCLUDE = TESTS.parents[1] / "include"

# In a process of its own: what the tests use is decided when they are imported.
RUN = """
import sys, unittest
import gateway      # loads the library, whose name `compiled` then finds loaded
import compiled
gateway.ENGINE = compiled.ffi, compiled.lib
assert compiled.lib.libawsgi_environ and compiled.lib.libawsgi_respond
tests = unittest.defaultTestLoader.loadTestsFromNames(sys.argv[1:])
result = unittest.TextTestRunner(verbosity=0).run(tests)
sys.exit(not result.wasSuccessful() or not result.testsRun)
"""


def library():
    """How the linker is given the library that the package loads."""
    named = [path for path in places.libraries() if os.path.exists(path)]
    return named[0] if named else "-l:" + places.libraries()[-1]


def compile(folder):
    """Makes the module `compiled`, which uses the library that is loaded."""
    ffi = cffi.FFI()
    ffi.cdef(CDEF + batch.DECLARATIONS)
    ffi.set_source("compiled", '#include <stdlib.h>\n#include "awsgi.h"\n' + batch.SOURCE)
    source = folder / "compiled.c"
    ffi.emit_c_code(str(source))
    module = folder / ("compiled" + sysconfig.get_config_var("EXT_SUFFIX"))
    subprocess.run(
        [
            "cc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers",
            "-Wno-unused-function", "-Wno-cast-function-type", "-I", sysconfig.get_path("include"), "-I", str(INCLUDE),
            str(source), library(), "-o", str(module),
        ],
        check=True,
        timeout=120,
    )


@unittest.skipUnless(
    shutil.which("cc") and pathlib.Path(sysconfig.get_path("include"), "Python.h").exists(),
    "needs a C compiler and the headers of this Python",
)
class Compiled(unittest.TestCase):
    def test_the_engine_does_the_same(self):
        names = sorted(path.stem for path in TESTS.glob("test_wsgi_*.py") if path.stem != pathlib.Path(__file__).stem)
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            compile(folder)
            path = os.pathsep.join([str(folder), str(TESTS), str(TESTS.parent)])
            ran = subprocess.run(
                [sys.executable, "-X", "dev", "-c", RUN] + names,
                env={**os.environ, "PYTHONPATH": path},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                universal_newlines=True,
                timeout=300,
            )
        self.assertEqual(ran.returncode, 0, ran.stdout)
