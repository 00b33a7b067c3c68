"""The environ of PEP 3333, without what an exchange adds to it."""

import os
import sys

# How many texts are kept to be shared by all exchanges, which is memory where many wait: names of variables, and values
# that come again. Requests with more variables than that many bytes keep none, so that no client can fill memory.
KEPT = 1000
SHARED = 4096


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
    """Makes environs, for one worker."""

    __slots__ = ("same", "texts")

    def __init__(self, multiprocess):
        # What is the same for all.
        self.same = {
            "wsgi.version": (1, 0),
            # A process without one has nobody who reads it.
            "wsgi.errors": sys.stderr or open(os.devnull, "w"),
            "wsgi.file_wrapper": FileWrapper,
            "wsgi.multiprocess": multiprocess,
            "wsgi.run_once": False,
            "wsgi.input_terminated": True,
        }
        self.texts = {}

    def make(self, calls, exchange):
        """A dictionary of what the gateway has of a request, and of what is the same for all."""
        texts, size = calls.variables(exchange)
        if size <= SHARED:
            shared = self.texts
            if len(shared) > KEPT:
                shared.clear()
            texts = list(map(shared.setdefault, texts, texts))
        environ = dict(zip(texts[::2], texts[1::2]))
        environ.update(self.same)
        environ["wsgi.multithread"] = environ["wsgi.multithread"] != "0"
        return environ
