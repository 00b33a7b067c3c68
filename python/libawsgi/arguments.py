"""What can be said on the command line, and after the `--` of `awsgi serve`."""

import argparse

from . import places
from .errors import InvalidError

EPILOG = """\
When it serves, it says so in one line on stderr: "listening on http://127.0.0.1:8080". The access log goes to stdout,
diagnostics to stderr.

SIGTERM and SIGINT drain: nothing more is accepted, exchanges finish, and the exit status is 0. A second signal ends at
once, with the exit status 128 plus its number. What keeps it from starting is on stderr, with the exit status 1.
"""


def size(text):
    shift = {"K": 10, "M": 20, "G": 30}.get(text[-1:].upper(), 0)
    digits = text[:-1] if shift else text
    if not (digits.isascii() and digits.isdigit()) or int(digits) << shift >= 1 << 64:
        raise argparse.ArgumentTypeError("write a number of bytes, as 65536, 64K, 16M or 1G")
    return int(digits) << shift


def body_size(text):
    if text == "unlimited":
        return None
    try:
        return size(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError("%s, or unlimited" % error) from None


def seconds(text):
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value < 1e9:
        raise argparse.ArgumentTypeError("write a number of seconds, as 30 or 0.5")
    return value


def at_least(least):
    def number(text):
        if not (text.isascii() and text.isdigit()) or int(text) < least:
            raise argparse.ArgumentTypeError("write a number from %d on" % least)
        return int(text)

    return number


def application(parser):
    """What every host is told of an application."""
    parser.add_argument(
        "application", metavar="MODULE:APPLICATION", help="the WSGI application; MODULE alone means its `application`"
    )
    group = parser.add_argument_group("the application")
    group.add_argument(
        "--streaming", action="store_true", help="call it before the body has been read, and let it read as it comes"
    )
    group.add_argument(
        "--body-memory", metavar="SIZE", type=size, default=1 << 20,
        help="of a body that is read first; more goes to a temporary file (1M)",
    )
    group.add_argument(
        "--blocked-after", metavar="SECONDS", type=seconds, default=0.1,
        help="suspending: name in the log who holds up the loop for so long; 0: nobody (0.1)",
    )


def options(arguments):
    """The same, for libawsgi.wsgi.Options."""
    return {
        "streaming": arguments.streaming,
        "memory": arguments.body_memory,
        "blocked": arguments.blocked_after,
    }


class Refusing(argparse.ArgumentParser):
    """Raises in place of ending the process, which may be somebody else's."""

    def error(self, message):
        raise InvalidError("%s, after the -- of the host's command line: give MODULE:APPLICATION, and then what "
                           "python -m libawsgi serve --help lists as the application's" % message)


def hosted(arguments):
    """The application and its options, of what a host gave its `load`."""
    parser = Refusing(prog="the plugin", add_help=False, allow_abbrev=False)
    application(parser)
    given = parser.parse_args(arguments)
    return given.application, options(given)


def parse(arguments):
    """The command line of `python -m libawsgi`."""
    parser = argparse.ArgumentParser(
        prog="python -m libawsgi", description="Serves WSGI applications that may suspend.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version="libawsgi " + places.version())
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    serve = commands.add_parser(
        "serve", help="serve an application over HTTP", allow_abbrev=False, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    application(serve)
    serving(serve)
    plugin = commands.add_parser(
        "plugin", help="print the path of the library with which any host hosts a Python application",
        description='As in: awsgi serve "$(python -m libawsgi plugin)" -- module:application', allow_abbrev=False,
    )
    plugin.add_argument("--suspending", action="store_true", help="the one that runs applications on the loop")
    return parser.parse_args(arguments)


def serving(parser):
    add = parser.add_argument
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--bind", metavar="ADDRESS", default="127.0.0.1:8080",
        help="ADDRESS:PORT (port 0: any that is free), or unix:PATH (127.0.0.1:8080)",
    )
    where.add_argument("--fd", metavar="N", type=at_least(0), help="listen at this open descriptor instead")
    add("--suspending", action="store_true", help="run it on the loop, where an empty yield after a waiting call suspends")
    add("--processes", metavar="N", type=at_least(1), default=1, help="processes that share the address (1)")
    add(
        "--threads", metavar="N", type=at_least(0), default=0,
        help="of each worker, for exchanges that block; of no use with --suspending (16)",
    )
    add(
        "--workers", metavar="N", type=at_least(0), default=1,
        help="loops in each process, each with a thread; 0: one for each processor. More than one is of use where "
        "Python runs threads at the same time (1)",
    )
    add("--access-log", action="store_true", help="write a line for each exchange to stdout")
    add(
        "--drain-timeout", metavar="SECONDS", type=seconds, default=30,
        help="how long exchanges may take to finish after SIGTERM or SIGINT (30)",
    )
    add(
        "--log-level", metavar="LEVEL", choices=("off", "error", "warn", "info", "debug"), default="info",
        help="off, error, warn, info or debug (info)",
    )
    # The end of a connection to the process that started this one, and waits for it.
    add("--supervisor", type=at_least(0), help=argparse.SUPPRESS)

    limits = parser.add_argument_group("limits (sizes in bytes, or with K, M, G)").add_argument
    limits("--max-header-bytes", metavar="SIZE", type=size, default=32 << 10, help="the head of a request (32K)")
    limits("--max-headers", metavar="N", type=at_least(1), default=100, help="header fields of a request (100)")
    limits("--header-timeout", metavar="SECONDS", type=seconds, default=10, help="for a head to arrive (10)")
    limits("--max-body", metavar="SIZE", type=body_size, default=16 << 20, help="a body, or unlimited (16M)")
    limits(
        "--idle-timeout", metavar="SECONDS", type=seconds, default=60,
        help="for a client that sends nothing, or takes nothing (60)",
    )
    limits("--max-exchanges", metavar="N", type=at_least(1), default=16384, help="exchanges at once (16384)")
    limits("--max-queued", metavar="N", type=at_least(1), default=1024, help="requests in the queue (1024)")
    limits("--queue-timeout", metavar="SECONDS", type=seconds, default=5, help="in the queue (5)")


def server(arguments):
    """What libawsgi.Server is given for a command line of `serve`, besides the application."""
    names = (
        "bind fd suspending threads workers drain_timeout log_level max_header_bytes max_headers header_timeout "
        "max_body idle_timeout max_exchanges max_queued queue_timeout"
    )
    return {**{name: getattr(arguments, name) for name in names.split()}, **options(arguments)}
