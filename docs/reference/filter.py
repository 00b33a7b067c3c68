#!/usr/bin/env python3
"""Hands a header to doxygen: its comments, which are written for people who read the header, with doxygen's commands.

The conventions at the top become the first page, each banner a group. In the comment of a function the lines
`name: text`, `Returns:`, `Ownership:` and `Threads:` become what doxygen has for them. An object that a function is
about, which its comment does not explain again, is explained here, and so is an error that is only named. The example
is the function of c-examples/reference whose own comment names it.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = "c-examples/reference"

# What a parameter is that a comment does not explain.
OBJECTS = {
    "reactor": "A reactor that was made and not freed.",
    "gateway": "A gateway that was made and not freed.",
    "server": "A server that was made and not freed.",
    "waitable": "The token of a waitable.",
    "wait": "The token of a wait.",
    "exchange": "The token of an exchange.",
    "status": "A status.",
}


def examples():
    """Function -> where its example is, and its text."""
    found = {}
    for path in sorted((ROOT / EXAMPLES).glob("*.[ch]")):
        text = path.read_text()
        for match in re.finditer(r"^/\* ((?:awsgi_\w+(?:, )?)+): ((?:[^*]|\*(?!/))*)\*/\n(.*?^\}\n)", text, re.M | re.S):
            names, shows, body = match.groups()
            for name in names.split(", "):
                found.setdefault(name, (f"{EXAMPLES}/{path.name}", " ".join(shows.split()), body))
    return found


def sentence(text):
    """With a capital letter, unless it begins with a name."""
    return text if re.match(r"\w+_|`", text) else text[:1].upper() + text[1:]


def paragraphs(comment):
    """The lines of a comment without its stars, and its paragraphs."""
    lines = [re.sub(r"^ ?\* ?", "", line) for line in comment.strip().splitlines()]
    return [part for part in re.split(r"\n\s*\n", "\n".join(lines)) if part.strip()]


def entries(paragraph):
    """`name: text` with its further lines, which are indented -> (name, text); None for other paragraphs."""
    found = []
    for line in paragraph.splitlines():
        start = re.match(r"([A-Za-z_]+(?:, [A-Za-z_]+)*): ?(.*)", line)
        if start:
            found.append([start.group(1), start.group(2)])
        elif found and line.startswith("  "):
            found[-1][1] += " " + line.strip()
        else:
            return None
    return found


class Header:
    def __init__(self, text):
        self.text = text
        main = text if "#define AWSGI_OK " in text else (ROOT / "include/awsgi.h").read_text()
        # What can be linked to: the words that doxygen does not know for what they are.
        self.known = set(re.findall(r"\b(awsgi_\w+)\(", main)) | set(re.findall(r"#define (AWSGI_\w+)", main))
        comments = re.findall(r"/\*\* ([^\n]*) \*/\n#define (AWSGI_(?:OK|E_\w+))", main)
        self.statuses = {name: text for text, name in comments}
        self.examples = examples()

    def prose(self, text):
        """Text as doxygen reads it."""
        text = re.sub(r"([\\@<>%])", r"\\\1", text)
        text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
        return re.sub(r"\b(?:awsgi|AWSGI)_\w+", lambda m: ("#" if m[0] in self.known else "") + m[0], text)

    def returns(self, text):
        """`AWSGI_OK; AWSGI_E_STALE; AWSGI_E_OS if ...` -> a row for each; what names no status stays a sentence."""
        whole, rest = (re.split(r"(?<=[.])\s+(?=[A-Z])", text, maxsplit=1) + [""])[:2]
        sentences, rows = [], []
        for item in re.split(r";\s+", whole.rstrip(".")):
            match = re.match(r"(AWSGI_\w+),?\s*(.*)", item, re.S)
            if not match:
                sentences.append(item)
                continue
            name, why = match.groups()
            why = sentence(why).rstrip(".") + "." if why else self.statuses[name]
            rows.append(f"@retval {name} {self.prose(why)}")
        sentences = sentences and sentence("; ".join(sentences)) + "."
        said = " ".join(part for part in (sentences, rest) if part)
        return [f"@return {self.prose(said or 'One of these:')}"] + rows

    def function(self, comment, prototype):
        name = re.search(r"(awsgi_\w+)\(", prototype).group(1)
        inside = " ".join(prototype[prototype.index("(") + 1:prototype.rindex(")")].split())
        names = [] if inside == "void" else [re.search(r"(\w+)$", part.strip()).group(1) for part in inside.split(",")]
        what, explained, facts = [], {}, []
        for paragraph in paragraphs(comment):
            listed = entries(paragraph)
            if listed and all(part in names for key, _ in listed for part in key.split(", ")):
                for key, text in listed:
                    explained.update({part: (key, text) for part in key.split(", ")})
            elif listed:
                for key, text in listed:
                    if key == "Returns":
                        facts += self.returns(text)
                    else:
                        facts.append(f"@par {key}\n{self.prose(sentence(text))}")
            else:
                what.append(self.prose(paragraph))
        lines, done = ["\n\n".join(what), ""], set()
        for parameter in names:
            key, text = explained.get(parameter, (parameter, OBJECTS.get(parameter)))
            if text is None:
                sys.exit(f"docs/reference/filter.py: nothing explains {parameter} of {name}")
            if key not in done:
                lines.append(f"@param {key.replace(', ', ',')} {self.prose(sentence(text))}")
                done.add(key)
        lines += facts
        if name not in self.examples:
            sys.exit(f"docs/reference/filter.py: {EXAMPLES} has no example of {name}")
        path, shows, body = self.examples[name]
        lines += ["@par Example", f"{self.prose(sentence(shows))} From {path}.", f"@code{{.c}}\n{body}@endcode"]
        return "/**\n" + "\n".join(lines) + "\n*/\n" + prototype

    def convert(self):
        # Macros that stand for functions hide them, and the table repeats them.
        text = re.sub(r"#define awsgi_\w+ AWSGI_TABLE\(.*\n", "", self.text)
        text = re.sub(r"\n( +)(\S[^;\n]*\(\*(awsgi_\w+)\)\()", r"\n\1/** The function \3. */\n\1\2", text)
        out, group = [], 0
        first, rest = re.match(r"/\*(.*?)\*/(.*)", text, re.S).groups()
        title, *conventions = paragraphs(first)[1:] if "SPDX" in first else paragraphs(first)
        conventions = [part for part in conventions if not part.startswith("Generated from")]
        if "#define AWSGI_OK " in text:
            out.append("/**\n@mainpage libawsgi\n" + "\n\n".join(map(self.prose, [title] + conventions)) + "\n*/\n")
            out.append("/** @file\nThe C API. */\n")
        else:
            shown = [f"@code{{.c}}\n{part}\n@endcode" if part.startswith("  ") else self.prose(part)
                     for part in [title] + conventions]
            out.append("/** @file\n" + "\n\n".join(shown) + "\n*/\n")
        at = 0
        pattern = re.compile(
            r"/\* ---- (?P<banner>.*?) -+ \*/\n"
            r"|/\*\*(?P<comment>(?:[^*]|\*(?!/))*)\*/\n(?P<prototype>(?:AWSGI_API|AWSGI_EXPORT|static inline)\s[^;{]*[;{])"
            r"|/\*\*(?P<other>(?:[^*]|\*(?!/))*)\*/", re.S)
        for match in pattern.finditer(rest):
            out.append(rest[at:match.start()])
            at = match.end()
            if match["banner"]:
                close = "/** @} */\n" if group else ""
                group += 1
                out.append(f"{close}/** @defgroup section{group:02} {match['banner']}\n@{{ */\n")
            elif match["prototype"]:
                out.append(self.function(match["comment"], match["prototype"]))
            else:
                body = "\n\n".join(self.prose(part) for part in paragraphs(match["other"]))
                out.append(f"/** {body} */")
        out.append(rest[at:].replace("#ifdef __cplusplus\n}", "/** @} */\n#ifdef __cplusplus\n}", 1) if group else rest[at:])
        return "".join(out)


sys.stdout.write(Header(pathlib.Path(sys.argv[1]).read_text()).convert())
