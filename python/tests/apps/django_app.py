"""An application in Django, in one file."""

import hashlib
import socket
import threading

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="tests", USE_TZ=True)
django.setup()
go = threading.Event()


def hello(request, name):
    return HttpResponse("hello, %s, by %s" % (name, request.GET["by"]))


def form(request):
    return HttpResponse("%s=%s" % (request.POST["name"], request.POST["value"]))


def upload(request):
    file = request.FILES["file"]
    return HttpResponse("%s %s" % (file.name, hashlib.sha256(file.read()).hexdigest()))


def stream(request):
    return StreamingHttpResponse((b"%05d\n" % n * 100 for n in range(1000)), content_type="text/plain")


def slow(request):
    def parts():
        yield "first"
        go.wait(20)
        yield "second"

    return StreamingHttpResponse(parts(), content_type="text/plain")


def waits(request):
    """The one page that knows that it may wait."""
    environ = request.environ
    readable, silent = environ["x-wsgiorg.fdevent.readable"], socket.socketpair()

    def parts():
        with silent[0], silent[1]:
            yield readable(silent[0], 0.01)
        yield "waited: %s" % bool(environ["x-wsgiorg.fdevent.timeout"])

    return StreamingHttpResponse(parts(), content_type="text/plain")


def let_go(request):
    go.set()
    return HttpResponse(status=204)


urlpatterns = [
    path("hello/<str:name>", hello),
    path("form", form),
    path("upload", upload),
    path("stream", stream),
    path("slow", slow),
    path("waits", waits),
    path("go", let_go),
]
app = WSGIHandler()
