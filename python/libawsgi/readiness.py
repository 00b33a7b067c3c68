"""What one waits for, what has happened, and how a wait ended."""

import enum
from typing import NamedTuple, Tuple

from ._native import lib


class Readiness(enum.IntFlag):
    """Interest and readiness. HANGUP and ERROR complete every wait, asked or not."""

    READABLE = lib.AWSGI_READABLE
    WRITABLE = lib.AWSGI_WRITABLE
    PRIORITY = lib.AWSGI_PRIORITY
    READ_CLOSED = lib.AWSGI_READ_CLOSED
    HANGUP = lib.AWSGI_HANGUP
    ERROR = lib.AWSGI_ERROR


READABLE = Readiness.READABLE
WRITABLE = Readiness.WRITABLE
PRIORITY = Readiness.PRIORITY
READ_CLOSED = Readiness.READ_CLOSED
HANGUP = Readiness.HANGUP
ERROR = Readiness.ERROR


class Outcome(enum.IntEnum):
    """How a wait ended."""

    READY = lib.AWSGI_READY
    TIMED_OUT = lib.AWSGI_TIMED_OUT
    CANCELLED = lib.AWSGI_CANCELLED
    CLOSED = lib.AWSGI_CLOSED
    FAILED = lib.AWSGI_FAILED


class Member(NamedTuple):
    """A waitable that was ready: which, its place among those that were waited for, and what for."""

    waitable: "object"
    index: int
    ready: Readiness


class Result(NamedTuple):
    """How a wait ended. True if it was ready."""

    outcome: Outcome
    members: Tuple[Member, ...]
    more: bool = False      # of a multishot wait: others follow
    errno: int = 0          # if it failed

    def __bool__(self):
        return self.outcome is Outcome.READY

    def ready(self, waitable):
        """What a waitable is ready for; nothing if it is not, whatever the outcome."""
        for member in self.members:
            if member.waitable is waitable:
                return member.ready
        return Readiness(0)

    def __contains__(self, waitable):
        return bool(self.ready(waitable))
