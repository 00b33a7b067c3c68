"""The arguments of a call, each with the memory that it may read or write."""

# Text that a good call needs; any other is empty, or NULL.
GOOD_TEXT = {
    "method": b"GET", "target": b"/here?q", "key": b"PATH_INFO", "name": b"X-Name", "value": b"value", "prefix": b"/app",
    "label": b"label",
}

GUARD = 64
FILL = 0xA5


class Memory:
    """Bytes that a call may write to, with some after them that it may not."""

    def __init__(self, ffi, size):
        self.ffi, self.size = ffi, size
        self.bytes = ffi.new("unsigned char[]", size + GUARD)
        ffi.buffer(self.bytes)[:] = bytes([FILL]) * (size + GUARD)

    def cast(self, type_name):
        return self.ffi.cast(type_name + " *", self.bytes)

    def content(self):
        return bytes(self.ffi.buffer(self.bytes)[:self.size])

    def is_intact(self):
        return all(byte == FILL for byte in self.ffi.buffer(self.bytes)[self.size:])


class Argument:
    """An argument of a call: a good one, until a case makes it bad."""

    def __init__(self, world, function, parameter):
        self.parameter, self.memory, self.count, self.claimed = parameter, None, None, None
        self.is_result = False
        header, ffi = world.header, world.ffi
        base, depth = parameter.base, parameter.depth
        self.counted_by = header.count_after(parameter, function.parameters)
        self.type = header.ffi.typeof(getattr(world.lib, function.name)).args[function.parameters.index(parameter)]
        if parameter.is_function:
            self.value = world.keep_callback(base, world.on_entry) if depth == 0 else ffi.NULL
        elif header.is_opaque(base) and depth == 1:
            self.value = world.pointer(base)
        elif depth == 0 and base in header.tokens:
            self.value = world.token(base)
        elif depth == 0 and base in header.structures:
            self.value = world.slice(parameter)[0]
        elif depth == 0:
            self.value = world.number(parameter)
        elif self.counted_by is not None:
            self.array(world, base)
        elif parameter.const and base == "char":
            self.value = world.text(parameter)
        elif parameter.const:
            self.value = world.structure(base)
        elif parameter.both_ways and base in header.structures:
            self.memory = Memory(ffi, ffi.sizeof(base))
            ffi.memmove(self.memory.bytes, world.structure(base), ffi.sizeof(base))
            self.value = self.memory.cast(base)
        else:
            self.is_result = not parameter.both_ways
            name = base + " *" * (depth - 1)
            self.memory = Memory(ffi, ffi.sizeof(name))
            if parameter.both_ways:
                ffi.memmove(self.memory.bytes, bytes(self.memory.size), self.memory.size)
            self.value = self.memory.cast(name)
        world.keep.append(self)

    def array(self, world, base):
        ffi = world.ffi
        if self.parameter.const:
            if base in world.header.structures:
                self.elements, self.value = 1, ffi.cast(self.type, world.array(base, 1))
            else:
                text = GOOD_TEXT.get(self.parameter.name, b"bytes")
                self.elements, self.value = len(text), ffi.cast(self.type, ffi.from_buffer(text))
                world.keep.append(text)
            return
        self.elements = 64 if base in ("char", "void") else 4
        self.memory = Memory(ffi, self.elements * (1 if base == "void" else ffi.sizeof(base)))
        self.value = ffi.cast(self.type, self.memory.bytes)

    def find_count(self, arguments):
        if self.counted_by is not None:
            self.count = next(other for other in arguments if other.parameter is self.counted_by)
            self.count.value = self.elements

    def claims(self, size):
        """Says that a structure is smaller than it is: what lies behind that size is not to be touched."""
        self.value.size = size
        self.claimed = min(size, self.memory.size) if self.memory is not None else None
        self.untouched = self.beyond()

    def beyond(self):
        return self.memory.content()[self.claimed:] if self.claimed is not None else None

    def not_cleared(self, header):
        """What a call that failed has left in a result, if it has."""
        ffi, base = header.ffi, self.parameter.base
        if self.memory is None or not self.value or self.claimed is not None:
            return None
        if self.counted_by is not None:
            text = base == "char" and self.count.value > 0 and self.memory.content()[0] != 0
            return "its first byte {}".format(self.memory.content()[0]) if text else None
        if self.is_result:
            wanted = 0xff if base == "awsgi_os_handle" else 0
            left = [byte for byte in self.memory.content() if byte != wanted]
            return "{} bytes that were not cleared".format(len(left)) if left else None
        if base in header.structures:
            fields = header.structures[base]
            out = [field for field in fields if field.doc.startswith("Out:")] or fields[1:]
            made = ffi.cast(base + " *", self.memory.bytes)
            left = [field.name for field in out if getattr(made, field.name) not in (0, ffi.NULL)]
            return ", ".join(left) if left else None
        return None
