"""What is refused, and in which words."""

import errno
import os
import re

import libawsgi
from libawsgi import _native, errors
from support import ReactorTest


class Errors(ReactorTest):
    async def test_the_sentence_is_the_librarys(self):
        reading, writing = os.pipe()
        os.close(reading), os.close(writing)
        with self.assertRaises(libawsgi.SystemCallError) as raised:
            self.reactor.descriptor(reading)
        self.assertEqual((raised.exception.errno, raised.exception.status), (errno.EBADF, "AWSGI_E_OS"))
        self.assertIn("descriptor %d is not open" % reading, str(raised.exception))
        self.assertIsInstance(raised.exception, OSError)

    async def test_arguments_that_make_no_sense(self):
        event = self.reactor.event()
        for members, options in [
            ((), {}),
            ((event, event), {}),
            (((event, 0),), {}),
            (((event, 1 << 20),), {}),
            ((event,), {"at_least": 2}),
        ]:
            with self.assertRaises(libawsgi.InvalidError):
                await self.reactor.wait(*members, **options)
        for members in [("event",), (None,), ((event, "READABLE"),), ((event, -1),), (1,)]:
            with self.assertRaises((TypeError, ValueError, AttributeError, OverflowError)):
                await self.reactor.wait(*members)
        self.assertRaises(libawsgi.InvalidError, event.notify, 1 << 20)
        self.assertRaises(libawsgi.InvalidError, self.reactor.timer, float("inf"))
        self.assertRaises(libawsgi.StateError, self.reactor.start([event], lambda result: None).rearm)
        self.assertEqual(len(self.reactor._waits), 1)
        self.assertEqual(self.reactor.stats()["waits"], 1)

    async def test_what_would_watch_itself(self):
        self.assertRaises(libawsgi.NestingError, self.reactor.descriptor, self.reactor._descriptor)

    async def test_limits(self):
        async with libawsgi.Reactor(max_waitables=1, max_waits=1) as small:
            event = small.event()
            self.assertRaises(libawsgi.LimitError, small.event)
            small.start([event], lambda result: None)
            self.assertRaises(libawsgi.LimitError, small.start, [event], print)

    async def test_every_status_has_its_exception(self):
        numbers = {name: getattr(_native.lib, name) for name in re.findall(r"AWSGI_E_\w+", _native.CDEF)}
        for name, number in numbers.items():
            with self.assertRaises(libawsgi.Error) as raised:
                _native.check(number)
            self.assertEqual(raised.exception.status, name)
            self.assertIs(type(raised.exception), errors.KINDS.get(name, libawsgi.Error))
        self.assertLessEqual(set(errors.KINDS) - {libawsgi.Error.status}, set(numbers))


class Interface(ReactorTest):
    """The functions themselves, as the header declares them."""

    async def test_every_function_refuses_nothing_at_all(self):
        ffi, lib = _native.ffi, _native.lib
        allowed = {"awsgi_last_error", "awsgi_version", "awsgi_notify_many"}
        functions = re.findall(r"^awsgi_status (awsgi_\w+)\(", _native.CDEF, re.MULTILINE)
        self.assertGreater(len(functions), 40)
        for name in functions:
            kinds = ffi.typeof(getattr(lib, name)).args
            arguments = [ffi.NULL if "*" in kind.cname else ffi.new(kind.cname + " *")[0] for kind in kinds]
            status = getattr(lib, name)(*arguments)
            if name in allowed or name.endswith(("_free", "_unload")):
                self.assertEqual(status, lib.AWSGI_OK, name)
            else:
                self.assertIn(status, (lib.AWSGI_E_NULL, lib.AWSGI_E_STALE, lib.AWSGI_E_INVALID), name)

    async def test_a_structure_without_its_size_is_refused(self):
        ffi, lib = _native.ffi, _native.lib
        for size in (0, 7, ffi.sizeof(_native.TURN.item) // 2):
            turn = _native.structure(_native.TURN)
            turn.size = size
            self.assertEqual(lib.awsgi_reactor_turn(self.reactor._pointer, turn), lib.AWSGI_E_INVALID)
        self.assertEqual(ffi.sizeof("awsgi_completion"), 32)
