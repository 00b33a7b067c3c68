"""What an application finds in its environ."""

import io
import sys

from gateway import both


def seen(test, **request):
    """The environ of a request."""
    environs = []

    def application(environ, start_response):
        environs.append(environ)
        start_response("204 No Content", [])
        return []

    gateway = test.gateway(application, **request.pop("gateway", {}))
    gateway.get(**request)
    (environ,) = environs
    return environ


@both
class Environ:
    def test_the_variables_of_cgi(self):
        environ = seen(
            self,
            method="POST",
            target="/a%20b/c?d=e%20f",
            headers=[("Content-Type", "text/x"), ("X-Some-Thing", "1"), ("X-Some-Thing", "2")],
            body=b"12345",
        )
        for name, value in {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/a b/c",
            "QUERY_STRING": "d=e%20f",
            "CONTENT_TYPE": "text/x",
            "CONTENT_LENGTH": "5",
            "SERVER_NAME": "server.test",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "192.0.2.1",
            "REMOTE_PORT": "1234",
            "HTTP_HOST": "test",
            "HTTP_X_SOME_THING": "1,2",
            "wsgi.url_scheme": "http",
        }.items():
            self.assertEqual(environ.get(name), value, name)
        self.assertNotIn("HTTP_CONTENT_TYPE", environ)

    def test_a_mounted_application_has_a_script_name(self):
        environ = seen(self, target="/app/x", gateway={"script_name": b"/app"})
        self.assertEqual((environ["SCRIPT_NAME"], environ["PATH_INFO"]), ("/app", "/x"))

    def test_texts_are_latin_1(self):
        environ = seen(self, target="/%E2%82%AC", headers=[("X-A", "\xe4\xff")])
        self.assertEqual(environ["PATH_INFO"], "/\xe2\x82\xac")
        self.assertEqual(environ["HTTP_X_A"], "\xe4\xff")
        for name, value in environ.items():
            self.assertIs(type(name), str)
            if not name.startswith(("wsgi.", "x-wsgiorg.", "awsgi.")):
                self.assertIs(type(value), str, name)

    def test_the_variables_of_pep_3333(self):
        environ = seen(self)
        self.assertIs(type(environ), dict)
        self.assertEqual(environ["wsgi.version"], (1, 0))
        self.assertIs(environ["wsgi.errors"], sys.stderr)
        self.assertIs(environ["wsgi.multithread"], not self.suspending)
        self.assertIs(environ["wsgi.multiprocess"], False)
        self.assertIs(environ["wsgi.run_once"], False)
        self.assertIs(environ["wsgi.input_terminated"], True)
        self.assertEqual(environ["wsgi.url_scheme"], "http")
        self.assertTrue(callable(environ["wsgi.file_wrapper"]))

    def test_the_flags_say_how_it_is_served(self):
        environ = seen(self, gateway={"multithread": True, "multiprocess": True}, scheme=b"https")
        self.assertIs(environ["wsgi.multithread"], True)
        self.assertIs(environ["wsgi.multiprocess"], True)
        self.assertEqual((environ["wsgi.url_scheme"], environ["HTTPS"]), ("https", "on"))

    def test_an_environ_is_the_application_s_alone(self):
        environs = []

        def application(environ, start_response):
            environs.append(dict(environ))
            environ.clear()
            environ["PATH_INFO"] = 1
            start_response("200 OK", [])
            return [b"x"]

        gateway = self.gateway(application)
        for _ in range(2):
            self.assertEqual(gateway.get().body, b"x")
        self.assertEqual(environs[0].keys(), environs[1].keys())
        self.assertEqual(environs[1]["PATH_INFO"], "/")

    def test_many_different_texts_leave_no_memory(self):
        gateway = self.gateway(lambda environ, start_response: start_response("200 OK", []) and [])
        for number in range(1500):
            gateway.get(target="/%d" % number, headers=[("X-%d" % number, "a" * (number * 5))]).release()
        texts = gateway.workers[1].environs.texts
        self.assertLess(len(texts), 1100)
        self.assertLess(max(map(len, texts)), 4096)

    def test_exchanges_share_texts(self):
        environs = []

        def application(environ, start_response):
            environs.append(environ)
            start_response("200 OK", [])
            return []

        gateway = self.gateway(application)
        for _ in range(2):
            gateway.get(headers=[("User-Agent", "some client")])
        first, second = environs
        self.assertIs(first["HTTP_USER_AGENT"], second["HTTP_USER_AGENT"])
        keys = {key: key for key in first}
        self.assertTrue(all(keys[key] is key for key in second))

    def test_many_and_long_variables(self):
        headers = [("X-%d" % number, "v" * 1000) for number in range(100)]
        environ = seen(self, headers=headers)
        for number in range(100):
            self.assertEqual(environ["HTTP_X_%d" % number], "v" * 1000)

    def test_the_file_wrapper_gives_blocks_and_closes(self):
        wrapper = seen(self)["wsgi.file_wrapper"]
        file = io.BytesIO(b"abcde")
        wrapped = wrapper(file, 2)
        self.assertEqual(list(wrapped), [b"ab", b"cd", b"e"])
        wrapped.close()
        self.assertTrue(file.closed)

        class Reads:
            def read(self, size):
                return b""

        self.assertFalse(hasattr(wrapper(Reads()), "close"))
