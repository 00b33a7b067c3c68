"""A reactor in an asyncio loop."""

import asyncio
import collections
import itertools
import threading
import warnings

from . import _native as native
from . import waitable as kinds
from ._native import check, ffi, lib, structure
from .errors import ClosedError, ThreadError
from .readiness import READABLE, Member, Outcome, Readiness, Result
from .wait import Wait, Watch, nanoseconds, specify

# Completions and watch changes that a turn has room for. What does not fit comes with the next turn, which the loop
# runs after all else that is due: neither can starve the other.
ROOM = 256


class Reactor:
    """A reactor that the running asyncio loop turns. It belongs to that loop's thread.

    Use it with `async with`, or call `close` and await `wait_closed`. Other threads may call `notify` of its events,
    counters and foreign waitables, and nothing else.
    """

    def __init__(self, max_waitables=0, max_waits=0):
        self._pointer = None    # also if what follows fails
        self._loop = asyncio.get_running_loop()
        self._owner = threading.get_ident()
        self._keys = itertools.count(1)
        self._waits = {}        # the user_data of a wait, and the Wait
        self._foreign = {}      # the handle of a foreign waitable, and the Foreign
        self._due = collections.deque()
        self._closed = self._loop.create_future()

        self._done = ffi.new(native.COMPLETIONS, ROOM)
        self._changes = ffi.new(native.CHANGES, ROOM)
        self._turn = structure(native.TURN)
        self._turn.done, self._turn.done_cap = self._done, ROOM
        self._turn.changes, self._turn.changes_cap = self._changes, ROOM

        # No promise to the reactor. asyncio has no hook before it sleeps, so we cannot turn there. And the timerfd that
        # wakes us costs less than a call_at for each deadline that moves, and is exact, where asyncio rounds up to
        # milliseconds.
        options = structure(native.REACTOR_OPTIONS)
        options.mode = lib.AWSGI_NESTED
        options.max_waitables, options.max_waits = max_waitables, max_waits
        pointer = ffi.new(native.REACTOR)
        check(lib.awsgi_reactor_new(options, pointer))
        self._pointer = pointer[0]
        descriptor = ffi.new(native.HANDLE)
        check(lib.awsgi_reactor_fd(self._pointer, descriptor))
        self._descriptor = descriptor[0]
        self._loop.add_reader(self._descriptor, self.turn)

    # ---- What can be waited for ----

    def event(self):
        """A flag that any thread may set with `notify`."""
        return kinds.Event(self, self._make(lib.awsgi_waitable_event, 0))

    def counter(self):
        """An event that counts."""
        return kinds.Counter(self, self._make(lib.awsgi_waitable_event, lib.AWSGI_COUNTER))

    def timer(self, delay, period=0):
        """A timer: seconds from now to its first expiration, and between further ones; 0: there are none."""
        first = min(self.now() + nanoseconds(delay), lib.AWSGI_FOREVER)
        return kinds.Timer(self, self._make(lib.awsgi_waitable_timer, first, nanoseconds(period)))

    def descriptor(self, file, own=False):
        """A descriptor, or an object with `fileno`, which is kept. `own` (a number only): it is closed with the waitable."""
        if own and not isinstance(file, int):
            raise TypeError("only a number can be given away: use detach() of the object")
        number = file if isinstance(file, int) else file.fileno()
        return kinds.Descriptor(
            self, self._make(lib.awsgi_waitable_descriptor, number, lib.AWSGI_OWN if own else 0), file
        )

    def foreign(self, watch, once=False):
        """What only this program can watch. `watch(interest)` is called in the loop: watch it for this; 0: stop.

        Then call `notify` with what it is ready for: again and again while it is (after each readiness and each `watch`
        is enough); with `once`, once for each `watch`: at once if it is ready, else when it becomes so.
        """
        handle = next(self._keys)
        token = self._make(lib.awsgi_waitable_foreign, handle, lib.AWSGI_ONCE if once else lib.AWSGI_LEVEL)
        made = self._foreign[handle] = kinds.Foreign(self, token, watch, handle)
        return made

    def _make(self, function, *arguments):
        token = ffi.new(native.TOKEN)
        check(function(self._live(), *arguments, token))
        return token[0]

    # ---- Waits ----

    async def wait(self, *members, at_least=1, timeout=None, deadline=None):
        """Waits until so many members are ready. A member is a waitable, which is to be READABLE, or a pair of a
        waitable and an interest. Without any it is a sleep.

        timeout: in seconds from now; deadline: in nanoseconds of `now()`. The result says how it ended; a task that is
        cancelled leaves nothing behind.
        """
        answered = self._loop.create_future()

        def answer(result):
            if not answered.done():
                answered.set_result(result)

        wait = self.start(members, answer, at_least=at_least, timeout=timeout, deadline=deadline)
        try:
            return await answered
        finally:
            if not wait.ended:
                wait.forget()

    async def wait_all(self, *members, timeout=None, deadline=None):
        """Waits until all members are ready, or have been."""
        return await self.wait(*members, at_least=len(members), timeout=timeout, deadline=deadline)

    def watch(self, waitable, interest=READABLE, timeout=None, deadline=None):
        """A multishot wait: `with reactor.watch(waitable) as watch: async for result in watch: ...`."""
        return Watch(self, waitable, interest, timeout, deadline)

    def start(
        self, members, deliver, *, at_least=1, timeout=None, deadline=None, multishot=False, off_loop=False
    ):
        """Starts a wait without a task: `deliver(result)` is called in the loop when it completes."""
        pointer = self._live()
        key = next(self._keys)
        spec, watches, waitables = specify(
            key, members, at_least, multishot, off_loop, self._deadline(timeout, deadline)
        )
        token = ffi.new(native.TOKEN)
        wait = self._waits[key] = Wait(self, key, waitables, deliver)
        try:
            check(lib.awsgi_wait_start(pointer, spec, token))
        except BaseException:
            del self._waits[key]
            raise
        wait._token = token[0]
        return wait

    def _deadline(self, timeout, deadline):
        if timeout is None:
            return lib.AWSGI_FOREVER if deadline is None else deadline
        if deadline is not None:
            raise ValueError("give a timeout or a deadline, not both")
        return min(self.now() + nanoseconds(timeout), lib.AWSGI_FOREVER)

    def now(self):
        """The reactor's clock in nanoseconds, which is that of time.monotonic_ns."""
        ns = ffi.new(native.NUMBER)
        check(lib.awsgi_reactor_now(self._live(), ns))
        return ns[0]

    # ---- Turns: the loop calls them ----

    def turn(self):
        """Takes what happened, and tells it. The loop does, whenever there is something; nobody else has to."""
        # The library would refuse as well, but it would write to what the owner is reading.
        if threading.get_ident() != self._owner:
            raise ThreadError("a reactor is turned by its loop; other threads notify events")
        turn = self._turn
        check(lib.awsgi_reactor_turn(self._live(), turn))
        # First all is taken from the arrays, for what is called may turn.
        for change in self._changes[0 : turn.changes_n]:
            foreign = self._foreign[change.handle]
            foreign._take_change(change.interest)
            self._due.append((foreign._behind, (foreign.interest,)))
        for completion in self._done[0 : turn.done_n]:
            wait = self._waits.get(completion.user_data)
            if wait is not None:
                self._due.append((wait._tell, (self._result(wait, completion),)))
        if turn.flags & lib.AWSGI_TURN_CLOSED:
            self._due.append((self._end, ()))
        self._tell()

    def limit(self, budget=0, room=ROOM):
        """Bounds the turns that follow: events taken at most (0: 1,024), and completions told at most."""
        self._turn.budget = budget
        self._turn.done_cap = min(room, ROOM)

    def _tell(self):
        try:
            while self._due:
                function, arguments = self._due.popleft()
                try:
                    function(*arguments)
                except Exception as error:
                    # One that fails takes nothing from the others.
                    self._loop.call_exception_handler(
                        {"message": "a callback of a libawsgi.Reactor failed", "exception": error}
                    )
        finally:
            # A signal handler may have raised: what it kept from being told is told later.
            if self._due:
                self._loop.call_soon(self._tell)

    def _result(self, wait, completion):
        if completion.members > 1:
            count = ffi.new(native.COUNT)
            ready = ffi.new(native.MEMBERS, completion.members)
            check(lib.awsgi_completion_members(ffi.addressof(completion), ready, len(ready), count))
            ready = ready[0 : count[0]]
        else:
            ready = [completion] * completion.members
        members = tuple(Member(wait._set[one.index], one.index, Readiness(one.ready)) for one in ready)
        more = bool(completion.flags & lib.AWSGI_MORE)
        if not more:
            wait._ended = True
            del self._waits[wait._key]
        return Result(Outcome(completion.outcome), members, more, completion.error)

    # ---- Statistics ----

    def stats(self):
        """What it has done since it was made, and what it holds, by name: docs/embedding.md says what to read from it."""
        stats = structure(native.STATS)
        check(lib.awsgi_reactor_stats(self._live(), stats))
        return {name: getattr(stats, name) for name in dir(stats) if name != "size"}

    # ---- The end ----

    def close(self):
        """Begins the end: every wait completes as CLOSED, nothing new is taken. Again it does nothing."""
        if self._pointer is not None:
            check(lib.awsgi_reactor_close(self._pointer))

    async def wait_closed(self):
        """Waits until every wait was told, and all is given back."""
        await asyncio.shield(self._closed)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *failure):
        self.close()
        await self.wait_closed()

    def _end(self):
        pointer, self._pointer = self._pointer, None
        if pointer is None:     # one that was told of the end has turned
            return
        self._loop.remove_reader(self._descriptor)
        check(lib.awsgi_reactor_free(pointer))
        self._foreign.clear()
        self._closed.set_result(None)

    def _live(self):
        if self._pointer is None:
            raise ClosedError("the reactor has ended")
        return self._pointer

    def __del__(self):
        # The loop holds us while we are open: so it was closed first, and nobody is left to be told.
        if self._pointer is not None:
            turn = self._turn
            turn.done_cap = turn.changes_cap = ROOM
            if lib.awsgi_reactor_close(self._pointer) == lib.AWSGI_OK:
                while lib.awsgi_reactor_turn(self._pointer, turn) == lib.AWSGI_OK:
                    if turn.flags & lib.AWSGI_TURN_CLOSED:
                        break
                lib.awsgi_reactor_free(self._pointer)
            # Tasks that still wait are collected with us, and would forget what is gone.
            for wait in self._waits.values():
                wait._ended = True
            warnings.warn("a libawsgi.Reactor was not closed", ResourceWarning, source=self)
