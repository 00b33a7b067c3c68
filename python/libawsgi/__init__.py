"""Waiting for anything, and serving applications that wait.

    async with libawsgi.Reactor() as reactor:                  in asyncio
        event = reactor.event()
        result = await reactor.wait(event, timeout=2.5)

    libawsgi.serve(application, bind="127.0.0.1:8080")         WSGI

docs/embedding.md and docs/wsgi.md of libawsgi have the rest.
"""

import importlib

# The shared library is loaded when one of these is first asked for: an application in the process of another host has
# none, and needs none.
_HOMES = {
    "errors": "ClosedError Error ForkedError InvalidError LimitError NestingError PanicError StaleError StateError "
    "SystemCallError ThreadError UnsupportedError",
    "reactor": "Reactor",
    "readiness": "ERROR HANGUP PRIORITY READABLE READ_CLOSED WRITABLE Member Outcome Readiness Result",
    "server": "Server serve",
    "wait": "Wait Watch",
    "waitable": "Counter Descriptor Event Foreign Timer Waitable",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}
__all__ = sorted(_HOME)


def __getattr__(name):
    if name == "__version__":
        from . import places

        return places.version()
    if name not in _HOME:
        raise AttributeError("module %r has no attribute %r" % (__name__, name))
    value = getattr(importlib.import_module("." + _HOME[name], __name__), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted(list(globals()) + __all__ + ["__version__"])
