"""An application that waits before it knows its status, and holds no thread while it does.

    python -m libawsgi serve hello:application --suspending
"""


def application(environ, start_response):
    yield from environ["awsgi.sleep"](0.25)     # suspended here; others are served meanwhile
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"hello\n"
