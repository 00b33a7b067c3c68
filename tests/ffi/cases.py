"""Every kind of bad argument that a function can be given, by the types of what it takes.

A case changes one thing of a good call. Where the conventions of the header say what the answer has to be, the case
says so; otherwise any status will do that the function documents.
"""

from arguments import Memory

# What the head of the header says of all functions.
STALE = {"AWSGI_E_STALE"}
NONE = {"AWSGI_E_STALE", "AWSGI_E_INVALID"}

# Calls that take the state away in which another is good.
ENDS = ("close", "free", "end", "cancel", "forget", "drain", "release", "adopt", "gone", "fail", "stop", "run", "rearm",
        "sent", "take", "reset", "kill", "shutdown", "detach")


class Case:
    def __init__(self, kind, words, apply=None, answers=None, place=None, stale=None):
        self.kind, self.words = kind, words
        # Called with the world and the arguments of a good call, where the call is made.
        self.apply = apply
        # What has to have lived and ended before.
        self.stale = stale
        # What has to be answered, where the call is good otherwise.
        self.answers = answers
        # Another place than that in which the call is good.
        self.place = place

    def __str__(self):
        return "{}: {}".format(self.kind, self.words)


class Slot:
    """Something in a call that has a value: a parameter, or a field of what it points to."""

    def __init__(self, parameter, words, get, put, top, owner):
        self.parameter, self.words, self.get, self.put, self.top, self.owner = parameter, words, get, put, top, owner


def places(function):
    """Where the header says that a function may be called."""
    found = []
    for who in function.threads:
        found += {"any": ["host"], "owner": ["host"], "exchange": ["step", "pool"]}.get(who.split(" ")[0], [])
    return list(dict.fromkeys(found))


def cases(header, function):
    """The cases of a function that can be made wherever it may be called."""
    found = []
    for at, parameter in enumerate(function.parameters):
        found += of(header, top(at, parameter, function), function.parameters)
    results = [at for at, parameter in enumerate(function.parameters) if is_result(header, parameter)]
    pointers = [at for at, parameter in enumerate(function.parameters) if parameter.depth > 0]
    if len(pointers) > 1:
        found.append(Case("null", "every pointer is NULL", lambda world, arguments: [
            setattr(arguments[at], "value", world.ffi.NULL) for at in pointers]))
    for one in results:
        for other in results:
            if one < other and same_type(function.parameters[one], function.parameters[other]):
                found.append(Case("one place for two results", "{} is {}".format(
                    function.parameters[other].name, function.parameters[one].name), share(one, other)))
    return found + states(header, function)


def elsewhere(header, function):
    """The same good call in each place where it may not be made, or where it is told so."""
    own = places(function)
    takes = [parameter for parameter in function.parameters if is_named(header, parameter)]
    any_thread = "any" in function.threads
    found = [Case("wrong thread", "a thread that owns nothing", place="thread",
                  answers=None if any_thread or not takes else {"AWSGI_E_THREAD"})]
    if takes:
        reactors = all(parameter.base in header.tokens or parameter.base == "awsgi_reactor" for parameter in takes)
        answers = {"AWSGI_E_FORKED"} if reactors else None
        found.append(Case("forked", "a child of a fork", place="fork", answers=answers))
    found.append(Case("wrong place", "in a wake hook", place="hook"))
    for place, words in (("host", "outside of a step"), ("step", "in a step"), ("pool", "on a pool thread")):
        if place not in own:
            found.append(Case("wrong place", words, place=place))
    return found


def is_result(header, parameter):
    """Whether the library writes to it."""
    written = parameter.depth == 1 and not parameter.const and not header.is_opaque(parameter.base)
    return written or parameter.depth == 2


def is_named(header, parameter):
    """Whether it names something that lives in the library: by a token, or by a pointer that it never follows."""
    if parameter.base in header.tokens:
        return parameter.depth == 0
    return header.is_opaque(parameter.base) and parameter.depth == 1


def same_type(one, other):
    return (one.base, one.depth) == (other.base, other.depth)


def share(one, other):
    def apply(world, arguments):
        arguments[other].value, arguments[other].memory = arguments[one].value, arguments[one].memory
    return apply


def top(at, parameter, function):
    return Slot(parameter, parameter.name, lambda arguments: arguments[at].value,
                lambda arguments, value: setattr(arguments[at], "value", value), True, lambda arguments: arguments[at])


def field(parent, parameter, words):
    return Slot(parameter, words, lambda arguments: getattr(parent(arguments), parameter.name),
                lambda arguments, value: setattr(parent(arguments), parameter.name, value), False, None)


def of(header, slot, siblings, depth=0):
    """The cases of one slot."""
    parameter = slot.parameter
    base, pointers = parameter.base, parameter.depth
    if parameter.is_function or base == "function":
        return [Case("null", "{} is NULL".format(slot.words), put(slot, "NULL"))]
    if header.is_opaque(base) and pointers == 1:
        return opaque(header, slot)
    if pointers == 0 and base in header.tokens:
        return token(header, slot)
    if pointers == 0 and base in header.structures:
        return slices(slot)
    if pointers == 0:
        count = header.count_after if slot.top else header.count_of
        counts = any(count(other, siblings) is parameter for other in siblings)
        return [] if counts else numbers(header, slot)
    found = [null(header, slot, siblings)]
    count = count_slot(header, slot, siblings)
    if count is not None:
        found += lengths(header, slot, count)
    elif base == "char" and parameter.const:
        found += text(slot)
    elif base == "void" and not slot.top:
        found.append(Case("wild field", "{} is 1, and handed back".format(slot.words), put(slot, ("void *", 1))))
    if base in header.structures and not header.is_opaque(base) and depth < 3:
        found += structure(header, slot, depth)
    return found


def put(slot, value):
    def apply(world, arguments):
        made = value
        if value == "NULL":
            made = world.ffi.NULL
        elif isinstance(value, tuple):
            made = world.ffi.cast(*value)
        slot.put(arguments, made)
    return apply


def null(header, slot, siblings):
    parameter = slot.parameter
    if not slot.top:
        return Case("null", "{} is NULL".format(slot.words), put(slot, "NULL"))
    # What is the default may be taken, as a port.
    answers = {"AWSGI_OK", "AWSGI_E_OS"} if parameter.optional else {"AWSGI_E_NULL"}
    return Case("null", "{} is NULL".format(slot.words), put(slot, "NULL"), answers)


def ended(slot):
    return lambda world, arguments: slot.put(arguments, world.stale[slot.parameter.base])


def opaque(header, slot):
    base, words = slot.parameter.base, slot.words
    answers = {"AWSGI_OK"} if slot.parameter.optional else {"AWSGI_E_NULL"}
    found = [Case("null", words + " is NULL", put(slot, "NULL"), answers)]
    found.append(Case("stale", words + " was freed", ended(slot), STALE, stale=base))
    others = [name for name in header.structures if header.is_opaque(name) and name != base]
    for other in others:
        found.append(Case("another kind", "{} is an {}".format(words, other),
                          lambda world, arguments, other=other: slot.put(
                              arguments, world.ffi.cast(base + " *", world.pointer(other))), STALE))
    for wild in (1, 8, 4096, 2**63, 2**64 - 8, 2**64 - 1):
        found.append(Case("invented", "{} is {:#x}".format(words, wild), put(slot, (base + " *", wild)), STALE))
    found.append(Case("invented", words + " is near a living one", lambda world, arguments: slot.put(
        arguments, world.ffi.cast(base + " *", int(world.ffi.cast("uintptr_t", slot.get(arguments))) + 8)), STALE))
    found.append(Case("invented", words + " is the caller's own memory", lambda world, arguments: slot.put(
        arguments, world.ffi.cast(base + " *", world.keep_bytes())), STALE))
    return found


def token(header, slot):
    base, words = slot.parameter.base, slot.words
    top_only = NONE if slot.top else None
    found = [Case("none", words + " is 0", put(slot, 0), top_only)]
    found.append(Case("stale", words + " has ended", ended(slot), STALE if slot.top else None, stale=base))
    for other in sorted(header.tokens - {base, "awsgi_token"}):
        found.append(Case("another kind", "{} is an {}".format(words, other),
                          lambda world, arguments, other=other: slot.put(arguments, world.token(other))))
    for wild in (1, 77, 2**64 - 1, 1 << 60, 3 << 60, 15 << 60, 0x1234567890abcdef):
        found.append(Case("invented", "{} is {:#x}".format(words, wild), put(slot, wild), top_only))
    for bit in (0, 4, 24, 32, 44, 60, 63):
        found.append(Case("invented", "bit {} of {} is another".format(bit, words),
                          lambda world, arguments, bit=bit: slot.put(arguments, slot.get(arguments) ^ 1 << bit)))
    return found


def numbers(header, slot):
    size = header.ffi.sizeof(slot.parameter.base)
    signed = int(header.ffi.cast(slot.parameter.base, -1)) < 0
    low, high = (-(1 << 8 * size - 1), (1 << 8 * size - 1) - 1) if signed else (0, (1 << 8 * size) - 1)
    wild = [low, low + 1, -1, 0, 1, 2, 3, 5, 99, 200, 255, 600, 65535, 65536,
            1 << 30, 1 << 31, 1 << 32, 1 << 63, high - 1, high]
    wild = [value for value in dict.fromkeys(wild) if low <= value <= high]
    kind = "wild integer" if slot.top else "wild field"
    return [Case(kind, "{} is {}".format(slot.words, value), put(slot, value)) for value in wild]


def slices(slot):
    """A slice by value, in a parameter or a field."""
    def bad(data, length):
        def apply(world, arguments):
            value = world.ffi.new("awsgi_slice *")
            world.keep.append(value)
            value.data, value.len = world.bytes(data), length
            slot.put(arguments, value[0])
        return apply
    words = slot.words
    too_long = {"AWSGI_E_INVALID"} if slot.top else None
    return [
        Case("impossible length", words + " is (NULL, 1)", bad(None, 1), {"AWSGI_E_NULL"} if slot.top else None),
        Case("empty", words + " is (NULL, 0)", bad(None, 0)),
        Case("impossible length", words + " has SIZE_MAX bytes", bad(b"x", 2**64 - 1), too_long),
        Case("impossible length", words + " has 2^63 bytes", bad(b"x", 1 << 63), too_long),
        Case("bad text", words + " has CR, LF and NUL", bad(b"a\r\nb\0c", 6)),
        Case("bad text", words + " is no UTF-8", bad(b"\xff\xfe\x80", 3)),
        Case("bad text", words + " is long", bad(b"x" * 70000, 70000)),
    ]


def text(slot):
    def bad(value):
        return lambda world, arguments: slot.put(arguments, world.string(value))
    return [
        Case("bad text", slot.words + " is empty", bad(b"")),
        Case("bad text", slot.words + " is no UTF-8", bad(b"/\xff\xfe\x80")),
        Case("bad text", slot.words + " is long", bad(b"/x" * 35000)),
        Case("bad text", slot.words + " has CR and LF", bad(b"/a\r\nb")),
        Case("bad text", slot.words + " is a directory", bad(b"/")),
    ]


def count_slot(header, slot, siblings):
    """What counts the elements behind a pointer."""
    parameter = slot.parameter
    if slot.top:
        at, after = siblings.index(parameter), header.count_after(parameter, siblings)
        return None if after is None else Slot(after, after.name, lambda arguments: arguments[at + 1].value,
                    lambda arguments, value: setattr(arguments[at + 1], "value", value), True, None)
    count = header.count_of(parameter, siblings)
    return None if count is None else slot.sibling(count)


def lengths(header, slot, count):
    words, parameter = slot.words, slot.parameter

    def both(pointer, length):
        def apply(world, arguments):
            if pointer == "roomy":
                # Whoever writes as much as fits of what is short may well do so.
                memory = Memory(world.ffi, 1 << 18)
                world.keep.append(memory)
                slot.put(arguments, world.ffi.cast(world.ffi.typeof(slot.get(arguments)), memory.bytes))
            elif pointer is None:
                slot.put(arguments, world.ffi.NULL)
            count.put(arguments, length)
        return apply
    found = [
        Case("impossible length", "{} is NULL, and {} 1".format(words, count.words), both(None, 1),
             {"AWSGI_E_NULL"} if slot.top else None),
        Case("empty", "{} is NULL, and {} 0".format(words, count.words), both(None, 0)),
        Case("empty", "{} is 0".format(count.words), both("same", 0)),
    ]
    if count.parameter.base == "size_t":
        for length in (2**64 - 1, 1 << 63):
            found.append(Case("impossible length", "{} is {}".format(count.words, length), both("roomy", length),
                              {"AWSGI_E_INVALID"} if slot.top and parameter.const else None))
    if slot.top and parameter.const and parameter.base in ("char", "void"):
        found.append(Case("bad text", words + " is no UTF-8", lambda world, arguments: (
            slot.put(arguments, world.ffi.cast(world.ffi.typeof(slot.get(arguments)), world.bytes(b"\xff\xfe\x80\0"))),
            count.put(arguments, 4))))
    return found


def structure(header, slot, depth):
    """The cases of what a pointer points to: its size, and each of its fields."""
    name = slot.parameter.base
    if slot.top and not slot.parameter.const and not slot.parameter.both_ways:
        return []           # a result: nothing in it is read
    found = sizes(header, slot) if header.is_sized(name) else []
    siblings = header.structures[name]
    for parameter in siblings:
        if parameter.name == "size" and header.is_sized(name):
            continue
        inner = field(lambda arguments: pointed(slot, arguments), parameter, "{}.{}".format(slot.words, parameter.name))
        inner.sibling = lambda other, words=slot.words: field(lambda arguments: pointed(slot, arguments), other,
                                                              "{}.{}".format(words, other.name))
        found += of(header, inner, siblings, depth + 1)
    return found


def pointed(slot, arguments):
    """The structure behind a pointer; a place for one where a good call has none."""
    return slot.get(arguments)


def sizes(header, slot):
    name, words = slot.parameter.base, slot.words
    full = header.ffi.sizeof(name)
    read = slot.parameter.const and slot.top
    found = []

    def claims(size):
        def apply(world, arguments):
            if slot.top:
                slot.owner(arguments).claims(size)
            else:
                slot.get(arguments).size = size
        return apply

    def tomorrow(more, filled):
        def apply(world, arguments):
            ffi = world.ffi
            memory = Memory(ffi, full + more)
            world.keep.append(memory)
            content = bytes(ffi.buffer(slot.get(arguments), full))
            ffi.buffer(memory.bytes)[:full + more] = content + bytes([filled]) * more
            made = memory.cast(name)
            made.size = full + more
            slot.put(arguments, made)
            if slot.top and slot.owner(arguments).memory is not None:
                slot.owner(arguments).memory = memory
        return apply
    invalid = {"AWSGI_E_INVALID"} if read else None
    for size in (0, 1, 7, full - 1, 65537, 2**64 - 1):
        found.append(Case("size", "{}.size is {}".format(words, size), claims(size), invalid))
    found.append(Case("size", "{} is of tomorrow".format(words), tomorrow(16, 0), {"AWSGI_OK"} if slot.top else None))
    found.append(Case("size", "{} is of tomorrow, and asks for it".format(words), tomorrow(16, 1),
                      {"AWSGI_E_UNSUPPORTED"} if read else None))
    return found


def states(header, function):
    """What was done before, to what the function takes or to what that belongs to."""
    found = []
    bases = {parameter.base for parameter in function.parameters if parameter.depth == header.is_opaque(parameter.base)}
    for other in header.functions:
        first, *rest = other.parameters or [None]
        if first is None or not other.name.rsplit("_", 1)[-1] in ENDS:
            continue
        simple = all(parameter.depth == 0 and parameter.base not in header.tokens | set(header.structures)
                     and not parameter.is_function for parameter in rest)
        living = header.is_opaque(first.base) and first.depth == 1 or first.base in header.tokens and first.depth == 0
        if not simple or not living:
            continue
        belongs = bases & (header.tokens | {"awsgi_gateway"}) and first.base in ("awsgi_reactor", "awsgi_gateway")
        if first.base not in bases and not belongs:
            continue
        for turned in (False, True):
            found.append(Case("wrong state", "after {}{}".format(other.name, " and a turn" if turned else ""),
                              after_call(other, turned)))
    return found


def after_call(other, turned):
    def apply(world, arguments):
        first = other.parameters[0]
        given = next((argument.value for argument in arguments
                      if argument.parameter.base == first.base and argument.parameter.depth == first.depth), None)
        if given is None:
            given = world.reactor if first.base == "awsgi_reactor" else world.gateway
        rest = [world.number(parameter) for parameter in other.parameters[1:]]
        if other.name == "awsgi_server_run":
            world.lib.awsgi_server_drain(given, 0)
        getattr(world.lib, other.name)(given, *rest)
        if turned:
            world.lib.awsgi_reactor_turn(world.reactor, world.sized("awsgi_turn"))
    return apply
