#!/usr/bin/env python3
"""Writes the list of the harness for the fuzzer: each function, with each of its parameters that makes it refuse.

    rust.py INCLUDE        prints tests/fuzz/list.rs, not formatted

tests/ffi.rs compares it with the one that is committed.
"""

import sys

from cases import cases
from declarations import Header
from harness import conventions

HEAD = """//! The functions of the header, as tests/ffi has them: with what makes each of them refuse. Written by
//! tests/ffi/rust.py; do not edit. `AWSGI_BLESS=1 cargo test --all-features --test ffi` writes it anew.

use awsgi::ffi::*;

use super::bad::Function;

/// Each function, the parameters of which one at least can be such that it has to refuse, and what it may answer.
pub const FUNCTIONS: &[Function] = &["""

# What a case has to be answered that is refused whatever else is given.
REFUSED = ({"AWSGI_E_NULL"}, {"AWSGI_E_STALE"}, {"AWSGI_E_STALE", "AWSGI_E_INVALID"}, {"AWSGI_E_INVALID"})


def main():
    header = Header(sys.argv[1])
    print(HEAD)
    for function in header.functions:
        refusing = [at for at, parameter in enumerate(function.parameters) if refuses(header, function, parameter)]
        if refusing:
            print(entry(header, function, refusing))
    print("];")


def refuses(header, function, parameter):
    """Whether the harness has a case of it that has to be refused."""
    if any(header.count_after(other, function.parameters) is parameter for other in function.parameters):
        return False        # that of the array is bad
    return any(case.answers in REFUSED and case.words.split(" ")[0].split(".")[0] == parameter.name
               for case in cases(header, function))


def entry(header, function, refusing):
    said = header.documented(function) | conventions(header, function)
    said = ", ".join(sorted(said - {"AWSGI_OK"}))
    values = ", ".join(value(header, function, at) for at in range(len(function.parameters)))
    return 'Function {{ name: "{0}", refusing: &{1}, said: &[{2}], call: |a| unsafe {{ {0}({3}) }} }},'.format(
        function.name, refusing, said, values)


def value(header, function, at):
    parameter = function.parameters[at]
    base, depth = parameter.base, parameter.depth
    counts = [other for other in function.parameters if header.count_after(other, function.parameters) is parameter]
    if parameter.is_function:
        return "None"
    if depth == 1 and header.is_opaque(base):
        return "a.{}({})".format("reactor" if base == "awsgi_reactor" else "nobody", at)
    if depth == 0 and base in header.tokens:
        return "a.token({})".format(at)
    if depth == 0 and base in header.structures:
        return "a.slice({})".format(at)
    if counts:
        return "a.length({})".format(function.parameters.index(counts[0]))
    if depth == 0:
        return "a.number() as _"
    if header.count_after(parameter, function.parameters) is not None:
        return "a.array({}).cast()".format(at)
    if base == "char":
        return "a.text({})".format(at)
    if header.is_sized(base) and (parameter.const or parameter.both_ways):
        return "a.sized::<{}>({}, {})".format(base, at, str(parameter.optional).lower())
    if parameter.const or parameter.both_ways:
        return "a.given({}).cast()".format(at)
    return "a.place({}, {}).cast()".format(at, str(parameter.optional).lower())


if __name__ == "__main__":
    main()
