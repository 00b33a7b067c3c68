"""What the tests share."""

import asyncio
import unittest

import libawsgi

# Only what hangs takes so long, in seconds.
PATIENCE = 20


class ReactorTest(unittest.IsolatedAsyncioTestCase):
    """A test with a reactor, which is closed when it ends."""

    async def asyncSetUp(self):
        self.failures = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: self.failures.append(context))
        self.reactor = libawsgi.Reactor()

    async def asyncTearDown(self):
        self.reactor.close()
        await soon(self.reactor.wait_closed())
        self.assertEqual(self.failures, [])


async def soon(awaitable):
    """What it answers, if that does not take for ever."""
    return await asyncio.wait_for(awaitable, PATIENCE)

