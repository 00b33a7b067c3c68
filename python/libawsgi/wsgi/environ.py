"""The environ of PEP 3333, without what an exchange adds to it."""

import sys

# Texts that come again: names of variables, and short values. Both are bounded, whatever clients send.
KEPT = 1000
KEPT_LENGTH = 64

# Of the library's own wsgi.* variables those that are not texts in Python.
FLAGS = {b"wsgi.multithread", b"wsgi.multiprocess", b"wsgi.run_once", b"wsgi.input_terminated"}


class FileWrapper:
    """`wsgi.file_wrapper`: the blocks of an object with `read`. Its `close` closes the object, if that can be."""

    def __init__(self, filelike, blksize=65536):
        self.filelike = filelike
        self.blksize = blksize
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self):
        return self

    def __next__(self):
        block = self.filelike.read(self.blksize)
        if not block:
            raise StopIteration
        return block


class Environs:
    """Makes environs, on one thread at a time."""

    __slots__ = ("multiprocess", "texts")

    def __init__(self, multiprocess):
        self.multiprocess = multiprocess
        self.texts = {}

    def make(self, calls, exchange):
        """A dictionary of what the gateway has of a request, and of what is the same for all."""
        environ = {
            "wsgi.errors": sys.stderr,
            "wsgi.file_wrapper": FileWrapper,
        }
        texts, buffer = self.texts, calls.ffi.buffer
        cursor, key, value = calls.cursor, calls.key, calls.value
        cursor[0] = 0
        each = calls.lib.awsgi_exchange_environ_each
        while True:
            status = each(exchange, cursor, key, value)
            if status:
                break
            name = buffer(key.data, key.len)[:]
            text = buffer(value.data, value.len)[:] if value.len else b""
            if name in FLAGS:
                environ[name.decode()] = text != b"0"
            else:
                environ[texts.get(name) or self.text(name)] = texts.get(text) or self.text(text)
        if status != calls.again:
            calls.check(status)
        environ["wsgi.version"] = (1, 0)
        if self.multiprocess:
            environ["wsgi.multiprocess"] = True
        return environ

    def text(self, raw):
        text = raw.decode("latin-1")
        if len(raw) <= KEPT_LENGTH:
            if len(self.texts) >= KEPT:
                self.texts.clear()
            self.texts[raw] = text
        return text
