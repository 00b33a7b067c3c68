#!/usr/bin/env python3
"""A TCP server in asyncio that sends back what it receives. It says "listening on PORT", a port of 127.0.0.1 that the
kernel has chosen. A connection that sends nothing for a while is told so and closed; one that does not take what is sent
to it is closed.

    echo_asyncio.py [CONNECTIONS [IDLE_MS]]      ends after so many connections; 0, the default: never
"""

import asyncio
import errno
import os
import socket
import sys

import libawsgi
from libawsgi import READABLE, WRITABLE, Outcome


async def echo(reactor, connection, idle):
    with connection, reactor.descriptor(connection) as waitable:
        while True:
            result = await reactor.wait((waitable, READABLE), timeout=idle)
            if result.outcome == Outcome.TIMED_OUT:
                connection.send(b"idle, closing\n")
            if not result:
                return
            try:
                rest = connection.recv(16384)
            except BlockingIOError:
                continue        # ready once does not mean ready now
            if not rest:
                return
            while rest:
                try:
                    rest = rest[connection.send(rest) :]
                except BlockingIOError:
                    if not await reactor.wait((waitable, WRITABLE), timeout=idle):
                        return


class Listener:
    """Accepts connections, also when the process has no descriptor left."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=socket.SOMAXCONN)
        self.socket.setblocking(False)
        self.spare = open(os.devnull)

    def accept(self):
        """A connection, or None: there is none, or it was refused."""
        try:
            connection = self.socket.accept()[0]
            connection.setblocking(False)
            return connection
        except OSError as error:
            # What is not accepted stays readable, and we would run in circles. Refuse it: one descriptor was kept for this.
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self.spare.close()
                self.refuse()
                self.spare = open(os.devnull)
            return None

    def refuse(self):
        try:
            self.socket.accept()[0].close()
        except OSError:
            pass

    def close(self):
        self.socket.close()
        self.spare.close()


async def main(limit=0, idle_ms=60000):
    listener, tasks, accepted = Listener(), set(), 0
    print("listening on", listener.socket.getsockname()[1], flush=True)
    async with libawsgi.Reactor() as reactor:
        listening, ended = reactor.descriptor(listener.socket), reactor.event()

        def end(task):
            tasks.discard(task)
            if not isinstance(task.exception(), (OSError, type(None))):     # a peer that vanished is no failure
                raise task.exception()
            if accepted == limit and not tasks:
                ended.notify()

        while ended not in await reactor.wait(listening, ended):
            connection = listener.accept()
            if connection and limit and accepted == limit:
                connection.close()
            elif connection:
                accepted += 1
                task = asyncio.ensure_future(echo(reactor, connection, idle_ms / 1000))
                tasks.add(task)
                task.add_done_callback(end)
        listening.close()
    listener.close()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:3])))
