"""What the C ABI calls: the functions of awsgi_application, for the WSGI engine.

C knows applications and workers by numbers. What they stand for is here.
"""

import atexit
import itertools
import shlex
import traceback

from . import places
from .log import say
from .wsgi import Application

_engine = places.engine()
ffi, lib = _engine.ffi, _engine.lib

# Of awsgi.h.
STEPS, BLOCKING = lib.AWSGI_STEPS, lib.AWSGI_BLOCKING
SUSPEND, YIELD = lib.AWSGI_SUSPEND, lib.AWSGI_YIELD
OK, REFUSED, BUSY = lib.AWSGI_OK, lib.AWSGI_E_STATE, lib.AWSGI_E_BUSY

_numbers = itertools.count(1)
_applications = {}
_workers = {}
# What the log calls each of them.
_name = ffi.new("char[]", b"wsgi")

# Threads that come back from C when the interpreter has ended would find nothing.
atexit.register(lib.libawsgi_end)


class Hosted:
    """An application that a host calls."""

    def __init__(self, suspending, ready=None):
        self.suspending = suspending
        self.application = None
        self.ready = ready      # called on a worker's thread when the worker can serve
        self.number = next(_numbers)
        _applications[self.number] = self

    def describe(self, out):
        """Fills in an awsgi_application."""
        lib.libawsgi_describe(self.number, STEPS if self.suspending else BLOCKING, _name, out)

    def load(self, spec, options):
        self.application = Application(ffi, lib, spec, suspending=self.suspending, options=options)

    def end(self):
        del _applications[self.number]
        if self.application is not None:
            self.application.unload()


class Worker:
    """A worker of an application, with the exchanges that go on."""

    __slots__ = ("application", "data", "states", "run", "close")

    def __init__(self, application, data):
        self.application = application
        self.data = data
        self.states = {}
        self.run = application.run
        self.close = application.close


def describe(api, out, style):
    """Called by a plugin: `api` and `out` are what its entry point got, as numbers. Answers a status."""
    status = lib.libawsgi_introduce(ffi.cast("const awsgi_api *", api))
    if status == BUSY:
        say("this process has two copies of libawsgi, and the other one hosts Python already: let one host everything")
    if status == OK:
        Hosted(style == STEPS).describe(ffi.cast("awsgi_application *", out))
    return status


def failed(what):
    """The exception that is being handled ends here: no frame of ours can take it any further."""
    say("%s failed:\n%s" % (what, traceback.format_exc().rstrip("\n")))
    return REFUSED


def words(config):
    """What a host was given for the application, which may be quoted as in a shell."""
    try:
        return shlex.split(config)
    except ValueError as error:
        raise ValueError("what is given for the application cannot be taken apart: %s: %s" % (error, config)) from None


@ffi.def_extern(error=REFUSED)
def libawsgi_load(app, config):
    from .arguments import hosted

    hosting = _applications[app]
    try:
        spec, options = hosted(words(ffi.string(config).decode("utf-8", "surrogateescape")))
        hosting.load(spec, options)
    except (ImportError, TypeError, ValueError) as error:
        say(error)
        if error.__cause__ is not None:
            traceback.print_exception(type(error.__cause__), error.__cause__, error.__cause__.__traceback__)
        return REFUSED
    except BaseException:
        return failed("loading the application")
    return OK


@ffi.def_extern(error=REFUSED)
def libawsgi_worker(app, reactor):
    hosting = _applications[app]
    try:
        number = next(_numbers)
        _workers[number] = Worker(hosting.application, hosting.application.worker(reactor))
        if hosting.ready is not None:
            hosting.ready()
        return number
    except BaseException:
        return failed("starting a worker")


@ffi.def_extern(error=REFUSED)
def libawsgi_run(number, exchange, done, count):
    worker = _workers[number]
    states = worker.states
    try:
        result, state = worker.run(worker.data, exchange, states.pop(exchange, None), done, count)
    except BaseException:
        return failed("the application")
    if result == SUSPEND or result == YIELD:
        # Else it has ended, and C does not ask for it to be closed.
        states[exchange] = state
    return result


@ffi.def_extern()
def libawsgi_close(number, exchange):
    worker = _workers[number]
    try:
        worker.close(worker.data, exchange, worker.states.pop(exchange))
    except BaseException:
        failed("closing what the application returned")


@ffi.def_extern()
def libawsgi_worker_end(number):
    worker = _workers.pop(number)
    try:
        worker.application.worker_end(worker.data)
    except BaseException:
        failed("ending a worker")


@ffi.def_extern()
def libawsgi_unload(app):
    try:
        _applications[app].end()
    except BaseException:
        failed("ending the application")
