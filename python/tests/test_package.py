"""What `pip install ./python` makes: a wheel with all that is needed, or a sentence that says what is missing."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile

import libawsgi
from libawsgi import places
from serving import TESTS

PYTHON = TESTS.parent
WHEEL = "import backend, sys; print(backend.build_wheel(sys.argv[1]))"


def build(folder, **environment):
    """Makes the wheel, as pip has it made: with the package in reach, and nothing else."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment}
    return subprocess.run(
        [sys.executable, "-c", WHEEL, str(folder)],
        env={name: value for name, value in environment.items() if value is not None}, cwd=str(PYTHON),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=600,
    )


class Wheel(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_a_wheel_for_a_library_that_is_installed(self):
        library = self.folder / "of its own" / places.shared(0)
        library.parent.mkdir()
        shutil.copy(next(path for path in places.libraries() if os.path.exists(path)), library)
        made = build(self.folder, LIBAWSGI=str(library))
        self.assertEqual(made.returncode, 0, made.stderr)
        name = made.stdout.split()[-1]
        self.assertRegex(name, r"^libawsgi-%s-cp3\d+-cp3\d+t?-\w+\.whl$" % libawsgi.__version__)

        unpacked = self.folder / "site"
        with zipfile.ZipFile(self.folder / name) as archive:
            files = set(archive.namelist())
            record = archive.read("libawsgi-%s.dist-info/RECORD" % libawsgi.__version__).decode()
            archive.extractall(unpacked)
        package = PYTHON / "libawsgi"
        sources = {"libawsgi/" + path.relative_to(package).as_posix() for path in package.rglob("*.py")}
        self.assertLessEqual(sources, files)
        self.assertEqual({line.split(",")[0] for line in record.splitlines()}, files)

        # It works alone, with the library that was named when it was made.
        program = (
            "import libawsgi, libawsgi.places\n"
            "server = libawsgi.Server(lambda environ, start_response: [], bind='127.0.0.1:0')\n"
            "print(libawsgi.__file__, libawsgi.places.plugin(True), libawsgi.places.libraries()[0], sep='\\n')\n"
        )
        ran = subprocess.run(
            [sys.executable, "-c", program], env={**without("LIBAWSGI"), "PYTHONPATH": str(unpacked)},
            cwd=str(self.folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60,
        )
        self.assertEqual(ran.returncode, 0, ran.stderr)
        home, plugin, used = ran.stdout.splitlines()
        self.assertEqual(pathlib.Path(home).parent, unpacked / "libawsgi")
        self.assertEqual(pathlib.Path(plugin).parent, unpacked / "libawsgi")
        self.assertEqual(used, str(library))

    def test_what_is_missing_is_said(self):
        tools = self.folder / "tools"
        tools.mkdir()
        library = str(next(path for path in places.libraries() if os.path.exists(path)))
        for environment, sentence in [
            ({"LIBAWSGI": None}, "cargo is missing; install Rust from https://rustup.rs, or name a library"),
            ({"LIBAWSGI": library, "CC": None}, "a C compiler is missing; install one"),
            ({"LIBAWSGI": "/nowhere/libawsgi.so"}, "LIBAWSGI is /nowhere/libawsgi.so, and there is no such file"),
        ]:
            with self.subTest(sentence):
                made = build(self.folder, PATH=str(tools), **environment)
                self.assertEqual(made.returncode, 1)
                self.assertIn("libawsgi: " + sentence, made.stderr)
                self.assertNotIn("Traceback", made.stderr)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["tools"])


def without(*names):
    return {name: value for name, value in os.environ.items() if name not in names}


if __name__ == "__main__":
    unittest.main()
