"""What the library refuses, as exceptions: docs/errors.md has the meaning of each status, and what to do."""


class Error(Exception):
    """A call of the library failed. `status` is the name of its status, as "AWSGI_E_STALE"."""

    status = "AWSGI_E_?"


class InvalidError(Error, ValueError):
    """An argument is outside what the call accepts."""

    status = "AWSGI_E_INVALID"


class StaleError(Error):
    """The object has ended."""

    status = "AWSGI_E_STALE"


class ThreadError(Error, RuntimeError):
    """The call belongs to the thread that made the reactor."""

    status = "AWSGI_E_THREAD"


class ForkedError(Error, RuntimeError):
    """The process was forked after the reactor was made."""

    status = "AWSGI_E_FORKED"


class StateError(Error, RuntimeError):
    """The object is not in a state in which the call makes sense."""

    status = "AWSGI_E_STATE"


class LimitError(Error):
    """A limit was reached."""

    status = "AWSGI_E_LIMIT"


class SystemCallError(Error, OSError):
    """The operating system refused: `errno` says why."""

    status = "AWSGI_E_OS"


class UnsupportedError(Error, NotImplementedError):
    """Not available in this release, in this build or on this platform."""

    status = "AWSGI_E_UNSUPPORTED"


class NestingError(Error):
    """Event loops would watch each other in a circle, or too deeply."""

    status = "AWSGI_E_NESTING"


class ClosedError(Error, RuntimeError):
    """The reactor is closed, or being closed."""

    status = "AWSGI_E_CLOSED"


class PanicError(Error, RuntimeError):
    """A bug of the library was caught."""

    status = "AWSGI_E_PANIC"


KINDS = {kind.status: kind for kind in vars().copy().values() if isinstance(kind, type) and issubclass(kind, Error)}


def raise_for(number, name, sentence, os_error):
    """Raises the exception for a status."""
    kind = KINDS.get(name, Error)
    error = kind(os_error, sentence) if kind is SystemCallError else kind(sentence)
    error.status = name
    raise error
