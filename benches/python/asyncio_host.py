#!/usr/bin/env python3
"""The host `asyncio` of latency/* and idle/hosts: what benches/c/embed.c does in those in C. PART COUNT EVENTS"""

import asyncio
import random
import resource
import sys
import threading
import time

import libawsgi


def report(latencies):
    latencies.sort()
    print(latencies[len(latencies) // 2] / 1000, latencies[len(latencies) * 99 // 100] / 1000)


async def deadlines(reactor, count):
    latencies = []
    for _ in range(count):
        due = reactor.now() + random.randrange(500_000, 2_500_000)
        await reactor.wait(deadline=due)
        latencies.append(reactor.now() - due)
    report(latencies)


async def notifications(reactor, count):
    event, seen = reactor.event(), threading.Semaphore(0)
    notified = 0

    def notify():
        nonlocal notified
        for _ in range(count):
            time.sleep(0.001)       # the loop sleeps by then
            notified = time.monotonic_ns()
            event.notify()
            seen.acquire()

    thread = threading.Thread(target=notify)
    thread.start()
    latencies = []
    for _ in range(count):
        await reactor.wait(event)
        latencies.append(time.monotonic_ns() - notified)
        event.take()
        seen.release()
    thread.join()
    report(latencies)


async def rest(reactor, seconds):
    event = reactor.event()

    def judge():
        time.sleep(0.2)
        before = resource.getrusage(resource.RUSAGE_SELF)
        time.sleep(seconds)
        after = resource.getrusage(resource.RUSAGE_SELF)
        ran = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(after.ru_nvcsw - before.ru_nvcsw - 1, ran * 1e6)      # its own sleep counts, too
        event.notify()

    thread = threading.Thread(target=judge)
    thread.start()
    await reactor.wait(event, timeout=3600)
    thread.join()


async def main(part, count):
    async with libawsgi.Reactor() as reactor:
        await {"deadline": deadlines, "notify": notifications, "idle": rest}[part](reactor, count)


asyncio.run(main(sys.argv[1], int(sys.argv[3])))
