"""Where the things are that are not written in Python: the library, the compiled engine, the plugins."""

import importlib.machinery
import importlib.util
import os
import pathlib
import re
import sys
import sysconfig
import zlib

from ._cdef import CDEF

HERE = pathlib.Path(__file__).resolve().parent

# The clone that the package is used from, without being installed; None if it is not in one.
_ROOT = HERE.parents[1]
CLONE = _ROOT if (_ROOT / "include" / "awsgi.h").exists() else None

ENGINE = "_engine" + (sysconfig.get_config_var("EXT_SUFFIX") or ".so")
PLUGINS = {False: "plugin_blocking.so", True: "plugin_suspending.so"}

BUILD = "run: %s %s" % (sys.executable, _ROOT / "python" / "build.py") if CLONE else "install libawsgi again"


def constant(name):
    """What `#define NAME NUMBER` says in the header."""
    return int(re.search(r"^#define %s (-?\d+)$" % name, CDEF, re.MULTILINE).group(1))


def version():
    return ".".join(str(constant("AWSGI_VERSION_" + part)) for part in ("MAJOR", "MINOR", "PATCH"))


def compiled():
    """The folder of what was compiled for this interpreter: that of the package, or in a clone one for each.

    Two interpreters, or two virtual environments, have nothing in common there but the source.
    """
    if CLONE is None:
        return HERE
    named = os.environ.get("LIBAWSGI_BUILT")
    if named:
        return pathlib.Path(named)
    which = "%s-%08x" % (sysconfig.get_config_var("SOABI"), zlib.crc32(os.fsencode(sys.prefix)))
    return CLONE / "target" / "python" / which


def shared(abi):
    """What the library is called, where the system looks for it."""
    return "libawsgi.%s.dylib" % abi if sys.platform == "darwin" else "libawsgi.so.%s" % abi


def libraries():
    """Where the library may be, the most particular first. Whoever names it wants no other."""
    named = os.environ.get("LIBAWSGI")
    if named:
        return [named]
    name = shared(constant("AWSGI_ABI_VERSION"))
    if CLONE:
        # What `make build` put there.
        return [str(CLONE / "target" / "release" / name), name]
    if (HERE / name).exists():
        return [str(HERE / name)]
    # The package was installed for a library that is there already.
    installed = HERE / "library"
    return ([installed.read_text().strip()] if installed.exists() else []) + [name]


def engine():
    """The module of the compiled engine, whose `ffi` and `lib` are the functions of an application's table."""
    name = __package__ + "._engine"
    module = sys.modules.get(name)
    if module is None:
        path = compiled() / ENGINE
        if not path.exists():
            raise ImportError("libawsgi was not compiled for this Python: there is no %s; %s" % (path, BUILD))
        loader = importlib.machinery.ExtensionFileLoader(name, str(path))
        module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
        loader.exec_module(module)
        sys.modules[name] = module
    return module


def libpython():
    """The shared library of this Python; None if it has none."""
    variable = sysconfig.get_config_var
    names = [variable("INSTSONAME"), variable("LDLIBRARY")]
    folders = [variable("LIBDIR"), variable("LIBPL"), os.path.join(sys.base_prefix, "lib")]
    if variable("MULTIARCH"):
        folders.insert(1, os.path.join(variable("LIBDIR") or "/usr/lib", variable("MULTIARCH")))
    for name in names:
        for folder in folders:
            if name and folder and (".so" in name or ".dylib" in name):
                path = os.path.join(folder, name)
                if os.path.exists(path):
                    return os.path.realpath(path)
    return None


def plugin(suspending):
    """The application library that hosts Python in any process, or an ImportError that says what is missing."""
    path = compiled() / PLUGINS[bool(suspending)]
    if path.exists():
        return str(path)
    if libpython() is None:
        raise ImportError(
            "this Python (%s) has no shared library, so no other process can host it; take one that was built with "
            "--enable-shared, as those of distributions are (Debian: libpython%d.%d). "
            "python -m libawsgi serve works without it" % (sys.executable, *sys.version_info[:2])
        )
    raise ImportError("there is no %s; %s" % (path, BUILD))
