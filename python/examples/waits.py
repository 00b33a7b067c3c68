#!/usr/bin/env python3
"""Waits for another thread, for a pipe and for time, in asyncio."""

import asyncio
import os
import threading

import libawsgi


async def main():
    reading, writing = os.pipe()

    def elsewhere():
        event.notify()      # any thread may
        os.write(writing, b"three")

    async with libawsgi.Reactor() as reactor:
        event, pipe = reactor.event(), reactor.descriptor(reading, own=True)
        thread = threading.Thread(target=elsewhere)
        thread.start()

        result = await reactor.wait(event, (pipe, libawsgi.READABLE), timeout=60)
        print(result.outcome.name, event in result or pipe in result)
        result = await reactor.wait_all(event, pipe)
        print(result.outcome.name, event in result and pipe in result)

        event.take()
        result = await reactor.wait(event, timeout=0.01)
        print(result.outcome.name, event in result)

        timer = reactor.timer(delay=0.01, period=0.01)
        with reactor.watch(timer) as expirations:       # a multishot wait
            async for _ in expirations:
                print("expired:", timer.take() > 0)
                break
        thread.join()
    os.close(writing)


if __name__ == "__main__":
    asyncio.run(main())
