"""Where the library is found, and what is said when it is not."""

import os
import pathlib
import subprocess
import sys
import unittest

import cdef
import libawsgi
from libawsgi import _native, places

ROOT = pathlib.Path(_native.__file__).resolve().parents[2]


def importing(**environment):
    """What importing the package says to standard error, with these variables."""
    ran = subprocess.run(
        [sys.executable, "-c", "import libawsgi; libawsgi.Reactor"],
        env={**os.environ, **environment},
        stderr=subprocess.PIPE,
        universal_newlines=True,
        timeout=60,
    )
    return ran.stderr


class Loading(unittest.TestCase):
    def test_the_library_that_is_named_is_the_one_that_is_taken(self):
        said = importing(LIBAWSGI="/nowhere/libawsgi.so")
        self.assertIn("ImportError: libawsgi cannot be loaded:", said)
        self.assertIn("/nowhere/libawsgi.so: cannot open shared object file", said)
        self.assertIn("make build", said)
        self.assertIn("LIBAWSGI", said)

    def test_another_library_is_none(self):
        said = importing(LIBAWSGI="libc.so.6")
        self.assertIn("libc.so.6: it has no C interface", said)

    def test_one_of_another_version_is_refused(self):
        class Library:
            AWSGI_ABI_VERSION = _native.lib.AWSGI_ABI_VERSION
            AWSGI_VERSION_NUMBER = _native.lib.AWSGI_VERSION_NUMBER

            def __init__(self, number, abi):
                self.answer = number, abi

            def awsgi_version(self, number, abi):
                number[0], abi[0] = self.answer

        number, abi = Library.AWSGI_VERSION_NUMBER, Library.AWSGI_ABI_VERSION
        self.assertIsNone(_native.misfit(Library(number, abi)))
        self.assertIsNone(_native.misfit(Library(number + 1, abi)))
        self.assertIn("its ABI is", _native.misfit(Library(number, abi + 1)))
        self.assertIn("older (0.0.9)", _native.misfit(Library(9, abi)))

    def test_importing_the_package_loads_nothing(self):
        # In the process of another host there is no library to be loaded.
        ran = subprocess.run(
            [sys.executable, "-c", "import libawsgi; print(libawsgi.__version__)"],
            env={**os.environ, "LIBAWSGI": "/nowhere/libawsgi.so"}, stdout=subprocess.PIPE, text=True, timeout=60,
        )
        self.assertEqual((ran.returncode, ran.stdout), (0, libawsgi.__version__ + "\n"))

    def test_unnamed_it_is_that_of_the_clone_then_that_of_the_system(self):
        named = os.environ.pop("LIBAWSGI", None)
        try:
            candidates = places.libraries()
        finally:
            if named is not None:
                os.environ["LIBAWSGI"] = named
        abi = _native.lib.AWSGI_ABI_VERSION
        name = "libawsgi.so.%d" % abi
        self.assertEqual(candidates, [str(ROOT / "target" / "release" / name), name])


class Declarations(unittest.TestCase):
    def test_conditions_and_constants(self):
        header = """
            #ifndef AWSGI_H
            #if defined(_WIN32)
            typedef long awsgi_os_handle;
            #elif defined(__GNUC__)
            typedef int awsgi_os_handle;
            #else
            typedef char awsgi_os_handle;
            #endif
            #define AWSGI_A 2  /* two */
            #define AWSGI_B \\
                (AWSGI_A * 1000 + 1)
            #define AWSGI_C (-3)
            #define AWSGI_D UINT64_MAX
            #define AWSGI_INIT { sizeof(int), 0 }
            #define AWSGI_CALL(x) (x)
            AWSGI_API
            int awsgi_one(int a);
            #endif
        """
        declarations = {}
        exec(cdef.reduce("\n".join(line.strip() for line in header.splitlines())), declarations)
        self.assertEqual(
            declarations["CDEF"].split("\n"),
            [
                "typedef int awsgi_os_handle;",
                "#define AWSGI_A 2",
                "#define AWSGI_B 2001",
                "#define AWSGI_C -3",
                "#define AWSGI_D 18446744073709551615",
                "int awsgi_one(int a);",
                "",
            ],
        )

    def test_a_function_is_never_lost(self):
        with self.assertRaises(SystemExit) as raised:
            cdef.reduce("#if defined(_WIN32)\nint awsgi_one(int a);\n#endif\n")
        self.assertIn("awsgi_one", str(raised.exception))
