#!/usr/bin/env python3
"""Calls every function that a header declares with every kind of bad argument.

    harness.py --include DIRECTORY --library FILE [--only PREFIX] [--verbose] [--list]

The header and the library are those that are installed. Each function has a process of its own: what it does to that is
seen, and told. docs/testing.md says what is checked.
"""

import argparse
import ctypes
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

from cases import cases, elsewhere, places
from declarations import Header
from world import FIRST, Fault, World

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
# How long a call may take; only one that hangs takes so long.
PATIENCE = 60
# How often all cases of a function are played again to see whether they leave memory behind.
ROUNDS = 6


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--include", required=True, help="where awsgi.h is")
    parser.add_argument("--header", help="one more header, with functions of its own")
    parser.add_argument("--library", required=True, help="the shared library")
    parser.add_argument("--only", default="", help="only functions whose names begin so")
    parser.add_argument("--patience", type=float, default=PATIENCE, help="seconds that a call may take")
    parser.add_argument("--verbose", action="store_true", help="tell each case, and its answer")
    parser.add_argument("--list", action="store_true", help="tell the cases, and call nothing")
    options = parser.parse_args()
    header = Header(options.include, options.header)
    functions = [function for function in header.functions if function.name.startswith(options.only)]
    if not functions:
        raise SystemExit("harness.py: no function of {} begins with {}".format(header.path, options.only))
    if options.list:
        for function in functions:
            for case in [*cases(header, function), *elsewhere(header, function)]:
                print("{}: {}".format(function.name, case))
        return
    # Nothing is left behind by who is ended, either.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    scratch = tempfile.mkdtemp(prefix="awsgi-ffi-")
    try:
        build_application(options.include, scratch)
        report = Report(header, options.verbose)
        for function in functions:
            report.add(function, Player(header, options, scratch, function).play())
    finally:
        shutil.rmtree(scratch)
    raise SystemExit(report.finish())


def build_application(include, scratch):
    """An application, for what loads one."""
    source = '#define AWSGI_APPLICATION\n#include "awsgi_application.h"\n' \
        "static int32_t run(void *w, awsgi_exchange e, void **s, const awsgi_completion *d, size_t n)\n" \
        "{ (void)w; (void)e; (void)s; (void)d; (void)n; return AWSGI_DONE; }\n" \
        "int32_t awsgi_application_main(const awsgi_api *api, awsgi_application *out)\n" \
        "{ AWSGI_APPLICATION_INIT(api); out->run = run; return AWSGI_OK; }\n"
    command = ["cc", "-shared", "-fPIC", "-I", include, "-x", "c", "-", "-o", scratch + "/application.so"]
    subprocess.run(command, input=source.encode(), check=True)


class Player:
    """Plays the cases of one function, in processes that may die of it."""

    def __init__(self, header, options, scratch, function):
        self.header, self.library, self.patience = header, options.library, options.patience
        self.scratch, self.function = scratch, function
        general = cases(header, function)
        self.cases = [(place, None) for place in places(function)]
        self.cases += [(place, case) for place in places(function) for case in general]
        self.cases += [(case.place, case) for case in elsewhere(header, function)]

    def play(self):
        """What each case came to: answers, and what is wrong."""
        said, at = [], 0
        while at < len(self.cases):
            answers, ended = self.child(at)
            said += answers
            at += len(answers)
            if ended is None:
                break
            if at < len(self.cases):
                said.append({"at": at, "wrong": ended})
                at += 1
            else:
                said.append({"at": None, "wrong": ended})
        return [dict(one, case=self.cases[one["at"]] if one["at"] is not None else None) for one in said]

    def child(self, first):
        """Plays from there on; answers what was said, and how the process ended if not well."""
        reading, writing = os.pipe()
        sys.stdout.flush()
        with tempfile.TemporaryFile() as errors:
            return self.child_that_says(first, reading, writing, errors)

    def child_that_says(self, first, reading, writing, errors):
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            os.dup2(errors.fileno(), 2)
            status = 1
            try:
                # It ends with us, however we end.
                ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                alone_on_the_network()
                Stage(self, os.fdopen(writing, "w", buffering=1)).play(first)
                status = 0
            except BaseException as error:          # pylint: disable=broad-except
                sys.excepthook(type(error), error, error.__traceback__)
            finally:
                sys.stderr.flush()
                os._exit(status)
        os.close(writing)
        answers, ended = [], None
        lines = Lines(reading)
        while True:
            line = lines.next(self.patience)
            if line is None:
                os.kill(pid, signal.SIGKILL)
                ended = "it hangs: no answer after {} s".format(self.patience)
                break
            if not line:
                break
            said = json.loads(line)
            if said["at"] != "still here":
                answers.append(said)
        os.close(reading)
        _, status = os.waitpid(pid, 0)
        if ended is None and status != 0:
            how = "signal {}".format(signal.Signals(os.WTERMSIG(status)).name) if os.WIFSIGNALED(status) else \
                "exit status {}".format(os.WEXITSTATUS(status))
            errors.seek(0)
            text = errors.read().decode(errors="replace")
            shown = [line for line in text.splitlines() if line.strip()]
            told = [at for at, line in enumerate(shown) if "ERROR: " in line or "panicked" in line]
            at = told[0] if told else max(0, len(shown) - 8)
            ended = "\n    ".join(["the process died of it: " + how, *shown[at:at + 12]])
        return answers, ended


def alone_on_the_network():
    """A network of this process's own, where that may be made: a server that is told no address takes a port."""
    process = ctypes.CDLL(None)
    if process.unshare(CLONE_NEWNET) != 0 and process.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))


class Lines:
    """The lines of a pipe, each with a time in which it has to come."""

    def __init__(self, fd):
        self.fd, self.rest = fd, b""

    def next(self, seconds):
        """A line; empty at the end; None if it does not come in time."""
        until = time.monotonic() + seconds
        while b"\n" not in self.rest:
            ready, _, _ = select.select([self.fd], [], [], max(0, until - time.monotonic()))
            if not ready:
                return None
            more = os.read(self.fd, 65536)
            if not more:
                return b""
            self.rest += more
        line, self.rest = self.rest.split(b"\n", 1)
        return line


def conventions(header, function):
    """What the head of the header says that any function of its kind may answer."""
    found = set()
    for parameter in function.parameters:
        if parameter.depth == 0 and parameter.base in header.tokens:
            found |= {"AWSGI_E_STALE", "AWSGI_E_INVALID", "AWSGI_E_FORKED"}
        if parameter.depth == 1 and header.is_opaque(parameter.base):
            found |= {"AWSGI_E_STALE", "AWSGI_E_FORKED"}
        if parameter.depth == 1 and header.is_sized(parameter.base) and (parameter.const or parameter.both_ways):
            found |= {"AWSGI_E_INVALID", "AWSGI_E_UNSUPPORTED"}
        if header.count_after(parameter, function.parameters) is not None:
            found |= {"AWSGI_E_INVALID"}
    return found


class Stage:
    """The side of the child: it makes a world for each case, and calls."""

    def __init__(self, player, out):
        self.header, self.function, self.cases, self.out = player.header, player.function, player.cases, out
        self.lib = self.header.ffi.dlopen(player.library)
        self.scratch = tempfile.mkdtemp(dir=player.scratch)
        os.symlink(player.scratch + "/application.so", self.scratch + "/application.so")
        self.statuses = {name: value for name, value in self.header.constants.items()
                         if name == "AWSGI_OK" or name.startswith("AWSGI_E_")}
        self.names = {value: name for name, value in self.statuses.items()}
        self.documented = self.header.documented(self.function) | conventions(self.header, self.function)
        self.good = {}
        self.allocated = allocated_bytes()

    def play(self, first):
        # What is made once is there before anything is counted; so is what a good call answers.
        for place in places(self.function):
            self.good[place] = self.one(place, None)
        clean = []
        for at in range(first, len(self.cases)):
            place, case = self.cases[at]
            for _ in range(2):
                before = left_over()
                answer = self.one(place, case)
                after = left_over()
                if after == before or answer.get("wrong") is not None:
                    break
                # Some things are made once in a process, when they are first needed: then not again.
            else:
                answer["wrong"] = "it leaves descriptors behind: {} before, {} after".format(before, after)
            if answer.get("wrong") is None and place in places(self.function):
                clean.append((at, place, case))
            self.tell(dict(answer, at=at))
        if self.allocated is not None:
            leak = self.leak(clean)
            if leak:
                self.tell({"at": leak[0], "wrong": leak[1]})

    def leak(self, clean):
        """The case that leaves memory behind each time that it is played."""
        def grows(cases, rounds):
            held = []
            for _ in range(rounds):
                for _, place, case in cases:
                    self.one(place, case)
                held.append(self.allocated())
                self.tell({"at": "still here"})
            # The least of several: what is held for a while is not left behind.
            return min(held[-rounds // 3:]) - min(held[:rounds // 3])
        if not clean or grows(clean, ROUNDS) <= 0:
            return None
        for one in clean:
            grown = grows([one], 30)
            if grown >= 20 * 16:
                return one[0], "it leaves memory behind: {} bytes each time".format(grown // 20)
        return None

    def tell(self, said):
        self.out.write(json.dumps(said) + "\n")

    def one(self, place, case):
        """Plays a case; answers what it was answered, and what is wrong with that."""
        world = None
        try:
            world = World(self.header, self.lib, self.scratch, place, case and case.stale)
            if FIRST.get(self.function.name) == "complete" and place == "host":
                world.completion = world.complete()
            status = world.run(lambda: self.prepare(world, case),
                               lambda arguments: self.call(world, arguments, place, case))
            said = {"status": self.names.get(status, "a string" if status == "text" else str(status))}
        except Fault as fault:
            said = {"wrong": str(fault)}
        if world is not None:
            try:
                world.end()
            except Fault as fault:
                said.setdefault("wrong", str(fault))
        return said

    def prepare(self, world, case):
        arguments = world.arguments(self.function)
        world.prepare_for(self.function, arguments)
        if case is not None and case.apply is not None:
            case.apply(world, arguments)
        return arguments

    def call(self, world, arguments, place, case):
        held = world.stats() if place == "host" else None
        status = getattr(self.lib, self.function.name)(*(argument.value for argument in arguments))
        if self.function.result.depth:
            if not status:
                raise Fault("it answered NULL")
            world.ffi.string(status)
            return "text"
        self.check_memory(arguments)
        name = self.names.get(status)
        if name == "AWSGI_OK":
            self.keep(world, arguments)
        else:
            self.check_error(world, arguments, name, status, held)
        self.check_answer(name, place, case)
        return status

    def check_memory(self, arguments):
        for argument in arguments:
            memory = argument.memory
            if memory is not None and not memory.is_intact():
                raise Fault("it wrote behind {}".format(argument.parameter.name))
            if memory is not None and argument.claimed is not None and argument.beyond() != argument.untouched:
                raise Fault("it wrote to {} behind its size".format(argument.parameter.name))

    def check_answer(self, name, place, case):
        allowed = self.documented | ({"AWSGI_E_REENTRANT"} if place == "hook" else set()) | \
            ({"AWSGI_E_FORKED"} if place == "fork" else set())
        if name not in allowed:
            raise Fault("it answered {}, which its comment does not name".format(name))
        if case is not None and case.answers is not None:
            good = self.good.get(place if place in places(self.function) else places(self.function)[0], {})
            if good.get("status") == "AWSGI_OK" and name not in case.answers:
                wanted = " or ".join(sorted(case.answers))
                raise Fault("it answered {}, and should have answered {}".format(name, wanted))

    def check_error(self, world, arguments, name, status, held):
        if name is None or name == "AWSGI_E_PANIC":
            raise Fault("it answered {}: {}".format(name or status, world.last_error()))
        for argument in arguments:
            wrong = argument.not_cleared(self.header)
            if wrong:
                raise Fault("it answered {}, and left in {} {}".format(name, argument.parameter.name, wrong))
        if not self.function.name.endswith("_last_error") and len(world.last_error()) < 10:
            raise Fault("it answered {}, and awsgi_last_error says only {!r}".format(name, world.last_error()))
        if held is not None and world.stats() is not None and world.stats() != held:
            raise Fault("it answered {}, and yet changed what the reactor holds: {} waits and waitables before, {} after"
                        .format(name, held, world.stats()))

    def keep(self, world, arguments):
        """What it has made is to be ended with the rest."""
        for argument in arguments:
            base, depth = argument.parameter.base, argument.parameter.depth
            if argument.memory is None or not argument.value or argument.parameter.const:
                continue
            if self.header.is_opaque(base) and depth == 2:
                made = argument.value[0]
                if made and (base, made) not in world.made and made != world.reactor:
                    world.made.append((base, made))
            elif base == "awsgi_exchange" and depth == 1:
                world.made.append((base, argument.value[0]))
            elif base == "awsgi_application" and depth == 1:
                world.made.append((base, argument.value))


def left_over():
    """The descriptors of a process."""
    return sorted(os.listdir("/proc/self/fd"), key=int)


def allocated_bytes():
    """A function that tells how many bytes malloc has handed out, of the C library's or of a sanitizer's."""
    process = ctypes.CDLL(None)
    if hasattr(process, "__sanitizer_get_current_allocated_bytes"):
        ask = process.__sanitizer_get_current_allocated_bytes
        ask.restype = ctypes.c_size_t
        return ask
    if not hasattr(process, "mallinfo2"):
        return None
    names = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")
    info = type("mallinfo2", (ctypes.Structure,), {"_fields_": [(name, ctypes.c_size_t) for name in names]})
    process.mallinfo2.restype = info

    def ask_malloc():
        told = process.mallinfo2()
        return told.uordblks + told.hblkhd
    return ask_malloc


class Report:
    """What the functions came to."""

    def __init__(self, header, verbose):
        self.header, self.verbose = header, verbose
        self.functions, self.played, self.refused, self.wrong = 0, 0, 0, 0
        self.kinds, self.few = set(), []

    def add(self, function, said):
        self.functions += 1
        self.played += len(said)
        bad = [one for one in said if one["case"] is not None and one["case"][1] is not None]
        kinds = {one["case"][1].kind for one in bad}
        self.kinds |= kinds
        answers = {}
        for one in bad:
            answers[one.get("status")] = answers.get(one.get("status"), 0) + 1
        answers.pop(None, None)
        self.refused += sum(count for status, count in answers.items() if status not in ("AWSGI_OK", "a string"))
        print("{:<30} {:>4} cases of {:>2} kinds  {}".format(
            function.name, len(said), len(kinds),
            " ".join("{}:{}".format(status.replace("AWSGI_", ""), count) for status, count in sorted(answers.items()))))
        for one in said:
            self.one(function, one)
        self.rules(function, said, bad, kinds, answers)

    def one(self, function, one):
        place, case = one["case"] or ("", "")
        what = "{} [{}] {}".format(function.name, place, case or "a good call")
        if one.get("wrong"):
            self.fail("{}: {}".format(what, one["wrong"]))
        elif self.verbose:
            print("  {}: {}".format(what, one["status"]))

    def rules(self, function, said, bad, kinds, answers):
        """What has to be so of each function, whatever it takes."""
        documented = self.header.documented(function)
        if not function.parameters:
            self.fail("{}: it takes nothing, so it has no negative case".format(function.name))
        elif not function.comment or not function.threads[0]:
            self.fail("{}: its comment does not say which thread may call it".format(function.name))
        elif documented - {"AWSGI_OK"} and not set(answers) - {"AWSGI_OK"}:
            self.fail("{}: no case has it refuse anything: it has no negative case".format(function.name))
        good = [one.get("status") for one in said if one["case"] and one["case"][1] is None]
        if function.parameters and not {"AWSGI_OK", "a string"} & set(good):
            self.fail("{}: no good call of it succeeds ({}): tests/ffi/world.py has to know one".format(
                function.name, ", ".join(map(str, good)) or "it may be called nowhere"))
        if len(kinds) < 8:
            self.few.append("{} ({})".format(function.name, len(kinds)))

    def fail(self, words):
        self.wrong += 1
        print("WRONG: " + words)

    def finish(self):
        if self.few:
            print("fewer than 8 kinds, for its types allow no more: " + ", ".join(self.few))
        print("{} functions x {} kinds of bad argument: {} cases, {} of them refused, {} wrong".format(
            self.functions, len(self.kinds), self.played, self.refused, self.wrong))
        return 1 if self.wrong else 0


# So that malloc counts what is in use, and not what it keeps for the next call.
EXACT = "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0:glibc.malloc.arena_max=1"

if __name__ == "__main__":
    if os.environ.get("GLIBC_TUNABLES") != EXACT:
        os.execve(sys.executable, [sys.executable, *sys.argv], dict(os.environ, GLIBC_TUNABLES=EXACT))
    main()
