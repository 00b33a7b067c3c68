"""What a header declares, as cffi and pycparser understand it: functions with their parameters, structures with their
fields, constants, and what the comments say of each.

Nothing here knows a function of the library by its name.
"""

import os
import re
import subprocess

import cffi
from pycparser import c_ast, c_parser

# What <stddef.h> and <stdint.h> declare; both parsers know them by themselves, or are told here.
STANDARD = "typedef unsigned long size_t; typedef long intptr_t; typedef unsigned long uintptr_t;" + "".join(
    "typedef {0}int{1}_t; typedef unsigned {0}uint{1}_t;".format(c, bits)
    for c, bits in (("signed char ", 8), ("short ", 16), ("int ", 32), ("long ", 64))
).replace("unsigned signed", "unsigned")


class Parameter:
    """A parameter of a function, or a field of a structure: its type by the names of the header."""

    def __init__(self, header, name, node, doc):
        self.name, self.doc = name, doc
        self.depth, self.const = 0, False
        while isinstance(node, c_ast.PtrDecl):
            self.depth += 1
            node = node.type
        self.is_function = isinstance(node, c_ast.FuncDecl)
        if self.is_function:
            self.base = "function"
            return
        self.const = "const" in node.quals
        inner = node.type
        self.base = inner.name if isinstance(inner, c_ast.Struct) else " ".join(inner.names)
        self.is_function = self.base in header.function_types

    def says(self, pattern):
        return re.search(pattern, self.doc) is not None

    @property
    def optional(self):
        """Whether NULL has a meaning of its own."""
        return self.depth > 0 and self.says(r"may be NULL|NULL for|NULL:")

    @property
    def both_ways(self):
        """Whether what it points to is read and written."""
        return self.says(r"[Bb]egin with|\bin: |in and out|moved to")


class Function:
    def __init__(self, name, result, parameters, comment):
        self.name, self.result, self.parameters, self.comment = name, result, parameters, comment

    def paragraph(self, word):
        """What the comment says after `word:`."""
        found = re.search(r"^{}:(.*?)(?=^\w[\w, ]*:|\Z)".format(word), self.comment, re.DOTALL | re.MULTILINE)
        return " ".join(found.group(1).split()) if found else ""

    @property
    def threads(self):
        return self.paragraph("Threads").rstrip(".").split(", ")


class Header:
    """awsgi.h, and a header that includes it, read through the preprocessor of the C compiler."""

    def __init__(self, include, more=None, compiler="cc"):
        self.include, self.compiler = include, compiler
        self.paths = [os.path.join(include, "awsgi.h")] + ([more] if more else [])
        self.path = self.paths[-1]
        self.text = ""
        for path in self.paths:
            with open(path) as file:
                self.text += file.read()
        self.declarations = self.preprocessed()
        self.ffi = cffi.FFI()
        self.ffi.cdef(self.declarations)
        self.comments = self.read_comments()
        self.constants = self.read_constants()
        tree = c_parser.CParser().parse(STANDARD + self.declarations)
        self.function_types, self.tokens, self.structures, self.functions = set(), set(), {}, []
        self.read(tree)

    def run(self, *arguments, source=None):
        command = [self.compiler, "-E", "-I", self.include, "-x", "c", *arguments]
        return subprocess.run(command, input=source, check=True, capture_output=True, text=True).stdout

    def preprocessed(self):
        """The declarations of the header itself, without those of the headers that it includes, and without the
        functions that it defines: they are compiled into who calls them."""
        ours, lines = False, []
        for line in self.run("-D__attribute__(x)=", self.path).splitlines():
            marker = re.match(r'# \d+ "(.*?)"', line)
            if marker:
                ours = marker.group(1) in self.paths
            elif ours:
                lines.append(line)
        text = "\n".join(lines)
        return re.sub(r"^static inline.*?^}", "", text, flags=re.DOTALL | re.MULTILINE)

    def read_comments(self):
        """The comment before each name that is declared at the beginning of a declaration."""
        found = {}
        pattern = r"^/\*\*(.*?)\*/\n((?:(?!/\*\*).)*?[;{(])"
        for comment, rest in re.findall(pattern, self.text, re.DOTALL | re.MULTILINE):
            name = re.search(r"(\w+)\s*[;{(]\Z", rest)
            if name:
                found[name.group(1)] = re.sub(r"^ ?\* ?", "", comment.strip(), flags=re.MULTILINE).strip()
        return found

    def read_constants(self):
        names = re.findall(r"^#define (AWSGI_\w+) ", self.text, re.MULTILINE)
        # A macro is not expanded inside of a string.
        source = '#include "{}"\n'.format(self.path) + "".join('"{0}" {0}\n'.format(name) for name in names)
        values = {}
        for name, value in re.findall(r'^"(AWSGI_\w+)" (.*)$', self.run("-P", "-", source=source), re.MULTILINE):
            value = re.sub(r"(?<=\d)[uUlL]+", "", value)
            if re.fullmatch(r"[-+*()<\d\s]+", value):
                values[name] = eval(value)
        return values

    def read(self, tree):
        declarations = [node for node in tree.ext if node.coord is not None]
        for node in declarations:
            if isinstance(node, c_ast.Typedef):
                inner = node.type
                if isinstance(inner, c_ast.PtrDecl) and isinstance(inner.type, c_ast.FuncDecl):
                    self.function_types.add(node.name)
                elif isinstance(inner, c_ast.TypeDecl) and isinstance(inner.type, c_ast.IdentifierType):
                    if inner.type.names == ["awsgi_token"] or node.name == "awsgi_token":
                        self.tokens.add(node.name)
        for node in declarations:
            if isinstance(node, c_ast.Typedef) and isinstance(node.type, c_ast.TypeDecl):
                struct = node.type.type
                if isinstance(struct, c_ast.Struct):
                    fields = [] if struct.decls is None else self.fields(node.name, struct)
                    self.structures[node.name] = fields
            elif isinstance(node, c_ast.Decl) and isinstance(node.type, c_ast.FuncDecl):
                self.functions.append(self.function(node))

    def fields(self, name, struct):
        body = re.search(r"typedef struct {0} \{{(.*?)^\}} {0};".format(name), self.text, re.DOTALL | re.MULTILINE)
        comments = re.findall(r"/\*\*(.*?)\*/\s*[^;]*?(\w+)(?:\)\([^;]*)?;", body.group(1), re.DOTALL)
        said = {field: " ".join(re.sub(r"^\s*\* ?", "", comment, flags=re.MULTILINE).split())
                for comment, field in comments}
        return [Parameter(self, field.name, field.type, said.get(field.name, "")) for field in struct.decls]

    def function(self, node):
        comment = self.comments.get(node.name, "")
        said = {}
        pattern = r"^(\w+(?:, \w+)*): (.*?)(?=^\w+(?:, \w+)*: |^$|\Z)"
        for names, text in re.findall(pattern, comment, re.DOTALL | re.MULTILINE):
            for name in names.split(", "):
                said[name] = " ".join(text.split())
        parameters = []
        for given in node.type.args.params if node.type.args else []:
            if given.name is not None:
                parameters.append(Parameter(self, given.name, given.type, said.get(given.name, "")))
        result = Parameter(self, "", node.type.type, "")
        return Function(node.name, result, parameters, comment)

    def is_opaque(self, name):
        """Whether it is a structure that only the library sees into."""
        return self.structures.get(name) == []

    def is_sized(self, name):
        """Whether it is a structure that begins with its size, because it may grow."""
        fields = self.structures.get(name)
        return bool(fields) and fields[0].name == "size" and fields[0].base == "size_t"

    def count_of(self, pointer, others):
        """What tells how many elements an array has: the parameter after it, or a field that is named after it."""
        if pointer.depth != 1 or pointer.is_function or self.is_opaque(pointer.base):
            return None
        names = [pointer.name + "_cap", pointer.name + "_count", pointer.name.rstrip("s") + "_count", "len", "count"]
        by_name = {other.name: other for other in others if other.base in ("size_t", "uint32_t") and other.depth == 0}
        return next((by_name[name] for name in names if name in by_name), None)

    def count_after(self, pointer, parameters):
        """The same for a parameter: the size_t after it."""
        follows = parameters[parameters.index(pointer) + 1:][:1]
        counts = follows and follows[0].base == "size_t" and follows[0].depth == 0
        return follows[0] if counts and pointer.depth == 1 and not self.is_opaque(pointer.base) else None

    def documented(self, function, seen=()):
        """The statuses that a function says it may answer."""
        text = function.paragraph("Returns")
        found = set(re.findall(r"\bAWSGI_(?:OK|E_\w+)", text))
        for other in self.functions:
            if re.search(r"\b[Aa]s (?:for )?{}\b".format(other.name), text) and other.name not in seen:
                found |= self.documented(other, (*seen, function.name))
        return found
