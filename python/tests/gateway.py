"""A host of a gateway that is driven by hand: it opens exchanges, feeds them, and takes what they answer.

No network and no time of its own: what happens is what a test does. The application runs as the engine runs it on any
host, in steps or on pool threads.
"""

import contextlib
import io
import os
import sys
import threading
import time
import traceback
import unittest

from libawsgi import wsgi
from libawsgi._native import check, ffi, lib, structure

# Only what hangs takes so long, in seconds.
PATIENCE = 20

# ffi and lib of a compiled module, if the tests are to run with one: see test_wsgi_compiled.
ENGINE = None

ENDS = {lib.AWSGI_END: "end", lib.AWSGI_ABORT: "abort"}


class Client:
    """The host's half of an exchange."""

    def __init__(self, gateway, token, key, hold):
        self.gateway, self.token, self.key = gateway, token, key
        self.hold = hold            # nothing is taken but by `take`
        self.status = None
        self.headers = None
        self.length = None
        self.bodiless = None
        self.body = b""
        self.taken = 0
        self.ended = None           # "end" or "abort", when the application has ended
        self.room = False
        self.bodies = 0             # how often output appeared

    def told(self, ready):
        if ready & lib.AWSGI_HEAD:
            head = structure(ffi.typeof("awsgi_head *"))
            check(lib.awsgi_exchange_head(self.token, head))
            self.status, self.bodiless, self.length = head.status, bool(head.bodiless), head.length
            self.headers = [
                (bytes(ffi.buffer(field.name.data, field.name.len)), bytes(ffi.buffer(field.value.data, field.value.len)))
                for field in head.headers[0 : head.header_count]
            ]
            if not self.hold:
                self.take()
        if ready & lib.AWSGI_BODY:
            self.bodies += 1
            if not self.hold:
                self.take()
        if ready & lib.AWSGI_ROOM:
            self.room = True
        for bit, end in ENDS.items():
            if ready & bit:
                if not self.hold:
                    self.take()
                self.ended = end

    def take(self, once=False):
        """Takes what is there, and says that it was sent."""
        slices, count, end = ffi.new("awsgi_slice[]", 8), ffi.new("size_t *"), ffi.new("int *")
        while True:
            check(lib.awsgi_exchange_take(self.token, slices, 8, count, end))
            if not count[0]:
                return
            taken = b"".join(bytes(ffi.buffer(part.data, part.len)) for part in slices[0 : count[0]])
            self.body += taken
            check(lib.awsgi_exchange_sent(self.token, len(taken)))
            if once:
                return

    def feed(self, data=b"", end=False):
        """How many bytes were taken."""
        taken = ffi.new("size_t *")
        check(lib.awsgi_exchange_feed(self.token, data, len(data), end, taken))
        return taken[0]

    def feed_all(self, data):
        """Feeds all of it, as fast as it is taken, and its end."""
        at = 0
        while True:
            self.room = False
            at += self.feed(data[at:], True)
            if at == len(data):
                return
            self.gateway.until(lambda: self.room or self.ended)
            if self.ended:
                return

    def leave(self):
        """The client leaves."""
        check(lib.awsgi_exchange_gone(self.token))

    def wait(self):
        """Turns until the application has ended, and answers itself."""
        self.gateway.until(lambda: self.ended)
        return self

    def release(self):
        lib.awsgi_exchange_end(self.token)
        self.gateway.clients.pop(self.key, None)


class Gateway:
    """A gateway for one application; `failures` are the tracebacks that the log would get."""

    def __init__(self, application, suspending, output=0, multithread=False, script_name=None, threads=0, **options):
        self.failures = []
        self.log = []
        # The engine may have been given the library through another module than we.
        self.ffi, engine_lib = ENGINE or (ffi, lib)
        self.application = wsgi.Application(self.ffi, engine_lib, application, suspending=suspending, options=options)
        self.clients = {}
        self.states = {}
        self.results = []       # what `run` has answered
        self.workers = {}
        self.closed = []        # how often the engine was told of an end
        self.serial = 0
        made = ffi.new("awsgi_application *")
        made.size, made.abi = ffi.sizeof("awsgi_application"), lib.AWSGI_ABI_VERSION
        made.style = lib.AWSGI_STEPS if suspending else lib.AWSGI_BLOCKING
        self._name = ffi.new("char[]", b"tested")
        made.name = self._name
        self._kept = [
            ffi.callback("int32_t(void *, awsgi_reactor *, void **)", self._worker),
            ffi.callback("int32_t(void *, awsgi_exchange, void **, const awsgi_completion *, size_t)", self._run),
            ffi.callback("void(void *, awsgi_exchange, void *)", self._close),
            ffi.callback("void(void *)", self._worker_end),
            ffi.callback("void(int32_t, awsgi_slice, void *)", self._log),
        ]
        made.worker, made.run, made.close, made.worker_end = self._kept[:4]

        options = structure(ffi.typeof("awsgi_reactor_options *"))
        options.mode, options.log = lib.AWSGI_OWNED, self._kept[4]
        pointer = ffi.new("awsgi_reactor **")
        check(lib.awsgi_reactor_new(options, pointer))
        self.reactor = pointer[0]
        self._turn = structure(ffi.typeof("awsgi_turn *"))
        self._done = ffi.new("awsgi_completion[]", 64)
        self._turn.done, self._turn.done_cap = self._done, 64

        options = structure(ffi.typeof("awsgi_gateway_options *"))
        options.output_buffer, options.multithread, options.pool_threads = output, multithread, threads
        if script_name is not None:
            self._script = ffi.new("char[]", script_name)
            options.script_name = self._script
        pointer = ffi.new("awsgi_gateway **")
        check(lib.awsgi_gateway_new(self.reactor, made, options, pointer))
        self.gateway = pointer[0]

    # ---- What the library calls, as whoever hosts the engine does ----

    def _worker(self, app, reactor, out):
        self.workers[1] = self.application.worker(self.theirs("awsgi_reactor *", reactor))
        out[0] = ffi.cast("void *", 1)
        return 0

    def theirs(self, kind, pointer):
        return self.ffi.cast(kind, int(ffi.cast("uintptr_t", pointer)))

    def _worker_end(self, worker):
        self.application.worker_end(self.workers.pop(1))

    def _run(self, worker, exchange, state, done, count):
        try:
            result, self.states[exchange] = self.application.run(
                self.workers[1],
                exchange,
                self.states.get(exchange),
                self.theirs("const awsgi_completion *", done),
                count,
            )
        except BaseException:
            self.failures.append(traceback.format_exc())
            result = lib.AWSGI_E_STATE
        self.results.append(result)
        return result

    def _close(self, worker, exchange, state):
        self.closed.append(exchange)
        try:
            self.application.close(self.workers[1], exchange, self.states.pop(exchange, None))
        except BaseException:
            self.failures.append(traceback.format_exc())

    def _log(self, level, line, data):
        self.log.append(bytes(ffi.buffer(line.data, line.len)).decode())

    # ---- What a test does ----

    def open(
        self, method="GET", target="/", headers=(), body=None, length=None, protocol=b"HTTP/1.1", hold=False,
        scheme=b"http",
    ):
        """Opens an exchange. `body`: bytes are fed to their end, `...` means that the test feeds."""
        headers = [(b"Host", b"test")] + [(name.encode(), value.encode("latin-1")) for name, value in headers]
        if isinstance(body, bytes) and length is None:
            length = len(body)
        if length is not None and length >= 0:
            headers.append((b"Content-Length", b"%d" % length))
        request = structure(ffi.typeof("awsgi_request *"))
        kept = []

        def piece(place, data):
            kept.append(ffi.from_buffer(data))
            place.data, place.len = kept[-1], len(data)

        fields = ffi.new("awsgi_header[]", len(headers))
        for field, (name, value) in zip(fields, headers):
            piece(field.name, name)
            piece(field.value, value)
        piece(request.method, method.encode())
        piece(request.target, target.encode("latin-1"))
        piece(request.protocol, protocol)
        piece(request.scheme, scheme)
        piece(request.remote_addr, b"192.0.2.1")
        piece(request.server_name, b"server.test")
        request.remote_port, request.server_port = 1234, 80
        request.headers, request.header_count = fields, len(headers)
        request.body = body is not None
        request.content_length = -1 if length is None else length
        self.serial += 1
        request.user_data = self.serial
        token = ffi.new("uint64_t *")
        check(lib.awsgi_gateway_open(self.gateway, request, token))
        client = self.clients[self.serial] = Client(self, token[0], self.serial, hold)
        if isinstance(body, bytes):
            client.feed_all(body)
        return client

    def get(self, *arguments, **options):
        """An exchange, from its opening to its end."""
        return self.open(*arguments, **options).wait()

    def now(self):
        ns = ffi.new("uint64_t *")
        check(lib.awsgi_reactor_now(self.reactor, ns))
        return ns[0]

    def turn(self, seconds=0):
        """One turn, which blocks no longer than so many seconds."""
        turn = self._turn
        turn.deadline = self.now() + int(seconds * 1e9) if seconds else lib.AWSGI_NOW
        check(lib.awsgi_reactor_turn(self.reactor, turn))
        for done in self._done[0 : turn.done_n]:
            client = self.clients.get(done.user_data)
            if client is not None:
                client.told(done.ready)
        return turn

    def turns(self, count):
        for _ in range(count):
            self.turn()

    def until(self, holds):
        """Turns until something holds."""
        last = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > last:
                raise AssertionError("it did not come\n" + "\n".join(self.failures + self.log))
            # What a pool thread does need not wake us.
            self.turn(0.02)

    def close(self):
        """Ends all of it. Nothing may be left."""
        for client in list(self.clients.values()):
            client.release()
        check(lib.awsgi_gateway_close(self.gateway, 0))
        last = time.monotonic() + PATIENCE
        while lib.awsgi_gateway_free(self.gateway) == lib.AWSGI_E_BUSY:
            if time.monotonic() > last:
                raise AssertionError("an exchange is left")
            self.turn(PATIENCE)
        check(lib.awsgi_reactor_close(self.reactor))
        while not self.turn(PATIENCE).flags & lib.AWSGI_TURN_CLOSED:
            pass
        stats = structure(ffi.typeof("awsgi_stats *"))
        check(lib.awsgi_reactor_stats(self.reactor, stats))
        left = stats.waits, stats.waitables
        check(lib.awsgi_reactor_free(self.reactor))
        self.application.unload()
        if left != (0, 0) or self.states:
            raise AssertionError("left: %d waits, %d waitables, %d states" % (left + (len(self.states),)))


class GatewayTest(unittest.TestCase):
    """A test whose gateways are closed when it ends. What they log has to be looked at."""

    suspending = True

    def gateway(self, application, **options):
        made = Gateway(application, self.suspending, **options)
        self.addCleanup(self.ended, made)
        return made

    def ended(self, made):
        made.close()
        self.assertEqual(made.failures, [], "failures that the test did not look at")

    def failure(self, gateway, *words):
        """The one traceback that the log got, which holds the words."""
        self.assertEqual(len(gateway.failures), 1, "\n".join(gateway.failures))
        said = gateway.failures.pop()
        for word in words:
            self.assertIn(word, said)
        return said

    @contextlib.contextmanager
    def stderr(self):
        """What is written to standard error meanwhile."""
        before, sys.stderr = sys.stderr, io.StringIO()
        try:
            yield sys.stderr
        finally:
            sys.stderr = before


def both(case):
    """Makes of a class of tests one for each way to run an application, which have the same outcomes."""
    module = sys.modules[case.__module__]
    for name, suspending in (("Suspending", True), ("Blocking", False)):
        made = type(case.__name__ + name, (case, GatewayTest), {"suspending": suspending, "__module__": case.__module__})
        setattr(module, made.__name__, made)
    return case


def pipe(test):
    """A pipe that is closed when the test ends."""
    ends = os.pipe()
    for end in ends:
        test.addCleanup(close_quietly, end)
    return ends


def close_quietly(descriptor):
    try:
        os.close(descriptor)
    except OSError:
        pass        # the test has closed it


def in_a_thread(function):
    """Runs it on another thread, and answers what it returned or raised."""
    answer = []

    def run():
        try:
            answer.append(function())
        except BaseException as error:
            answer.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(PATIENCE)
    return answer[0]
