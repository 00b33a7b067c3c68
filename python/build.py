#!/usr/bin/env python3
"""Compiles what the package needs besides Python, for the Python that runs this.

    python3 python/build.py                  for use from this clone: into target/python/..., if anything has changed
    python3 python/build.py --into FOLDER    elsewhere; LIBAWSGI_BUILT=FOLDER has it used from there

It needs cffi, a C compiler and the headers of Python. `pip install ./python` calls it by itself.
"""

import argparse
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile

PYTHON = pathlib.Path(__file__).resolve().parent
ROOT = PYTHON.parent
sys.path.insert(0, str(PYTHON))

from libawsgi import _cdef, places
from libawsgi.wsgi import batch

STYLES = {False: "AWSGI_BLOCKING", True: "AWSGI_STEPS"}
# Of all that is compiled, besides what the interpreter is.
SOURCES = [
    PYTHON / "build.py",
    PYTHON / "plugin" / "engine.c",
    PYTHON / "plugin" / "engine.cdef",
    PYTHON / "plugin" / "plugin.c",
    PYTHON / "libawsgi" / "_cdef.py",
    PYTHON / "libawsgi" / "places.py",
    PYTHON / "libawsgi" / "wsgi" / "batch.py",
    ROOT / "include" / "awsgi.h",
    ROOT / "include" / "awsgi_application.h",
]


def fail(sentence):
    raise SystemExit("libawsgi: " + sentence)


def compiler():
    """The C compiler, as a command line."""
    named = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    for command in (named.split(), ["cc"], ["gcc"], ["clang"]):
        if shutil.which(command[0]):
            return command
    fail("a C compiler is missing; install one (Debian: apt install gcc libc6-dev)")


def compile_shared(source, out, macros=(), flags=()):
    """One C file to one shared library, which is there as a whole or not at all."""
    include = sysconfig.get_path("include")
    if not os.path.exists(os.path.join(include, "Python.h")):
        fail(
            "the headers of Python are missing: there is no %s/Python.h; install them (Debian: apt install "
            "python3-dev)" % include
        )
    part = out.with_name(out.name + ".part")
    command = compiler() + ["-O2", "-fPIC", "-fexceptions", "-fvisibility=hidden", "-Wall", "-pthread"]
    command += ["-dynamiclib", "-undefined", "dynamic_lookup"] if sys.platform == "darwin" else ["-shared"]
    command += ["-I" + include, "-I" + str(ROOT / "include")] + ["-D%s=%s" % macro for macro in macros]
    command += [str(source), "-o", str(part), *flags]
    if subprocess.run(command, check=False).returncode != 0:
        fail("the C compiler refused %s; it was called as\n  %s" % (source, " ".join(command)))
    os.replace(part, out)


def declarations():
    """What cffi is told of the C ABI: its types and numbers, and the functions that an application has."""
    structure = re.search(r"typedef struct awsgi_api \{.*?\} awsgi_api;", _cdef.CDEF, re.DOTALL).group()
    table = set(re.findall(r"\(\*(awsgi_\w+)\)\(", structure))

    def kept(function):
        return function.group() if function.group(1) in table else ""

    # The members of the table have the names of the macros that call them.
    text = _cdef.CDEF.replace(structure, "typedef struct awsgi_api awsgi_api;")
    text = re.sub(r"^[\w ]+[ *](awsgi_\w+)\([^;]*\);\n", kept, text, flags=re.MULTILINE)
    return text + batch.DECLARATIONS + (PYTHON / "plugin" / "engine.cdef").read_text()


# What comes back at once on every thread; libawsgi_respond lets go of the lock by itself where it may wait for room. All
# else may wait: for the host or the client, or for the reactor's owner, who does for a pool thread whatever makes, takes or
# closes a waitable, and who may wait for the interpreter's lock himself, to write a line of the log.
QUICK = {
    "libawsgi_environ", "libawsgi_respond", "awsgi_exchange_environ", "awsgi_exchange_environ_each", "awsgi_exchange_start",
    "awsgi_exchange_now", "awsgi_reactor_now", "awsgi_notify", "awsgi_notify_many", "awsgi_status_name",
    "awsgi_last_error",
}


def quick(code):
    """Has functions that come back at once keep the lock of the interpreter.

    cffi lets it go for each call. With threads that wait for it, as those of a blocking application do, every call would
    hand it to another one, and wait in turn.
    """

    def keeping(wrapper):
        if wrapper.group(1) not in QUICK:
            return wrapper.group()
        return re.sub(r"^ *Py_(BEGIN|END)_ALLOW_THREADS\n", "", wrapper.group(), flags=re.MULTILINE)

    return re.sub(r"^_cffi_f_(\w+)\(PyObject .*?^}", keeping, code, flags=re.MULTILINE | re.DOTALL)


def build_engine(into):
    try:
        import cffi
    except ImportError:
        fail("cffi is missing for %s; install it: apt install python3-cffi, or pip install cffi" % sys.executable)
    ffi = cffi.FFI()
    ffi.cdef(declarations())
    ffi.set_source("libawsgi._engine", (PYTHON / "plugin" / "engine.c").read_text() + batch.SOURCE)
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "_engine.c"
        ffi.emit_c_code(str(source))
        source.write_text(quick(source.read_text()))
        compile_shared(source, into / places.ENGINE)


def build_plugin(into, suspending, packages):
    """None without a shared libpython: then no process but Python's own can host Python."""
    libpython = places.libpython()
    if libpython is None:
        return
    strings = {"LIBPYTHON": libpython, "PYTHON": sys.executable, "PACKAGES": packages}
    macros = [("STYLE", STYLES[suspending])]
    macros += [(name, '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"')) for name, text in strings.items()]
    # A function of Python's that is not looked up at run time is an error here.
    flags = [] if sys.platform == "darwin" else ["-Wl,-z,defs", "-ldl"]
    compile_shared(PYTHON / "plugin" / "plugin.c", into / places.PLUGINS[suspending], macros, flags)


def build(into, packages):
    """Compiles everything into a folder. `packages` is the folder that holds the package; "": that which holds it."""
    into.mkdir(parents=True, exist_ok=True)
    build_engine(into)
    for suspending in (False, True):
        build_plugin(into, suspending, packages)


def stamp():
    """Changes with everything that the outcome depends on."""
    digest = hashlib.sha256()
    for path in SOURCES:
        digest.update(path.read_bytes())
    for text in (sys.version, sys.executable, str(places.libpython()), str(PYTHON), " ".join(compiler())):
        digest.update(text.encode() + b"\0")
    return digest.hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", metavar="FOLDER", type=pathlib.Path, default=places.compiled())
    into = parser.parse_args().into.absolute()
    mark = into / "stamp"
    if not (mark.exists() and mark.read_text() == stamp()):
        build(into, str(PYTHON))
        mark.write_text(stamp())
    print(into)


if __name__ == "__main__":
    main()
