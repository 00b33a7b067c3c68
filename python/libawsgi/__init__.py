"""Waiting for anything in asyncio, with libawsgi.

    async with libawsgi.Reactor() as reactor:
        event = reactor.event()
        result = await reactor.wait(event, timeout=2.5)

docs/embedding.md of libawsgi has the rest.
"""

from ._native import lib, version
from .errors import (
    ClosedError,
    Error,
    ForkedError,
    InvalidError,
    LimitError,
    NestingError,
    PanicError,
    StaleError,
    StateError,
    SystemCallError,
    ThreadError,
    UnsupportedError,
)
from .reactor import Reactor
from .readiness import ERROR, HANGUP, PRIORITY, READABLE, READ_CLOSED, WRITABLE, Member, Outcome, Readiness, Result
from .wait import Wait, Watch
from .waitable import Counter, Descriptor, Event, Foreign, Timer, Waitable

__version__ = version(lib.AWSGI_VERSION_NUMBER)
