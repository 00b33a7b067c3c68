"""Finding an application by its name."""

import importlib
import os
import sys


def load(spec):
    """The application that `module:application` names, or one sentence that says what is wrong.

    `module` alone means its `application`. The working directory is searched too, as `python -m` does.
    """
    module_name, _, path = spec.partition(":")
    if not module_name or not all(name.isidentifier() for name in module_name.split(".")):
        raise ImportError("%r names no application: give module:application, as in hello:application" % spec)
    path = path or "application"
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not (module_name + ".").startswith(error.name + "."):
            raise ImportError("%s cannot be imported: %s" % (module_name, error)) from error
        raise ImportError(
            "there is no module %s in %s; the application is looked for there and among what is installed for %s"
            % (error.name, os.getcwd(), sys.executable)
        ) from None
    except Exception as error:
        raise ImportError("%s cannot be imported: %s: %s" % (module_name, type(error).__name__, error)) from error
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise ImportError("module %s has no %s" % (module_name, path)) from None
    return checked(found, spec)


def checked(application, spec):
    if not callable(application):
        raise TypeError(
            "%s is %s: %.100r; a WSGI application is called with environ and start_response"
            % (spec, type(application).__name__, application)
        )
    return application
