"""The head of a response: what an application may give to start_response."""

import re

# A name is a token of RFC 9110.
NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
STATUS = re.compile(r"[2-5][0-9][0-9] [^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?\Z")

# Fields that say how a message is framed or how long a connection lives: the server's own.
HOP_BY_HOP = frozenset((
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
    "trailers", "transfer-encoding", "upgrade",
))

# Names that were found good, as they are sent, and statuses. An application has few; one that makes them up fills no memory.
names = {}
codes = {}
KEPT = 1000


def status_code(status):
    """The number of a status such as "200 OK"."""
    if not isinstance(status, str):
        raise TypeError("the status is %s, not a str such as '200 OK': %.100r" % (kind(status), status))
    code = codes.get(status)
    if code is not None:
        return code
    if STATUS.match(status) is None:
        raise ValueError("%.100r is not a status: %s" % (status, wrong_status(status)))
    encoded(status, "the status")
    code = int(status[:3])
    if len(codes) < KEPT and len(status) < 100:
        codes[status] = code
    return code


def wrong_status(status):
    if CONTROL.search(status):
        return "it holds a control character"
    if not re.match(r"[0-9]{3}(?![0-9])", status):
        return "it begins with three digits, as in '200 OK'"
    if not "200" <= status[:3] <= "599":
        return "that of a response is 200 to 599"
    if re.match(r"[0-9]{3}\s*\Z", status):
        return "it has no reason; give one after a space, as in '200 OK'"
    return "one space separates number and reason, and none surrounds them"


def header_fields(headers):
    """Names and values of header fields as bytes, by turns, and the Content-Length they declare, or None."""
    if not isinstance(headers, list):
        raise TypeError("the headers are %s, not a list of (name, value)" % kind(headers))
    fields, length = [], None
    for header in headers:
        if not isinstance(header, tuple) or len(header) != 2:
            raise TypeError("a header is a tuple (name, value), not %.100r" % (header,))
        name, value = header
        known = names.get(name) if isinstance(name, str) else None
        if known is None:
            known = checked_name(name)
        if not isinstance(value, str):
            raise TypeError("the value of %s is %s, not a str: %.100r" % (name, kind(value), value))
        if value.isascii() and value.isprintable():
            value = value.encode()
        else:
            if CONTROL.search(value):
                raise ValueError("the value of %s holds a control character: %.100r" % (name, value))
            value = encoded(value, "the value of " + name)
        fields.append(known)
        fields.append(value)
        if len(known) == 14 and known.lower() == b"content-length":
            length = content_length(value, length)
    return fields, length


def checked_name(name):
    if not isinstance(name, str):
        raise TypeError("the name of a header is %s, not a str: %.100r" % (kind(name), name))
    if NAME.match(name) is None:
        raise ValueError("%.100r is not the name of a header: use letters, digits and hyphens" % name)
    if name.lower() in HOP_BY_HOP:
        raise ValueError("%s is the server's to set, not the application's: leave it out" % name)
    if name.lower() == "status":
        raise ValueError("Status is a header of CGI: give the status as the first argument of start_response")
    known = name.encode()
    if len(names) < KEPT and len(name) < 100:
        names[name] = known
    return known


def content_length(value, before):
    # int would take a sign, spaces and underscores.
    if not value.isdigit():
        raise ValueError("Content-Length is %r: give the number of bytes in digits" % value.decode("latin-1"))
    length = int(value)
    if before is not None and before != length:
        raise ValueError("Content-Length is given twice, as %d and as %d" % (before, length))
    return length


def encoded(text, what):
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError(
            "%s holds characters beyond ISO-8859-1, which no header can carry: %.100r" % (what, text)
        ) from None


def kind(thing):
    """What a thing is, in a sentence."""
    name = type(thing).__name__
    if thing is None or name == "bytes":
        return "None" if thing is None else name
    return ("an " if name[0] in "aeiou" else "a ") + name
