"""What an exchange can ask to wait for: one question at a time, answered after the next yield of b''."""

from ..errors import InvalidError, StateError
from ..readiness import HANGUP, READABLE, Member, Outcome, Readiness, Result
from .calls import nanoseconds


# All of Readiness.
INTERESTS = 63


class Question:
    """What was asked. `watches` are pairs of token and interest; `made` are the waitables that end with the answer."""

    __slots__ = ("watches", "made", "at_least", "timeout")

    def __init__(self, watches, made, at_least, timeout):
        self.watches = watches
        self.made = made
        self.at_least = at_least
        self.timeout = timeout

    def answer(self, calls, completion):
        """Takes how it ended, from the library's record."""

    def forget(self, calls):
        """Ends what was made for it."""
        for token in self.made:
            calls.lib.awsgi_waitable_close(token)


class Wait(Question):
    """A wait of `awsgi.wait`, `awsgi.wait_all` or `awsgi.sleep`: `result = yield from wait(...)`.

    Who is no generator keeps it, yields b'', and reads `result` when called again.
    """

    __slots__ = ("_names", "_result", "_told")

    def __init__(self, watches, made, at_least, timeout, names):
        super().__init__(watches, made, at_least, timeout)
        self._names = names
        self._result = None
        self._told = False

    @property
    def result(self):
        """How it ended, as a `libawsgi.Result`, which is true if it was ready. StateError before."""
        if self._result is None:
            raise StateError("this wait has not ended: yield b'' first, and look when called again")
        return self._result

    def __iter__(self):
        return self

    def __next__(self):
        if self._told:
            raise StopIteration(self.result)
        self._told = True
        return b""

    def answer(self, calls, completion):
        ready = []
        if completion.members == 1:
            ready = [completion]
        elif completion.members:
            ready = calls.ffi.new("awsgi_member[]", completion.members)
            calls.check(calls.lib.awsgi_completion_members(completion, ready, len(ready), calls.count))
            ready = ready[0 : calls.count[0]]
        members = tuple(Member(self._names[one.index], one.index, Readiness(one.ready)) for one in ready)
        self._result = Result(Outcome(completion.outcome), members, False, completion.error)

    def left(self, token):
        """The client left while a pool thread waited for it."""
        index = next(index for index, (watched, _) in enumerate(self.watches) if watched == token)
        self._result = Result(Outcome.READY, (Member(self._names[index], index, HANGUP),))


class Flag:
    """A truth value that changes in place, so that who has copied the environ sees it too."""

    __slots__ = ("value",)

    def __init__(self):
        self.value = False

    def __bool__(self):
        return self.value

    def __repr__(self):
        return "<%s>" % self.value


class Resume:
    """What `x-wsgiorg.suspend` returns. Call it from any thread, as often as you like, also when it is too late."""

    __slots__ = ("_notify", "_token")

    def __init__(self, notify, token):
        self._notify = notify
        self._token = token

    def __call__(self):
        """Resumes the application. False if it is too late: it went on already, or has ended."""
        return self._notify(self._token, 1) == 0


class Waitable:
    """What can be given to `awsgi.wait`. It ends with `close`, when nobody holds it, or with the exchange."""

    __slots__ = ("_exchange", "_token", "_closed")

    interest = READABLE

    def __init__(self, exchange, token):
        self._exchange = exchange
        self._token = token
        self._closed = False

    def token(self):
        """The token, to be waited for."""
        if self._closed or self._exchange.environ is False:
            raise StateError(
                "this was closed, or has ended with the exchange that made it: %r; make another one" % (self,)
            )
        return self._token

    def take(self):
        """What it holds, which is cleared: then it is not ready any more. For the exchange that has made it."""
        exchange = self._exchange
        exchange.may()
        return exchange.calls.make(exchange.calls.lib.awsgi_waitable_take, self._token)

    def close(self):
        """Ends it. Again it does nothing."""
        calls = self._exchange.calls
        status = calls.lib.awsgi_waitable_close(self._token)
        if status != calls.lib.AWSGI_E_STALE:
            calls.check(status)
        self._closed = True

    def __del__(self):
        # Elsewhere than where the exchange runs this is refused; then it ends with the exchange.
        self._exchange.calls.lib.awsgi_waitable_close(self._token)


class Event(Waitable):
    """A flag, or a counter, that any thread may notify; so may the code of other exchanges."""

    __slots__ = ()

    def notify(self):
        """Makes it ready until it is taken. Any thread may. False if its exchange has ended."""
        return self._exchange.calls.lib.awsgi_notify(self._token, 1) == 0

    def take(self):
        """1 if it was notified since it was last taken, else 0; of a counter how often. For the exchange that made it."""
        return super().take()


class Timer(Waitable):
    """Ready from its expiration until it is taken, and again after each period."""

    __slots__ = ()

    def take(self):
        """How often it has expired since it was last taken. For the exchange that has made it."""
        return super().take()


class Client:
    """The client, to be waited for: HANGUP when it has left, PRIORITY when the server drains."""

    __slots__ = ("_exchange",)

    interest = HANGUP

    def __init__(self, exchange):
        self._exchange = exchange

    @property
    def gone(self):
        """Whether it has left."""
        exchange = self._exchange
        exchange.may()
        calls = exchange.calls
        # Nothing is written: the call tells whether anything could be.
        return calls.lib.awsgi_exchange_write(exchange.token, calls.ffi.NULL, 0, calls.count) == calls.closed


def descriptor(exchange, file):
    """A waitable of a descriptor, or of an object with `fileno`."""
    number = file
    if not isinstance(file, int):
        fileno = getattr(file, "fileno", None)
        if fileno is None:
            raise TypeError("this cannot be waited for: it is neither a number nor has it fileno(): %.100r" % (file,))
        number = fileno()
        if not isinstance(number, int):
            raise TypeError("fileno() of %.100r returned no number, but %.100r" % (file, number))
    if number < 0:
        raise InvalidError("a descriptor is not negative: %d; a file or socket that was closed has -1" % number)
    calls = exchange.calls
    # A number that no int can hold is none that is open, which the library can say.
    return calls.make(calls.lib.awsgi_waitable_descriptor, exchange.worker.reactor, min(number, 2**31 - 1), 0)


def members(exchange, given):
    """Watches, what was made for them, and the objects in their order."""
    watches, made, names, tokens = [], [], [], set()
    try:
        for member in given:
            interest = None
            if member.__class__ is tuple:
                if len(member) != 2:
                    raise TypeError("a member is what is waited for, or a pair of that and an interest: %r" % (member,))
                member, interest = member
                if not isinstance(interest, int):
                    raise TypeError("an interest is one of libawsgi.READABLE, WRITABLE and their like: %r" % (interest,))
                if not 0 < interest <= INTERESTS:
                    raise InvalidError("there is no such interest: %r" % (interest,))
            if isinstance(member, Waitable):
                token = member.token()
            elif isinstance(member, Client) or exchange.is_input(member):
                if isinstance(member, Client) and member._exchange is not exchange:
                    raise InvalidError("an exchange waits for its own client only")
                token = exchange.own_token()
            else:
                token = descriptor(exchange, member)
                made.append(token)
            if interest is None:
                interest = getattr(member, "interest", READABLE)
            if token in tokens:
                raise InvalidError(
                    "%.100r is given twice, where the client and the input are one: give it once, with all interests, as "
                    "in (client, READABLE | HANGUP)" % (member,)
                )
            tokens.add(token)
            watches.append((token, int(interest)))
            names.append(member)
    except BaseException:
        for token in made:
            exchange.calls.lib.awsgi_waitable_close(token)
        raise
    return watches, made, names


def wait(exchange, given, at_least, timeout):
    """The Wait for members as `awsgi.wait` takes them."""
    exchange.may_ask()
    timeout = nanoseconds(timeout)
    watches, made, names = members(exchange, given)
    if not watches and timeout is None:
        raise InvalidError("this would wait for ever: give something to wait for, or a timeout")
    if not 0 <= at_least <= len(watches):
        raise InvalidError("%d of %d members cannot become ready" % (at_least, len(watches)))
    asked = exchange.asked = Wait(watches, made, at_least, timeout, names)
    return asked


