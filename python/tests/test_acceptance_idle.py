"""A thousand that are suspended cost nothing while they are: what the kernel has counted says so."""

import os
import resource
import select
import unittest

from serving import Served, receive

SUSPENDED = 1000
# So many seconds are looked at. Nothing is to happen in them, so a slow machine makes no difference.
LOOK = 2


class Idle(Served, unittest.TestCase):
    spec, way = "idle:application", ("--suspending",)

    @classmethod
    def setUpClass(cls):
        cls.limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = SUSPENDED + 200
        if cls.limits[1] != resource.RLIM_INFINITY and cls.limits[1] < wanted:
            raise unittest.SkipTest("this process may open %d descriptors: raise the hard limit" % cls.limits[1])
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(cls.limits[0], wanted), cls.limits[1]))
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        resource.setrlimit(resource.RLIMIT_NOFILE, cls.limits)

    def counters(self):
        """What the threads of the server have done: how often each slept or was put to sleep, and its processor time."""
        process = "/proc/%d/task" % self.server.process.pid
        counted = {}
        for thread in os.listdir(process):
            with open("%s/%s/status" % (process, thread)) as status:
                switches = sum(int(line.split()[1]) for line in status if "ctxt_switches" in line)
            with open("%s/%s/schedstat" % (process, thread)) as schedstat:
                counted[thread] = switches, int(schedstat.read().split()[0])
        return counted

    def test_nothing_happens_while_a_thousand_are_suspended(self):
        for how in ["descriptor", "deadline", "suspend", "client"]:
            with self.subTest(how):
                steps = int(self.get("/count?gate=steps"))
                connections = [self.server.send("/" + how) for _ in range(SUSPENDED)]
                poll = select.poll()
                for connection in connections:
                    poll.register(connection, select.POLLIN)
                self.get("/await?gate=steps&count=%d" % (steps + SUSPENDED))
                # What comes after the last of them (a watchdog that looks once more) is over after a while.
                self.assertEqual(poll.poll(1000), [])
                before = self.counters()
                self.assertEqual(poll.poll(LOOK * 1000), [], "none was answered")
                after = self.counters()
                self.assertEqual(after.keys(), before.keys(), "no thread came or went")
                woken = sum(after[thread][0] - before[thread][0] for thread in before)
                ran = sum(after[thread][1] - before[thread][1] for thread in before)
                # The server may look at the clock for connections that idle: a few times, whatever their number.
                self.assertLessEqual(woken, 4 * LOOK)
                self.assertLess(ran, 1000000 * LOOK)
                self.assertEqual(self.get("/count?gate=steps"), str(steps + SUSPENDED), "no step ran")
                self.get("/resume")
                for connection in connections:
                    self.assertEqual(receive(connection).status, 200)
