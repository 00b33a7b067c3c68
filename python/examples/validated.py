"""wsgiref.validate around an application that may wait before it starts its response.

    python -m libawsgi serve validated:proxy --suspending       proxy.application, checked

The validator takes it for an error when the response was not started at the first item, also when that item is empty. PEP
3333 wants it at the first item that is not, and whoever waits for a status yields empty ones before. So those are taken
past the validator, and checked here.
"""

import importlib
import wsgiref.validate


def validated(application):
    def checked(environ, start_response):
        state = State()

        def noted_start(*arguments):
            state.started = True
            return start_response(*arguments)

        def inner(environ, start_response):
            state.items = Items(application(environ, start_response))
            return state.items

        return Relay(state, wsgiref.validate.validator(inner)(environ, noted_start))

    return checked


class State:
    """What is known of one request: whether its response was started, and the items of the application."""

    started = False
    items = None


class Items:
    """What the application yields; `held` was taken before, and comes first."""

    def __init__(self, iterable):
        self.iterable = iterable
        self.iterator = iter(iterable)
        self.held = []

    def __iter__(self):
        return self

    def __next__(self):
        return self.held.pop() if self.held else next(self.iterator)

    def close(self):
        if hasattr(self.iterable, "close"):
            self.iterable.close()


class Relay:
    """What the server iterates: empty items as they are until the response is started, then what the validator passes."""

    def __init__(self, state, validator):
        self.state, self.validator = state, validator

    def __iter__(self):
        return self

    def __next__(self):
        if not self.state.started:
            try:
                item = next(self.state.items)
            except StopIteration:
                # For the validator to say what is missing.
                return next(self.validator)
            if item == b"" and type(item) is bytes and not self.state.started:
                return item
            self.state.items.held.append(item)
        return next(self.validator)

    def close(self):
        self.validator.close()


def __getattr__(name):
    """`validated:NAME` is the application of the module NAME."""
    try:
        return validated(importlib.import_module(name).application)
    except ImportError as error:
        raise AttributeError(name) from error
