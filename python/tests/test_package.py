"""The package can be installed without a network and without a compiler."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import zipfile

import libawsgi
import backend
from libawsgi import _native


class Wheel(unittest.TestCase):
    def test_a_wheel_has_the_package_and_works_alone(self):
        with tempfile.TemporaryDirectory() as directory:
            name = backend.build_wheel(directory)
            self.assertEqual(name, "libawsgi-%s-py3-none-any.whl" % libawsgi.__version__)
            wheel = pathlib.Path(directory) / name
            with zipfile.ZipFile(wheel) as archive:
                files = set(archive.namelist())
                record = archive.read("libawsgi-%s.dist-info/RECORD" % libawsgi.__version__).decode()
            sources = pathlib.Path(_native.__file__).parent.glob("*.py")
            self.assertLessEqual({"libawsgi/" + path.name for path in sources}, files)
            self.assertEqual({line.split(",")[0] for line in record.splitlines()}, files)
            # Python imports from archives.
            environment = {**os.environ, "PYTHONPATH": str(wheel)}
            command = [sys.executable, "-c", "import libawsgi; print(libawsgi.__file__)"]
            printed = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, timeout=60)
            self.assertIn(name, printed.stdout.decode())
