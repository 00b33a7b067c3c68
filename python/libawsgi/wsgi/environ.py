"""The environ of PEP 3333, without what an exchange adds to it."""

import sys

# Texts that come again: names of variables, and short values. They are shared by all exchanges, which is memory where many
# wait. Both are bounded, whatever clients send.
KEPT = 1000
KEPT_LENGTH = 64


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
            "wsgi.errors": sys.stderr,
            "wsgi.file_wrapper": FileWrapper,
            "wsgi.multiprocess": multiprocess,
            "wsgi.run_once": False,
            "wsgi.input_terminated": True,
        }
        self.texts = {}

    def make(self, calls, exchange):
        """A dictionary of what the gateway has of a request, and of what is the same for all."""
        known = self.texts.get
        texts = [known(text) or self.text(text) for text in calls.variables(exchange)]
        environ = dict(zip(texts[::2], texts[1::2]))
        environ.update(self.same)
        environ["wsgi.multithread"] = environ["wsgi.multithread"] != "0"
        return environ

    def text(self, text):
        if len(text) <= KEPT_LENGTH:
            if len(self.texts) >= KEPT:
                self.texts.clear()
            self.texts[text] = text
        return text
