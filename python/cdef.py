"""Reduces include/awsgi.h to what cffi's cdef takes, which is libawsgi/_cdef.py.

    AWSGI_BLESS=1 cargo test --all-features --test python     writes it anew
    python3 python/cdef.py                                    prints it

cdef knows C declarations and `#define NAME INTEGER`, but no preprocessor. What remains of the header, in its order, are
the types, the functions, and the constants with their values worked out. It understands what tests/header.rs writes,
not C in general, and fails when a function would be lost.
"""

import pathlib
import re

HEADER = pathlib.Path(__file__).resolve().parent.parent / "include" / "awsgi.h"

# What a C compiler on a Unix defines. The header asks for nothing else.
DEFINED = {"__GNUC__": True, "_WIN32": False, "__cplusplus": False, "AWSGI_STATIC": False, "AWSGI_H": False}

TEMPLATE = '''"""What include/awsgi.h declares, for cffi. Written by python/cdef.py: do not edit."""

CDEF = """\\
{}
"""
'''


def reduce(header):
    """The text of libawsgi/_cdef.py for the text of a header."""
    header = without_bodies(re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL))
    text = preprocessed(header.replace("\\\n", " "))
    lost = set(functions(header)) - set(functions(text))
    if lost:
        raise SystemExit("python/cdef.py does not understand the header: it loses " + ", ".join(sorted(lost)))
    return TEMPLATE.format(re.sub(r"\n\s*\n+", "\n", text).strip())


def functions(text):
    """The names of the functions that are declared."""
    return re.findall(r"\b(awsgi_\w+)\(", text)


def without_bodies(text):
    """Takes away the functions that the header defines itself: they are for C."""
    return re.sub(r"^static inline.*?^}", "", text, flags=re.DOTALL | re.MULTILINE)


def preprocessed(text):
    """Follows the conditions, and keeps of the macros those that are numbers."""
    kept, values = [], {"UINT64_MAX": 2**64 - 1}
    conditions = []     # of each that is open: whether its branch is taken, whether one was taken already
    for line in text.splitlines():
        directive = re.match(r"#\s*(\w+)\s*(.*)", line)
        word, rest = directive.groups() if directive else ("", "")
        if word in ("if", "ifdef", "ifndef"):
            holds = DEFINED[re.search(r"\w+(?=\)?$)", rest).group()] != (word == "ifndef")
            conditions.append((holds, holds))
        elif word in ("elif", "else"):
            _, before = conditions.pop()
            holds = not before and (word == "else" or DEFINED[re.search(r"\w+(?=\)?$)", rest).group()])
            conditions.append((holds, before or holds))
        elif word == "endif":
            conditions.pop()
        elif not all(taken for taken, _ in conditions):
            continue
        elif word == "define":
            name, value = re.match(r"(\w+)\s*(.*)", rest).groups()
            value = number(value, values)
            if value is not None:
                values[name] = value
                kept.append("#define {} {}".format(name, value))
        elif not directive:
            kept.append(re.sub(r"\bAWSGI_API\s*", "", line))
    return "\n".join(kept)


def number(expression, values):
    """The value of a macro, if it is a number made of numbers."""
    words = re.sub(r"[A-Za-z_]\w*", lambda word: str(values.get(word.group(), "?")), expression)
    return eval(words) if re.fullmatch(r"[-+*()<\d\s]*\d[-+*()<\d\s]*", words) else None


if __name__ == "__main__":
    print(reduce(HEADER.read_text()), end="")
