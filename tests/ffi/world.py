"""One of everything that a call can be given: a reactor, a gateway with an exchange, waitables, waits, a server. Each
case has a world of its own, which is ended after it; what cannot be ended, or is left over, is a fault.

Of the functions that it knows by name, World makes and ends what it calls `good`. What it has never heard of, it makes
and ends by the declarations: by a function that hands one out, and by one that takes nothing else.
"""

import os
import select
import threading
import time

from arguments import GOOD_TEXT, Argument

# Integers that a good call needs; any other is 0.
GOOD_NUMBERS = {
    "status": 404, "ready": "AWSGI_READABLE", "interest": "AWSGI_READABLE", "abi": "AWSGI_ABI_VERSION",
    "content_length": -1, "body": 1, "workers": 1,
}
# What a call that blocks, or that takes what is in another state, needs to be done before.
FIRST = {
    "awsgi_reactor_adopt": "release", "awsgi_reactor_turn": "stop", "awsgi_reactor_free": "close the reactor",
    "awsgi_gateway_free": "close the gateway", "awsgi_server_run": "drain", "awsgi_completion_members": "complete",
    "awsgi_exchange_write": "start",
}


class Fault(Exception):
    """Something that the library did and should not have."""


class World:
    def __init__(self, header, lib, scratch, place="host", stale=None):
        self.header, self.lib, self.ffi = header, lib, header.ffi
        self.scratch, self.place = scratch, place
        self.keep, self.made, self.todo = [], [], None
        self.errors, self.blocking, self.hooked = [], None, None
        self.own_fds, self.sockets = [], 0
        self.exchange, self.completion, self.stale, self.living = 0, None, {}, {}
        self.build(stale)

    # ---- What there is ---------------------------------------------------------------------------------------------

    def constant(self, name):
        return self.header.constants[name]

    def must(self, name, *arguments):
        status = getattr(self.lib, name)(*arguments)
        if status != 0:
            raise Fault("{} answered {} in a good call: {}".format(name, self.name_of(status), self.last_error()))

    def name_of(self, status):
        return self.ffi.string(self.lib.awsgi_status_name(status)).decode()

    def last_error(self):
        text = self.ffi.new("char[512]")
        self.lib.awsgi_last_error(text, 512, self.ffi.NULL, self.ffi.NULL)
        return self.ffi.string(text).decode()

    def build(self, stale):
        ffi = self.ffi
        options = self.sized("awsgi_reactor_options")
        options.mode, options.flags = self.constant("AWSGI_NESTED"), self.constant("AWSGI_HOST_HONOURS_DEADLINE")
        if self.place == "hook":
            options.mode = self.constant("AWSGI_DELEGATED")
            options.wake = self.hook = ffi.callback("void(void *)", self.on_wake)
        out = ffi.new("awsgi_reactor **")
        self.must("awsgi_reactor_new", options, out)
        self.reactor = out[0]
        self.made.append(("awsgi_reactor", self.reactor))
        application = self.application("AWSGI_STEPS", self.on_step)
        self.gateway = self.make_gateway(application)
        self.steps = application
        if stale is not None:
            self.make_stale(stale)
        self.exchange = self.open(self.gateway)
        if self.place != "step":
            self.turn()

    def sized(self, name):
        """A structure with its size, and zero otherwise."""
        made = self.ffi.new(name + " *")
        if self.header.is_sized(name):
            made.size = self.ffi.sizeof(name)
        self.keep.append(made)
        return made

    def application(self, style, run):
        application = self.sized("awsgi_application")
        application.abi = self.constant("AWSGI_ABI_VERSION")
        application.style = self.constant(style)
        kind = dict(self.ffi.typeof("awsgi_application").fields)["run"].type
        application.run = self.keep_callback(kind, run)
        return application

    def make_gateway(self, application):
        out = self.ffi.new("awsgi_gateway **")
        self.must("awsgi_gateway_new", self.reactor, application, self.ffi.NULL, out)
        self.made.append(("awsgi_gateway", out[0]))
        return out[0]

    def open(self, gateway):
        out = self.ffi.new("awsgi_exchange *")
        self.must("awsgi_gateway_open", gateway, self.structure("awsgi_request"), out)
        self.made.append(("awsgi_exchange", out[0]))
        # A pool thread waits in place for the end of the body.
        end = self.place == "pool"
        self.must("awsgi_exchange_feed", out[0], b"body", 4, end, self.ffi.new("size_t *"))
        return out[0]

    def turn(self):
        turn = self.sized("awsgi_turn")
        done = self.ffi.new("awsgi_completion[16]")
        self.keep.append(done)
        turn.done, turn.done_cap = done, 16
        self.must("awsgi_reactor_turn", self.reactor, turn)
        return turn

    # ---- The places where a call can be made -----------------------------------------------------------------------

    def on_step(self, worker, exchange, state, done, count):
        if self.place == "step" and self.todo is not None and exchange == self.exchange:
            todo, self.todo = self.todo, None
            try:
                todo()
            except BaseException as error:      # pylint: disable=broad-except
                self.errors.append(error)
            return 0
        if self.place != "step":
            lib = self.lib
            lib.awsgi_exchange_start(exchange, 200, self.ffi.NULL, 0)
            lib.awsgi_exchange_write(exchange, b"hello", 5, self.ffi.NULL)
            event = self.ffi.new("awsgi_waitable *")
            lib.awsgi_waitable_event(self.reactor, 0, event)
            lib.awsgi_exchange_wait(exchange, self.wait_spec(event[0]), self.ffi.NULL)
            return self.constant("AWSGI_SUSPEND")
        return 0

    def on_block(self, worker, exchange, state, done, count):
        try:
            if self.todo is not None:
                self.exchange = exchange
                todo, self.todo = self.todo, None
                todo()
        except BaseException as error:          # pylint: disable=broad-except
            self.errors.append(error)
        finally:
            self.release_all()
            self.blocking.set()
        return 0

    def release_all(self):
        """What a thread owns would end with it."""
        for base, value in self.made:
            if base == "awsgi_reactor":
                self.lib.awsgi_reactor_release(value)

    def on_wake(self, data):
        if self.hooked is not None:
            hooked, self.hooked = self.hooked, None
            try:
                hooked()
            except BaseException as error:      # pylint: disable=broad-except
                self.errors.append(error)

    def run(self, prepare, call):
        """Runs `call` with what `prepare` has made, each where it belongs."""
        result = []

        def both():
            result.append(call(prepare()))

        if self.place == "host":
            both()
        elif self.place == "step":
            self.todo = both
            self.turn()
        elif self.place == "pool":
            self.blocking = threading.Event()
            gateway = self.make_gateway(self.application("AWSGI_BLOCKING", self.on_block))
            self.todo = both
            self.open(gateway)
            self.turn_until(self.blocking.is_set)
        elif self.place == "thread":
            prepared = prepare()

            def elsewhere():
                try:
                    result.append(call(prepared))
                except BaseException as error:  # pylint: disable=broad-except
                    self.errors.append(error)
                self.release_all()
            thread = threading.Thread(target=elsewhere)
            thread.start()
            thread.join()
        elif self.place == "hook":
            prepared = prepare()
            self.hooked = lambda: result.append(call(prepared))
            event = self.ffi.new("awsgi_waitable *")
            self.must("awsgi_waitable_event", self.reactor, 0, event)
            self.must("awsgi_wait_start", self.reactor, self.wait_spec(event[0]), self.ffi.NULL)
            self.turn()
            self.must("awsgi_notify", event[0], 1)
            self.hooked = None
        elif self.place == "fork":
            prepared = prepare()
            reading, writing = os.pipe()
            child = os.fork()
            if child == 0:
                try:
                    answer = call(prepared)
                    os.write(writing, b"=%d" % answer)
                except Fault as error:
                    os.write(writing, b"!" + str(error).encode())
                finally:
                    os._exit(0)
            os.close(writing)
            said = os.read(reading, 4096)
            os.close(reading)
            _, status = os.waitpid(child, 0)
            if status != 0:
                raise Fault("the forked child died by signal {}".format(status & 0x7f))
            if said.startswith(b"!"):
                raise Fault("in a forked child: " + said[1:].decode())
            result.append(int(said[1:]))
        if self.errors:
            raise self.errors[0]
        if not result:
            raise Fault("the call was not made: its place was not reached")
        return result[0]

    def turn_until(self, is_so):
        out = self.ffi.new("awsgi_os_handle *")
        self.must("awsgi_reactor_fd", self.reactor, out)
        poll = select.poll()
        poll.register(out[0], select.POLLIN)
        while not is_so():
            # The thread sets its flag, and ends its exchange, which makes work.
            poll.poll(1000)
            self.turn()

    # ---- Good arguments --------------------------------------------------------------------------------------------

    def wait_spec(self, waitable, flags=0):
        spec = self.sized("awsgi_wait_spec")
        watch = self.ffi.new("awsgi_watch[1]")
        watch[0].waitable, watch[0].interest = waitable, 1
        self.keep.append(watch)
        spec.set, spec.count, spec.flags = watch, 1, flags
        spec.deadline = self.constant("AWSGI_FOREVER")
        return spec

    def pointer(self, base):
        """A living object that only the library sees into."""
        if base == "awsgi_reactor":
            return self.reactor
        if base == "awsgi_gateway":
            return self.gateway
        if base in self.living:
            return self.living[base]
        if base == "awsgi_server":
            out = self.ffi.new("awsgi_server **")
            self.must("awsgi_server_new", self.structure("awsgi_server_options"), self.steps, out)
            self.made.append((base, out[0]))
            return out[0]
        return self.handed_out(base, 2)

    def token(self, base):
        """The token of something that lives."""
        out = self.ffi.new("awsgi_token *")
        if base == "awsgi_exchange":
            return self.exchange
        if base == "awsgi_waitable":
            self.must("awsgi_waitable_event", self.reactor, 0, out)
            if self.place == "pool":
                self.must("awsgi_notify", out[0], 1)
            return out[0]
        if base == "awsgi_wait":
            spec = self.wait_spec(self.token("awsgi_waitable"), self.constant("AWSGI_MULTISHOT"))
            if self.place == "step":
                self.must("awsgi_exchange_wait", self.exchange, spec, out)
            elif self.place != "pool":
                self.must("awsgi_wait_start", self.reactor, spec, out)
            return out[0]
        return self.handed_out(base, 1)

    def handed_out(self, base, depth):
        """What some function hands out, by what the header declares."""
        for function in self.header.functions:
            last = function.parameters[-1] if function.parameters else None
            if last is not None and last.base == base and last.depth == depth and not last.const:
                arguments = self.arguments(function)
                answer = getattr(self.lib, function.name)(*(argument.value for argument in arguments))
                if answer == 0:
                    made = arguments[-1].memory.cast(base + (" *" if depth == 2 else ""))[0]
                    self.made.append((base, made))
                    return made
        raise Fault("nothing hands out a living {}: tests/ffi/world.py has to know how one is made".format(base))

    def make_stale(self, base):
        """Makes something, and ends it."""
        if base == "awsgi_reactor":
            out = self.ffi.new("awsgi_reactor **")
            self.must("awsgi_reactor_new", self.ffi.NULL, out)
            self.close_reactor(out[0])
            self.must("awsgi_reactor_free", out[0])
            self.stale[base] = out[0]
            return
        before = len(self.made)
        if base == "awsgi_gateway":
            made = self.make_gateway(self.steps)
            self.close_gateway(made)
            self.must("awsgi_gateway_free", made)
        elif base == "awsgi_exchange":
            made = self.open(self.gateway)
            self.must("awsgi_exchange_end", made)
            self.turn()
        elif base == "awsgi_wait":
            out = self.ffi.new("awsgi_token *")
            event = self.token("awsgi_waitable")
            self.must("awsgi_wait_start", self.reactor, self.wait_spec(event), out)
            made = out[0]
            self.must("awsgi_wait_forget", made)
        elif base in self.header.tokens:
            made = self.token(base)
            self.end_by_declaration(base, made)
        else:
            # The next one may get the address of one that has ended, so the one that lives comes first.
            living, before = self.pointer(base), len(self.made)
            made = self.pointer(base)
            self.end_by_declaration(base, made)
            self.living[base] = living
        del self.made[before:]
        self.stale[base] = made

    def bytes(self, text):
        made = self.ffi.NULL if text is None else self.ffi.new("uint8_t[]", text)
        self.keep.append(made)
        return made

    def string(self, text):
        made = self.ffi.new("char[]", text)
        self.keep.append(made)
        return made

    def keep_bytes(self):
        return self.bytes(bytes(256))

    def number(self, parameter):
        if parameter.base == "awsgi_os_handle":
            made = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK) if hasattr(os, "eventfd") else os.dup(self.pipe()[0])
            self.own_fds.append((made, os.fstat(made).st_ino))
            return made
        value = GOOD_NUMBERS.get(parameter.name, 0)
        return self.constant(value) if isinstance(value, str) else value

    def pipe(self):
        ends = os.pipe()
        self.own_fds += [(end, os.fstat(end).st_ino) for end in ends]
        return ends

    def text(self, parameter):
        """A string that ends in NUL; NULL where that means the default."""
        if parameter.name == "bind":
            self.sockets += 1
            text = "unix:{}/socket-{}".format(self.scratch, self.sockets).encode()
        elif parameter.name == "path":
            text = (self.scratch + "/application.so").encode()
        elif parameter.name in GOOD_TEXT:
            text = GOOD_TEXT[parameter.name]
        else:
            text = b""
        return self.string(text)

    def slice(self, parameter):
        text = GOOD_TEXT.get(parameter.name, b"")
        made = self.ffi.new("uint8_t[]", text or b"\0")
        self.keep.append(made)
        value = self.ffi.new("awsgi_slice *")
        self.keep.append(value)
        value.data, value.len = (made, len(text)) if text else (self.ffi.NULL, 0)
        return value

    def structure(self, name):
        """A structure as a good call gives it."""
        if name == "awsgi_completion" and self.completion is not None:
            return self.completion
        made = self.sized(name)
        if name == "awsgi_application":
            self.ffi.memmove(made, self.linked(), self.ffi.sizeof(name))
            return made
        self.fill(made, name)
        return made

    def linked(self):
        """An application that is linked into this program."""
        entry = self.keep_callback("awsgi_application_entry", self.on_entry)
        made = self.sized("awsgi_application")
        self.must("awsgi_application_link", entry, self.ffi.NULL, made)
        self.made.append(("awsgi_application", made))
        return made

    def on_entry(self, api, out):
        out.run = self.steps.run
        out.style = self.constant("AWSGI_STEPS")
        return 0

    def keep_callback(self, kind, function):
        made = self.ffi.callback(kind, function, error=-1)
        self.keep.append(made)
        return made

    def fill(self, made, name):
        fields = self.header.structures[name]
        counts = {self.header.count_of(field, fields) for field in fields}
        for field in fields:
            if field in counts:
                continue
            if field.name == "size" and self.header.is_sized(name):
                continue
            if field.is_function or field.base == "function":
                continue
            if field.depth == 0 and field.base in self.header.structures:
                setattr(made, field.name, self.slice(field)[0])
            elif field.depth == 0:
                token = field.base in self.header.tokens
                value = self.token(field.base) if token else self.number(field)
                if field.name == "deadline" and name == "awsgi_wait_spec":
                    # A pool thread waits in place.
                    value = 1 if self.place == "pool" else self.constant("AWSGI_FOREVER")
                if name == "awsgi_server_options" and field.name == "fd":
                    value = -1
                setattr(made, field.name, value)
            elif field.base == "char":
                setattr(made, field.name, self.text(field))
            elif field.base in self.header.structures and field.depth == 1:
                count = self.header.count_of(field, fields)
                if count is not None:
                    setattr(made, field.name, self.array(field.base, 1))
                    setattr(made, count.name, 1)
                else:
                    setattr(made, field.name, self.structure(field.base))

    def array(self, base, count):
        made = self.ffi.new(base + "[]", count)
        self.keep.append(made)
        for at in range(count):
            self.fill(made[at], base)
        return made

    def arguments(self, function):
        """A good call of a function."""
        made = []
        for parameter in function.parameters:
            made.append(Argument(self, function, parameter))
        for argument in made:
            argument.find_count(made)
        return made

    def prepare_for(self, function, arguments):
        """What has to be so before a good call."""
        first = FIRST.get(function.name)
        value = arguments[0].value if arguments else None
        # In a hook the owner goes on to make the call happen.
        if first == "release" and self.place != "hook":
            self.lib.awsgi_reactor_release(value)
        elif first == "stop":
            self.lib.awsgi_reactor_stop(self.reactor)
        elif first == "close the reactor" and self.place == "host":
            self.end_gateways()
            self.close_reactor(self.reactor)
        elif first == "close the gateway" and self.place == "host":
            self.close_gateway(self.gateway)
        elif first == "start":
            self.lib.awsgi_exchange_start(value, 200, self.ffi.NULL, 0)
        elif first == "drain":
            self.lib.awsgi_server_drain(value, 0)

    def complete(self):
        """The completion of a wait, as the last turn has it."""
        event = self.token("awsgi_waitable")
        spec = self.wait_spec(event)
        self.must("awsgi_wait_start", self.reactor, spec, self.ffi.NULL)
        self.must("awsgi_notify", event, 1)
        turn = self.turn()
        for at in range(turn.done_n):
            if turn.done[at].outcome == self.constant("AWSGI_READY"):
                return turn.done + at
        raise Fault("a wait on an event that is set did not complete")

    def stats(self):
        """What is in the reactor: waits and waitables; None where the owner cannot ask."""
        stats = self.sized("awsgi_stats")
        if self.lib.awsgi_reactor_stats(self.reactor, stats) != 0:
            return None
        return stats.waits, stats.waitables

    # ---- The end ---------------------------------------------------------------------------------------------------

    def close_gateway(self, gateway):
        lib = self.lib
        lib.awsgi_gateway_close(gateway, 0)
        for base, value in self.made:
            if base == "awsgi_exchange":
                lib.awsgi_exchange_end(value)
        turn = self.sized("awsgi_turn")
        lib.awsgi_reactor_turn(self.reactor, turn)

    def end_gateways(self):
        for base, value in self.made:
            if base == "awsgi_gateway":
                self.close_gateway(value)
                self.end_one(base, value, self.freed(value))

    def freed(self, gateway):
        """What freeing a gateway comes to, when its last pool thread has returned."""
        turn, fd = self.sized("awsgi_turn"), self.ffi.new("awsgi_os_handle *")
        until = time.monotonic() + 10
        while True:
            status = self.lib.awsgi_gateway_free(gateway)
            if status != self.constant("AWSGI_E_BUSY") or time.monotonic() > until:
                return status
            if self.lib.awsgi_reactor_fd(self.reactor, fd) == 0:
                select.select([fd[0]], [], [], 1)
            self.lib.awsgi_reactor_turn(self.reactor, turn)

    def close_reactor(self, reactor):
        turn = self.sized("awsgi_turn")
        done = self.ffi.new("awsgi_completion[16]")
        turn.done, turn.done_cap = done, 16
        if self.lib.awsgi_reactor_close(reactor) != 0:
            return
        for _ in range(1000):
            turn.deadline = 0
            if self.lib.awsgi_reactor_turn(reactor, turn) != 0 or turn.flags & self.constant("AWSGI_TURN_CLOSED"):
                return
        raise Fault("a reactor that was closed is not empty after 1,000 turns")

    def end_one(self, base, value, status):
        if self.name_of(status) not in ("AWSGI_OK", "AWSGI_E_STALE"):
            raise Fault("{} cannot be ended after it: {} ({})".format(base, self.name_of(status), self.last_error()))

    def end(self):
        """Ends everything; what cannot be ended is a fault."""
        lib = self.lib
        for base, value in self.made:
            if base == "awsgi_reactor":
                lib.awsgi_reactor_adopt(value)
        for base, value in reversed(self.made):
            if base == "awsgi_server":
                self.end_one(base, value, lib.awsgi_server_free(value))
            elif base not in ("awsgi_exchange", "awsgi_gateway", "awsgi_reactor", "awsgi_application", "awsgi_waitable",
                              "awsgi_wait"):
                self.end_by_declaration(base, value)
        self.end_gateways()
        for base, value in reversed(self.made):
            if base == "awsgi_reactor":
                self.close_reactor(value)
                self.end_one(base, value, lib.awsgi_reactor_free(value))
        for base, value in self.made:
            if base == "awsgi_application":
                lib.awsgi_application_unload(value)
        for fd, inode in self.own_fds:
            try:
                if os.fstat(fd).st_ino == inode:
                    os.close(fd)
            except OSError:
                pass        # given away by AWSGI_OWN
        for name in os.listdir(self.scratch):
            if name.startswith("socket-"):
                os.unlink(os.path.join(self.scratch, name))
        # What C calls refers to us, and we to it.
        vars(self).clear()

    def end_by_declaration(self, base, value):
        for word in ("close", "free", "end", "cancel", "forget"):
            name = "{}_{}".format(base, word)
            if any(function.name == name and len(function.parameters) == 1 for function in self.header.functions):
                getattr(self.lib, name)(value)
