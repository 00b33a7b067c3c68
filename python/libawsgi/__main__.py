"""python -m libawsgi serve module:application; python -m libawsgi plugin"""

import os
import signal
import socket
import sys
import traceback

from . import arguments as command_line
from . import places


def main(given):
    arguments = command_line.parse(given)
    try:
        if arguments.command == "plugin":
            print(places.plugin(arguments.suspending))
            return 0
        return serve(arguments, given)
    except KeyboardInterrupt:
        # Before it has begun to serve.
        return 130
    except (ImportError, TypeError, ValueError, OSError) as error:
        print("libawsgi: %s" % error, file=sys.stderr)
        if error.__cause__ is not None:
            # An application that raised as it was imported, and where.
            traceback.print_exception(type(error.__cause__), error.__cause__, error.__cause__.__traceback__)
        return 1


def serve(arguments, given):
    if arguments.processes > 1 and arguments.supervisor is None:
        from .processes import supervise

        return supervise(arguments, given)
    from .server import Server
    from .signals import run

    options = command_line.server(arguments)
    supervisor = None
    if arguments.supervisor is not None:
        # A terminal sends it to all processes of a group: what is to be done, the supervisor says.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        supervisor = socket.socket(fileno=arguments.supervisor)
        os.set_inheritable(arguments.supervisor, False)
        options["multiprocess"] = arguments.processes > 1
    if arguments.access_log:
        options["access_log"] = access_log
    return run(Server(arguments.application, **options), supervisor)


def access_log(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
