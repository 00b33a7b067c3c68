"""The proxy of proxy.py without the waiting keys: each request holds a thread while its upstream takes its time.

    UPSTREAM=127.0.0.1:9000 python -m libawsgi serve proxy_threads:application --threads 100

Nothing in it knows of libawsgi. It is shorter, and right for as many requests as one would have threads.
"""

import http.client
import os

from proxy import CHUNK, HOP, PATIENCE


def application(environ, start_response):
    upstream = http.client.HTTPConnection(os.environ["UPSTREAM"], timeout=PATIENCE)
    try:
        length = environ.get("CONTENT_LENGTH")
        body = environ["wsgi.input"].read(int(length)) if length else None
        try:
            upstream.request(environ["REQUEST_METHOD"], environ["REQUEST_URI"], body, request_fields(environ))
            response = upstream.getresponse()
        except (OSError, http.client.HTTPException) as error:
            late = isinstance(error, TimeoutError)
            start_response("504 Gateway Timeout" if late else "502 Bad Gateway", [("Content-Type", "text/plain")])
            yield b"%s\n" % (str(error) or type(error).__name__).encode()
            return
        fields = [(name, value) for name, value in response.getheaders() if name.lower() not in HOP]
        start_response("%d %s" % (response.status, response.reason), fields)
        yield from iter(lambda: response.read(CHUNK), b"")
    finally:
        upstream.close()


def request_fields(environ):
    fields = {key[5:].replace("_", "-"): value for key, value in environ.items() if key.startswith("HTTP_")}
    if environ.get("CONTENT_TYPE"):
        fields["Content-Type"] = environ["CONTENT_TYPE"]
    return {name: value for name, value in fields.items() if name.lower() not in HOP | {"host", "expect"}}
