"""Python applications in the servers in C of docs/hosting.md, which know nothing of Python."""

import os
import pathlib
import unittest

import serving
import test_plugin

# Where they are: those that `make build` has made, if nobody says it.
SERVERS = pathlib.Path(os.environ.get("AWSGI_SERVERS") or test_plugin.ROOT / "target" / "examples" / "hosts")


class Hosted(test_plugin.Hosted):
    server_name = None

    @classmethod
    def host(cls, plugin, config):
        server = SERVERS / cls.server_name
        if not server.exists():
            raise AssertionError("there is no %s; run: make deps build" % server)
        return [str(server), "-b", "127.0.0.1:0", plugin, " ".join(config)]

    def test_a_client_that_leaves_closes_what_waits_for_ever(self):
        waiting = self.server.send("/watched")
        self.assertEqual(waiting.recv(9), b"HTTP/1.1 ")
        serving.vanish(waiting)
        self.server.wait_for("closed")

    def test_a_client_that_stops_reading_holds_up_nobody(self):
        with self.server.send("/much") as slow:
            self.assertEqual(slow.recv(9), b"HTTP/1.1 ")
            self.test_it_serves()


class Suspending(Hosted):
    suspending = True

    def test_requests_that_wait_for_each_other(self):
        waiting = [self.server.send("/meet?10") for _ in range(10)]
        self.assertEqual([serving.receive(each).text for each in waiting], ["met"] * 10)


class Evhttp(Hosted, unittest.TestCase):
    server_name = "evhttp"


class EvhttpSuspending(Suspending, unittest.TestCase):
    server_name = "evhttp"


class Mhd(Hosted, unittest.TestCase):
    server_name = "mhd"


class MhdSuspending(Suspending, unittest.TestCase):
    server_name = "mhd"
