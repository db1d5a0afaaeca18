"""A syntax tree as CEL again, with every bracket written out."""


def printed(tree):
    return _PRINTERS.get(tree.kind, _literal)(tree)


def quoted(text):
    return "'" + "".join(f"\\U{ord(one):08x}" for one in text) + "'"


def _literal(tree):
    if tree.kind == "string":
        return quoted(tree.value)
    if tree.kind == "bytes":
        return "b'" + "".join(f"\\x{one:02x}" for one in tree.value) + "'"
    if tree.kind == "uint":
        return f"{tree.value}u"
    if tree.kind == "null":
        return "null"
    return str(tree.value).lower()


def _field(name):
    return name if name.isidentifier() else f"`{name}`"


def _select(tree):
    mark = "?" if tree.optional else ""
    return f"{_tight(tree.parts[0])}.{mark}{_field(tree.value)}"


def _tight(tree):
    """What may stand before a dot: a number would run into it."""
    text = printed(tree)
    return f"({text})" if tree.kind in ("int", "uint", "double") else text


def _method(tree):
    target, *arguments = tree.parts
    return f"{_tight(target)}.{tree.value}({', '.join(map(printed, arguments))})"


def _unary(tree):
    return f"({tree.value}({printed(tree.parts[0])}))"


def _map(tree):
    pairs = zip(tree.parts[::2], tree.parts[1::2], strict=True)
    entries = [f"{'?' * (i in tree.marks)}{printed(key)}: {printed(value)}"
               for i, (key, value) in enumerate(pairs)]
    return "{" + ", ".join(entries) + "}"


def _list(tree):
    return "[" + ", ".join("?" * (i in tree.marks) + printed(part)
                           for i, part in enumerate(tree.parts)) + "]"


_PRINTERS = {
    "name": lambda tree: tree.value,
    "select": _select,
    "index": lambda tree: (f"{_tight(tree.parts[0])}[{'?' * tree.optional}"
                           f"{printed(tree.parts[1])}]"),
    "call": lambda tree: f"{tree.value}({', '.join(map(printed, tree.parts))})",
    "method": _method,
    "unary": _unary,
    "binary": lambda tree: f"({printed(tree.parts[0])} {tree.value} {printed(tree.parts[1])})",
    "ternary": lambda tree: "({} ? {} : {})".format(*map(printed, tree.parts)),
    "list": _list,
    "map": _map,
}


def shape(tree):
    """All that a tree means, without its places."""
    return (tree.kind, type(tree.value), tree.value, tree.optional, tree.marks,
            tuple(map(shape, tree.parts)))
