"""What one waits for, what has happened, and how a wait ended."""

import enum
from typing import NamedTuple, Tuple

# The numbers are those of awsgi.h, which never change. They are not asked of a library, because an application in a
# process that is not ours uses this module with the library that loaded it.


class Readiness(enum.IntFlag):
    """Interest and readiness. HANGUP and ERROR complete every wait, asked or not."""

    READABLE = 1
    WRITABLE = 2
    PRIORITY = 4
    READ_CLOSED = 8
    HANGUP = 16
    ERROR = 32


READABLE = Readiness.READABLE
WRITABLE = Readiness.WRITABLE
PRIORITY = Readiness.PRIORITY
READ_CLOSED = Readiness.READ_CLOSED
HANGUP = Readiness.HANGUP
ERROR = Readiness.ERROR


class Outcome(enum.IntEnum):
    """How a wait ended."""

    READY = 1
    TIMED_OUT = 2
    CANCELLED = 3
    CLOSED = 4
    FAILED = 5


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
