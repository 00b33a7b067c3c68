"""The shared library: where it is found, and how it is called."""

import sys

from . import places
from ._cdef import CDEF
from .errors import raise_for

try:
    import cffi
except ImportError as error:
    raise ImportError(
        "libawsgi needs cffi for this Python (%s); install it: apt install python3-cffi, or pip install cffi"
        % sys.executable
    ) from error

ffi = cffi.FFI()
ffi.cdef(CDEF)

# cffi parses a type when it is named first, which takes milliseconds: too long for a loop. So they are all named here.
NUMBER = ffi.typeof("uint64_t *")
NUMBER_32 = ffi.typeof("uint32_t *")
COUNT = ffi.typeof("size_t *")
ERRNO = ffi.typeof("int32_t *")
TEXT = ffi.typeof("char[]")
TOKEN = ffi.typeof("awsgi_token *")
HANDLE = ffi.typeof("awsgi_os_handle *")
REACTOR = ffi.typeof("awsgi_reactor **")
COMPLETIONS = ffi.typeof("awsgi_completion[]")
CHANGES = ffi.typeof("awsgi_watch_change[]")
MEMBERS = ffi.typeof("awsgi_member[]")
WATCHES = ffi.typeof("awsgi_watch[]")
REACTOR_OPTIONS = ffi.typeof("awsgi_reactor_options *")
TURN = ffi.typeof("awsgi_turn *")
WAIT_SPEC = ffi.typeof("awsgi_wait_spec *")
STATS = ffi.typeof("awsgi_stats *")


def load():
    """The library, or one ImportError that lists what was tried and says what to do."""
    failures = []
    for path in places.libraries():
        try:
            library = ffi.dlopen(path)
        except OSError as error:
            failures.append(str(error))
            continue
        unfit = misfit(library)
        if unfit is None:
            return library
        failures.append("%s: %s" % (path, unfit))
    raise ImportError(
        "libawsgi cannot be loaded:\n%s\nBuild it (make build) or install it (make install, then ldconfig), or set "
        "LIBAWSGI to the path of libawsgi.so" % "\n".join("  " + failure for failure in failures)
    )


def misfit(library):
    """Why this library cannot be used with the declarations of this package; None if it can."""
    number, abi = ffi.new(NUMBER_32), ffi.new(NUMBER_32)
    try:
        library.awsgi_version(number, abi)
    except AttributeError:
        return "it has no C interface; build it with the feature ffi, as make build does"
    if abi[0] != library.AWSGI_ABI_VERSION:
        return "its ABI is %d, and this package needs %d; use the package of its release" % (
            abi[0],
            library.AWSGI_ABI_VERSION,
        )
    if number[0] < library.AWSGI_VERSION_NUMBER:
        return "it is older (%s) than this package (%s)" % (
            version(number[0]),
            version(library.AWSGI_VERSION_NUMBER),
        )
    return None


def version(number):
    return "%d.%d.%d" % (number // 1000000, number // 1000 % 1000, number % 1000)


lib = load()


def check(status):
    """Raises what a status other than AWSGI_OK says, with the library's own sentence."""
    if status:
        sentence, os_error = ffi.new(TEXT, 1024), ffi.new(ERRNO)
        lib.awsgi_last_error(sentence, 1024, ffi.NULL, os_error)
        name = ffi.string(lib.awsgi_status_name(status)).decode()
        raise_for(status, name, ffi.string(sentence).decode("utf-8", "replace"), os_error[0])


def structure(kind):
    """What the _INIT macro of a structure makes, which begins with its size."""
    made = ffi.new(kind)
    made.size = ffi.sizeof(kind.item)
    if kind in (TURN, WAIT_SPEC):
        made.deadline = lib.AWSGI_FOREVER
    return made
