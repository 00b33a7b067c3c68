"""Ways to be suspended, until /resume."""

import socket

import gates
from gates import answer

go = [socket.socketpair()]
resumes = []


def descriptor(environ, start_response):
    gates.arrive("steps")
    yield environ["x-wsgiorg.fdevent.readable"](go[-1][0])
    yield answer(start_response, "resumed")


def deadline(environ, start_response):
    gates.arrive("steps")
    yield environ["x-wsgiorg.fdevent.readable"](go[-1][0], 1000)
    yield answer(start_response, "resumed")


def suspend(environ, start_response):
    gates.arrive("steps")
    resumes.append(environ["x-wsgiorg.suspend"](1000000))
    yield b""
    yield answer(start_response, "resumed")


def client(environ, start_response):
    gates.arrive("steps")
    yield from environ["awsgi.wait"](environ["awsgi.client"], go[-1][0])
    yield answer(start_response, "resumed")


def resume(environ, start_response):
    go[-1][1].send(b"x")
    go.append(socket.socketpair())
    while resumes:
        resumes.pop()()
    return [answer(start_response, "")]


def application(environ, start_response):
    if environ["PATH_INFO"] in ("/await", "/count"):
        return gates.serve(environ, start_response)
    return globals()[environ["PATH_INFO"].strip("/")](environ, start_response)
