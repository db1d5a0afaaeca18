"""A YAML document as nodes that know where they stand.

PyYAML's event parser does the reading; the tree is built here, without recursion and bounded in
size, depth and aliases, because every node must keep line and column, because a duplicate key
must be an error, and because plain scalars follow YAML 1.2 (`no` is a string, `0o17` an octal).
`${env:NAME}` is put in after parsing: the value of a variable can never become structure.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import yaml

from fastgw.errors import ConfigError

BYTES_MAX = 8 << 20
NODES_MAX = 500_000  # counted with every alias written out: this is what an alias bomb grows
DEPTH_MAX = 50

# What of PyYAML's words goes with what mistake, mostly.
REMEDIES = {
    "a tab character": "indentation is made of spaces: replace the tab",
    "mapping values are not allowed": "quote text that holds `: `, or look at the indentation "
                                      "of this line",
    "cannot start any token": "quote text that begins with %, @ or `; indentation is spaces, "
                              "not tabs",
    "did not find expected alphabetic": "quote text that begins with * or &, as in \"*\"",
    "unexpected end of stream": "close the quotes that were opened before",
    "expected ',' or": "close the brackets that were opened before, or put a comma between",
    "did not find expected '-' indicator": "begin each item of the list with - in one column",
    "did not find expected key": "keys of one mapping stand in one column: look at the "
                              "indentation",
    "did not find expected node content": "something is missing here, or brackets close too early",
    "incompatible YAML document": "leave the %YAML line out, or write %YAML 1.2",
}
_ENV = re.compile(r"\$\{env:([^}]*)\}")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_INT = re.compile(r"[-+]?[0-9]+")
_OTHER_INT = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"


@dataclass(slots=True)
class Node:
    """A value and where it begins (counting from 1). ``size``: nodes below it, and itself."""

    line: int
    column: int
    size: int = 1


@dataclass(slots=True)
class Scalar(Node):
    """``value`` is None, bool, int, float or str; ``written`` what stands in the file.

    ``secret``: the text came from the environment and is never shown in an error.
    """

    value: object = None
    written: str = ""
    secret: bool = False
    plain: bool = False


@dataclass(slots=True)
class Sequence(Node):
    items: list[Node] = None  # type: ignore[assignment]


@dataclass(slots=True)
class Table(Node):
    """``entries``: key text -> (the key's own node, value), in the order of the file."""

    entries: dict[str, tuple[Node, Node]] = None  # type: ignore[assignment]


def read_document(text: bytes | str, file: str, env: Mapping[str, str]) -> Node:
    """The root node of the only document in ``text``. Raises ConfigError."""
    if isinstance(text, str):
        text = text.encode()
    if len(text) > BYTES_MAX:
        raise ConfigError(f"larger than {BYTES_MAX >> 20} MiB", file=file, line=1, column=1,
                          suggestion="access keys without end belong into `fastgw keys`, not here")
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        column = error.start - (text.rfind(b"\n", 0, error.start) + 1) + 1
        raise ConfigError("not UTF-8", file=file, line=line, column=column,
                          suggestion="save the file as UTF-8") from None
    return _Composer(file, env).compose(decoded)


class _Composer:
    def __init__(self, file: str, env: Mapping[str, str]) -> None:
        self.file = file
        self.env = env
        self.anchors: dict[str, Node] = {}
        self.stack: list[_Open] = []

    def fail(self, line: int, column: int, message: str, suggestion: str = "") -> ConfigError:
        path = "".join(part.step() for part in self.stack).lstrip(".")
        return ConfigError(message, file=self.file, line=line, column=column, key=path,
                           suggestion=suggestion)

    def events(self, text: str) -> Iterator[yaml.Event]:
        try:
            yield from yaml.parse(text, Loader=_LOADER)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            what = f"not valid YAML: {error.problem or error.context}"
            hint = next((remedy for said, remedy in REMEDIES.items() if said in what),
                        "look at quotes, indentation and brackets here or on the line before")
            raise self.fail(line, column, what, hint) from None
        except yaml.YAMLError as error:  # e.g. a control character: the reader's own error
            position = getattr(error, "position", 0)
            line = text.count("\n", 0, position) + 1
            column = position - (text.rfind("\n", 0, position) + 1) + 1
            what = f"a character that YAML does not allow: U+{ord(text[position]):04X}"
            raise self.fail(line, column, what, "delete it, or write it as \"\\u…\" in quotes"
                            ) from None

    def compose(self, text: str) -> Node:
        root: Node | None = None
        documents = 0
        stack = self.stack
        for event in self.events(text):
            mark = event.start_mark
            line, column = mark.line + 1, mark.column + 1
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self.fail(line, column, "a second document", "one file, one document")
                continue
            if isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
                node = stack[-1].close(self)
                stack.pop()
            elif isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
                if len(stack) >= DEPTH_MAX:
                    raise self.fail(line, column, f"nested deeper than {DEPTH_MAX} levels",
                                    "no configuration is so deep: is a bracket never closed?")
                self.check_tag(event, line, column)
                stack.append(_Open(event, line, column))
                continue
            elif isinstance(event, yaml.AliasEvent):
                node = self.alias(event.anchor, line, column)
            elif isinstance(event, yaml.ScalarEvent):
                node = self.scalar(event, line, column)
                self.anchor(event, node)
            else:
                continue
            if stack:
                stack[-1].add(node, self)
            else:
                root = node
        return root if root is not None else Table(1, 1, entries={})

    def check_tag(self, event, line: int, column: int) -> None:
        if event.tag and event.tag not in (_TAG + "map", _TAG + "seq", "!"):
            raise self.fail(line, column, f"the YAML tag {event.tag} is not allowed", "remove it")

    def anchor(self, event, node: Node) -> None:
        if event.anchor:
            self.anchors[event.anchor] = node

    def alias(self, name: str, line: int, column: int) -> Node:
        node = self.anchors.get(name)
        if node is None:
            raise self.fail(line, column, f"the alias *{name} has no anchor &{name} before it",
                            self.near(name))
        return node

    def near(self, name: str) -> str:
        close = difflib.get_close_matches(name, self.anchors, 1, 0.6)
        return f"did you mean '*{close[0]}'?" if close else (
            f"write &{name} before the value that is meant; text that begins with * is quoted")

    def scalar(self, event: yaml.ScalarEvent, line: int, column: int) -> Scalar:
        if event.tag and event.tag not in ("!", _TAG + "str"):
            raise self.fail(line, column, f"the YAML tag {event.tag} is not allowed", "remove it")
        plain = event.implicit[0] and not event.tag
        text, secret = self.substitute(event.value, line, column)
        value = _resolve(text) if plain else text
        return Scalar(line, column, 1, value, event.value, secret, plain)

    def substitute(self, text: str, line: int, column: int) -> tuple[str, bool]:
        if "${env:" not in text:
            return text, False

        def one(match: re.Match[str]) -> str:
            name = match.group(1)
            if not _ENV_NAME.fullmatch(name):
                raise self.fail(line, column, f"'{name}' is no name of a variable", "${env:NAME}")
            if name not in self.env:
                hint = f"export {name}=… before the start, or write the value another way"
                raise self.fail(line, column, f"the variable {name} is not set", hint)
            return self.env[name]

        return _ENV.sub(one, text), True


class _Open:
    """A collection whose end has not come yet."""

    def __init__(self, event, line: int, column: int) -> None:
        self.event, self.line, self.column = event, line, column
        self.mapping = isinstance(event, yaml.MappingStartEvent)
        self.items: list[Node] = []
        self.entries: dict[str, tuple[Node, Node]] = {}
        self.merges: list[Node] = []
        self.key: Scalar | None = None
        self.size = 1

    def add(self, node: Node, composer: _Composer) -> None:
        self.size += node.size
        if self.size > NODES_MAX:
            message = f"more than {NODES_MAX} values once every alias is written out"
            hint = "write less by aliases: each is as long as what it stands for"
            raise composer.fail(node.line, node.column, message, hint)
        if not self.mapping:
            self.items.append(node)
        elif self.key is None:
            if not isinstance(node, Scalar):
                raise composer.fail(node.line, node.column, "a key must be text",
                                    "write `key: value`; text with brackets is quoted")
            self.key = node
        else:
            self.put(self.key, node, composer)
            self.key = None

    def step(self) -> str:
        """What this collection adds to the path of the value being read."""
        if not self.mapping:
            return f"[{len(self.items)}]"
        return f".{self.key.written}" if self.key else ""

    def put(self, key: Scalar, node: Node, composer: _Composer) -> None:
        if key.plain and key.written == "<<":
            self.merges += node.items if isinstance(node, Sequence) else [node]
            return
        if key.written in self.entries:
            first = self.entries[key.written][0].line
            message = f"'{key.written}' is here twice (first on line {first})"
            raise composer.fail(key.line, key.column, message, "keep one of them")
        self.entries[key.written] = (key, node)

    def close(self, composer: _Composer) -> Node:
        node: Node
        if self.mapping:
            for merged in self.merges:
                if not isinstance(merged, Table):
                    raise composer.fail(merged.line, merged.column, "'<<' takes a mapping",
                                        "write <<: *name, of an anchor on a mapping")
                for name, entry in merged.entries.items():
                    self.entries.setdefault(name, entry)
            node = Table(self.line, self.column, self.size, self.entries)
        else:
            node = Sequence(self.line, self.column, self.size, self.items)
        composer.anchor(self.event, node)
        return node


def _resolve(text: str) -> object:
    """A plain scalar by YAML 1.2's core schema (but `1_000`, dates and `yes` stay text)."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE"):
        return True
    if text in ("false", "False", "FALSE"):
        return False
    if len(text) <= 40:
        if _INT.fullmatch(text):
            return int(text)
        if _OTHER_INT.fullmatch(text):
            return int(text, 0)
        if _FLOAT.fullmatch(text):
            return float(text)
    return text
