"""One exchange of a WSGI application: a run in steps, or in place on a pool thread."""

import sys
import threading

from ..errors import InvalidError, StateError, ThreadError
from . import waits
from .calls import ClientGone, nanoseconds
from .environ import FileWrapper
from .head import header_fields, kind, status_code
from .input import AsyncInput, Stream, read_body

# Numbers of awsgi.h, which never change.
READABLE, WRITABLE, PRIORITY = 1, 2, 4
READY, TIMED_OUT = 1, 2
DONE, SUSPEND, YIELD = 0, 1, 2

# Empty yields in a row after which a pool thread makes a pause of so many nanoseconds at each, as steps do.
EMPTY = 100
PAUSE = 1000000

# Iterables whose next block costs nothing: nothing that was given has to leave before it is asked for.
READY_MADE = (list, tuple, FileWrapper)

current_thread = threading.get_ident


class Exchange:
    """What an application has of an exchange, through its environ and start_response; and what runs it.

    All but resuming and notifying belongs to the thread that runs it, while it runs.
    """

    __slots__ = (
        "worker", "calls", "token", "thread", "running", "gone",
        "environ", "input",
        "iterable", "next", "ready_made", "known",
        "status", "fields", "length", "written", "head_sent", "bodiless", "backlog",
        "asked", "own", "empty", "timed_out", "resumed",
    )

    def __init__(self, worker, calls, token):
        self.worker = worker
        self.calls = calls
        self.token = token
        self.thread = current_thread()
        self.running = False
        self.gone = False           # the client has left, and the application was told
        self.environ = None
        self.input = None
        self.iterable = None
        self.next = None            # gives the next block; None before and after
        self.ready_made = False
        self.known = True           # the length of the body may be told from the iterable
        self.status = None          # 0: start_response was called, and refused
        self.fields = None
        self.length = None          # the Content-Length
        self.written = 0
        self.head_sent = False
        self.bodiless = False       # HEAD, 204, 304: no body is sent
        self.backlog = None         # of a step: what the gateway had no room for
        self.asked = None           # the Question
        self.own = 0                # the token of the exchange as a waitable
        self.empty = 0              # empty yields in a row
        self.timed_out = waits.Flag()
        self.resumed = waits.Flag()

    # ---- Running it ----

    def run(self, done, count):
        """A step, or on a pool thread the whole exchange. What it raises has ended the iterable."""
        worker = self.worker
        self.running = True
        worker.entered(self)
        try:
            if count:
                self.woken(done)
            if self.environ is None:
                if worker.streaming:
                    self.input = Stream(self)
                elif not read_body(self):
                    # Whoever sends slowly holds no thread.
                    return self.wait_own(READABLE) if worker.suspending else SUSPEND
                self.call()
            return self.advance()
        except ClientGone:
            # What the application makes of it is of no interest to anybody, unless its end fails.
            self.end()
            return self.calls.closed
        except BaseException:
            self.end_after_failure()
            raise
        finally:
            self.running = False
            worker.left()

    def moved(self, calls):
        """Another thread of the pool runs it now."""
        self.calls = calls
        self.thread = current_thread()

    def call(self):
        """Calls the application."""
        worker = self.worker
        environ = self.environ = worker.environs.make(self.calls, self.token)
        # Now, for the application may change it.
        self.bodiless = environ["REQUEST_METHOD"] == "HEAD"
        stream = environ["wsgi.input"] = self.input
        if "CONTENT_LENGTH" not in environ and not worker.streaming:
            size = stream.seek(0, 2)
            if size:
                # It came in chunks and was put together: applications that look for its length find it.
                environ["CONTENT_LENGTH"] = str(size)
                environ.pop("HTTP_TRANSFER_ENCODING", None)
                stream.seek(0)
        environ["x-wsgiorg.fdevent.readable"] = environ["x-wsgiorg.async.readable"] = self.readable
        environ["x-wsgiorg.fdevent.writable"] = environ["x-wsgiorg.async.writable"] = self.writable
        environ["x-wsgiorg.fdevent.timeout"] = environ["x-wsgiorg.async.timeout"] = self.timed_out
        environ["x-wsgiorg.async.input"] = AsyncInput(self)
        environ["x-wsgiorg.suspend"] = self.suspend
        environ["x-wsgiorg.suspend_status"] = self.resumed
        environ["awsgi.wait"] = self.wait
        environ["awsgi.wait_all"] = self.wait_all
        environ["awsgi.sleep"] = self.sleep
        environ["awsgi.event"] = self.event
        environ["awsgi.timer"] = self.timer
        environ["awsgi.client"] = waits.Client(self)
        iterable = worker.application(environ, self.start_response)
        self.iterable = iterable
        if iterable.__class__ in (str, bytes, bytearray, dict):
            raise TypeError(
                "the application returned %s, whose items are no blocks of bytes: return a list, [b'...']"
                % kind(iterable)
            )
        try:
            self.next = iter(iterable).__next__
        except TypeError:
            if hasattr(type(iterable), "__iter__"):
                raise
            raise TypeError(
                "the application returned %s, not an iterable of bytes%s"
                % (kind(iterable), ": it has no return, or it is to yield" if iterable is None else "")
            ) from None
        self.ready_made = iterable.__class__ in READY_MADE

    def advance(self):
        """Goes on until the exchange is done, or a step has to return."""
        suspending = self.worker.suspending
        while True:
            if self.backlog is not None and not self.flush():
                return self.wait_own(WRITABLE)
            if self.next is None:
                return self.done()
            try:
                block = self.next()
            except StopIteration:
                self.next = None
                continue
            if block:
                if self.asked is not None:
                    raise StateError(
                        "the application asked to wait, and then yielded a block: yield b'' after asking"
                    )
                self.put(block)
                self.empty = 0
                if self.bodiless:
                    # No more of it is wanted, and it may have no end.
                    self.next = None
                elif suspending and not self.ready_made and self.backlog is None:
                    # The block leaves before the next is asked for, which may take its time.
                    return YIELD
            elif not isinstance(block, bytes):
                raise not_bytes(block)
            elif self.asked is not None:
                if suspending:
                    return self.start_wait()
                self.wait_in_place()
            elif suspending:
                return YIELD
            else:
                self.pause()

    def done(self):
        """The iterable has ended."""
        if self.asked is not None:
            raise StateError("the application asked to wait, and ended without yielding b''")
        if not self.head_sent:
            self.known = False
            self.complete_head(b"")
            self.send_head(b"")
        self.end()
        return DONE

    def end(self):
        """Ends what the application has. It does nothing again, so `close` of the iterable runs once."""
        iterable, self.iterable = self.iterable, None
        asked, self.asked = self.asked, None
        self.next = self.fields = self.backlog = None
        if asked is not None:
            # First, for the application closes the descriptor now that it waits for no more.
            asked.forget(self.calls)
        # From here on all is refused, also to `close`. The environ holds us, so that one of the two lets go.
        self.running = self.environ = False
        try:
            # As PEP 3333 says, of all attributes that one alone.
            close = getattr(iterable, "close", None)
            if close is not None:
                close()
        finally:
            stream, self.input = self.input, None
            if stream is not None and not self.worker.streaming:
                stream.close()

    def close(self):
        """The gateway has ended the exchange, or it is done."""
        if self.environ is not False:
            self.end()

    def title(self):
        """What the watchdog calls it."""
        environ = self.environ or {}
        path = "%s%s" % (environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", ""))
        # Clients choose it: quoted, it stays on its line.
        return "the application, for %s %a," % (environ.get("REQUEST_METHOD", "?"), path)

    def end_after_failure(self):
        # One failure is told by whoever called us: this one too, but it does not hide the first.
        try:
            self.end()
        except BaseException:
            sys.excepthook(*sys.exc_info())

    # ---- The response ----

    def start_response(self, status, headers, exc_info=None):
        """start_response of PEP 3333: gives the head, and returns `write`."""
        self.may()
        if exc_info:
            try:
                if self.head_sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None     # it holds our frame
        elif self.status is not None:
            raise StateError(
                "start_response was called before: an error handler may call it again, with exc_info"
            )
        self.status = 0
        code = status_code(status)
        self.fields, self.length = header_fields(headers)
        self.status = code
        return self.write

    def write(self, block):
        """`write` of PEP 3333. On a pool thread it waits for room, in a step what has none is kept."""
        self.may()
        if block.__class__ is not bytes and not isinstance(block, bytes):
            raise not_bytes(block, "wrote")
        self.known = False
        if block:
            self.put(block)

    def put(self, block):
        """Gives a block that is not empty to the gateway."""
        if block.__class__ is not bytes and not isinstance(block, bytes):
            raise not_bytes(block)
        if not self.head_sent:
            self.complete_head(block)
        size = len(block)
        calls = self.calls
        if self.bodiless:
            if not self.head_sent:
                self.send_head(b"")
            return
        if self.length is not None and self.written + size > self.length:
            if self.iterable.__class__ is not FileWrapper:
                raise InvalidError(
                    "%d bytes would follow %d of a response whose Content-Length is %d: send no more than was declared"
                    % (size, self.written, self.length)
                )
            # A file is sent up to the length that was declared, as PEP 3333 has it.
            block = block[: self.length - self.written]
            size = len(block)
            self.next = None
        self.written += size
        if not self.head_sent:
            taken = self.send_head(block)
        elif self.backlog is not None:
            self.backlog.append(block)
            return
        else:
            status = calls.lib.awsgi_exchange_write(self.token, block, size, calls.count)
            if status:
                calls.check(status)
            taken = calls.count[0]
        if taken < size:
            self.backlog = [memoryview(block)[taken:]]

    def flush(self):
        """Gives what had no room before. False if there is still none for some of it."""
        calls, backlog = self.calls, self.backlog
        borrowed = calls.ffi.from_buffer
        for index, block in enumerate(backlog):
            calls.check(
                calls.lib.awsgi_exchange_write(self.token, borrowed(block), len(block), calls.count)
            )
            taken = calls.count[0]
            if taken < len(block):
                backlog[: index + 1] = [memoryview(block)[taken:]]
                return False
        self.backlog = None
        return True

    def complete_head(self, block):
        """Sees to it that there is a head, with a Content-Length if that is known; `block` is the first of the body."""
        status = self.status
        if not status:
            raise StateError(
                "the application never called start_response, or not before its first block"
                if status is None
                else "start_response refused what the application gave, so there is no head to send"
            )
        if status == 204 or status == 304:
            self.bodiless = True
        elif self.known and self.length is None:
            self.length = self.known_length(block)
            if self.length is not None:
                self.fields += (b"Content-Length", b"%d" % self.length)

    def send_head(self, block):
        """Gives the head, and the first bytes of the body. Answers how many of them were taken."""
        taken = self.calls.start(self.token, self.status, self.fields, block)
        self.head_sent = True
        self.fields = None
        return taken

    def known_length(self, block):
        """The length of the body, where the iterable says that it is all there; `block` is its first."""
        iterable = self.iterable
        if iterable.__class__ is list or iterable.__class__ is tuple:
            try:
                return sum(map(len, iterable))
            except TypeError:
                return None     # one is no block of bytes, which is told when its turn comes
        if hasattr(iterable, "__len__") and len(iterable) == 1:
            return len(block)
        return None

    # ---- Asking to wait ----

    def may(self):
        """Refuses calls that come from elsewhere than the running application."""
        if self.running and current_thread() == self.thread:
            return
        if self.environ is False:
            raise StateError("this exchange has ended: what belongs to it cannot be used any more")
        if current_thread() != self.thread:
            raise ThreadError(
                "this may be called where the application runs, not on another thread; what other threads may call is "
                "resume of x-wsgiorg.suspend, and notify of an event"
            )
        raise StateError("this belongs to an exchange that does not run now: call it from its own application")

    def may_ask(self):
        self.may()
        if self.asked is not None:
            raise StateError(
                "the application waits for one thing at a time: yield b'' before asking again, or give several to "
                "awsgi.wait"
            )

    def is_input(self, thing):
        if isinstance(thing, AsyncInput) and thing._exchange is not self:
            raise InvalidError("an exchange waits for its own input only")
        return isinstance(thing, AsyncInput) or thing is self.input

    def own_token(self):
        if not self.own:
            self.own = self.calls.make(self.calls.lib.awsgi_exchange_self, self.token)
        return self.own

    def readable(self, fd, timeout=None):
        """`x-wsgiorg.fdevent.readable`, `x-wsgiorg.async.readable`: suspends, at the yield of what it returns, until a
        descriptor, or an object with fileno(), or x-wsgiorg.async.input can be read; at most `timeout` seconds."""
        return self.ask(fd, READABLE | PRIORITY, timeout)

    def writable(self, fd, timeout=None):
        """`x-wsgiorg.fdevent.writable`, `x-wsgiorg.async.writable`: the same for writing."""
        return self.ask(fd, WRITABLE | PRIORITY, timeout)

    def ask(self, file, interest, timeout):
        self.may_ask()
        timeout = nanoseconds(timeout)
        if self.is_input(file):
            if interest & WRITABLE:
                raise InvalidError("input is not written: wait until it is readable")
            # Here PRIORITY would be the server's drain.
            self.asked = waits.Question(((self.own_token(), READABLE),), (), 1, timeout)
        else:
            made = waits.descriptor(self, file)
            self.asked = waits.Question(((made, interest),), (made,), 1, timeout)
        return b""

    def suspend(self, timeout=None):
        """`x-wsgiorg.suspend`: suspends, at the next yield of b'', until what it returns is called, on any thread; at
        most `timeout` milliseconds. Then `x-wsgiorg.suspend_status` is true if it was called, false if time ran out."""
        self.may_ask()
        timeout = nanoseconds(timeout, 1e6)
        lib = self.calls.lib
        made = self.calls.make(lib.awsgi_waitable_event, self.worker.reactor, 0)
        self.asked = waits.Question(((made, READABLE),), (made,), 1, timeout)
        return waits.Resume(lib.awsgi_notify, made)

    def wait(self, *members, at_least=1, timeout=None):
        """`awsgi.wait`: `result = yield from wait(...)` until so many members are ready, at most `timeout` seconds.

        A member is a descriptor, an object with fileno(), an event, a timer, `awsgi.client`, the input; or a pair of
        that and an interest, as (sock, libawsgi.WRITABLE). The result is a libawsgi.Result.
        """
        return waits.wait(self, members, min(at_least, 1) if not members else at_least, timeout)

    def wait_all(self, *members, timeout=None):
        """`awsgi.wait_all`: the same until all are ready, or have been."""
        return waits.wait(self, members, len(members), timeout)

    def sleep(self, seconds):
        """`awsgi.sleep`: `yield from sleep(seconds)`."""
        return waits.wait(self, (), 0, seconds)

    def event(self, counter=False):
        """`awsgi.event`: an event, which any thread may notify; a counter tells how often it was."""
        self.may()
        calls = self.calls
        return waits.Event(self, calls.make(calls.lib.awsgi_waitable_event, self.worker.reactor, 1 if counter else 0))

    def timer(self, delay, period=0):
        """`awsgi.timer`: a timer; seconds to its first expiration, and between further ones, 0: there are none."""
        self.may()
        delay, period = nanoseconds(delay), nanoseconds(period)
        if delay is None or period is None:
            raise InvalidError("a timer expires: give seconds")
        calls = self.calls
        calls.check(calls.lib.awsgi_exchange_now(self.token, calls.number))
        return waits.Timer(
            self, calls.make(calls.lib.awsgi_waitable_timer, self.worker.reactor, calls.number[0] + delay, period)
        )

    # ---- Waiting ----

    def wait_own(self, interest):
        """Has a step return, until the exchange itself is ready."""
        calls = self.calls
        spec = calls.question(self.token, ((self.own_token(), interest),), 1, None)
        calls.check(calls.lib.awsgi_exchange_wait(self.token, spec, calls.ffi.NULL))
        return SUSPEND

    def start_wait(self):
        asked, calls = self.asked, self.calls
        spec = calls.question(self.token, asked.watches, asked.at_least, asked.timeout)
        calls.check(calls.lib.awsgi_exchange_wait(self.token, spec, calls.ffi.NULL))
        self.empty = 0
        return SUSPEND

    def wait_in_place(self):
        asked, calls = self.asked, self.calls
        spec = calls.question(self.token, asked.watches, asked.at_least, asked.timeout)
        status = calls.lib.awsgi_exchange_await(self.token, spec, calls.completion)
        self.empty = 0
        if status == calls.closed and not self.gone and any(token == self.own for token, _ in asked.watches):
            # As a step, it is told once that the client has left.
            self.gone = True
            self.asked = None
            self.timed_out.value, self.resumed.value = False, True
            if isinstance(asked, waits.Wait):
                asked.left(self.own)
            return
        calls.check(status)
        self.woken(calls.completion)

    def woken(self, completion):
        """A wait has ended."""
        asked, calls = self.asked, self.calls
        if asked is None:
            return      # a wait of our own, for input or for room
        self.asked = None
        outcome = completion.outcome
        self.timed_out.value = outcome == TIMED_OUT
        self.resumed.value = outcome == READY
        asked.answer(calls, completion)
        asked.forget(calls)

    def pause(self):
        """An empty yield on a pool thread, which nobody else needs: only one that would spin is slowed down."""
        if self.gone:
            raise ClientGone("the client is gone: end the exchange")
        self.empty += 1
        if self.empty <= EMPTY:
            return
        if not self.worker.empty_told:
            self.worker.empty_told = True
            self.worker.tell(
                "an application yielded b'' %d times in a row without output or wait: each takes a millisecond now; "
                "let it wait for something" % EMPTY
            )
        calls = self.calls
        spec = calls.question(self.token, (), 0, PAUSE)
        calls.check(calls.lib.awsgi_exchange_await(self.token, spec, calls.completion))

    def is_readable(self):
        """Whether there is something to read, or the end, without waiting. On a pool thread."""
        calls = self.calls
        spec = calls.question(self.token, ((self.own_token(), READABLE),), 1, 0)
        calls.check(calls.lib.awsgi_exchange_await(self.token, spec, calls.completion))
        return calls.completion.outcome == READY


def not_bytes(block, verb="yielded"):
    hint = "; encode it first, as with .encode('utf-8')" if isinstance(block, str) else ""
    return TypeError("the application %s %s, not bytes%s: %.100r" % (verb, kind(block), hint, block))
