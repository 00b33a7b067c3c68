"""Whether this Python has all that the package is built and tested with: prints its own name for itself, or fails.

It is cffi, the headers, and the shared library for processes that host Python. The one that is asked for may be a
script that looks for another.
"""

import os
import sys
import sysconfig

import cffi

from libawsgi import places

os.stat(os.path.join(sysconfig.get_path("include"), "Python.h"))
if places.libpython() is None:
    raise SystemExit("it has no shared library")
print(sys.executable)
