"""The syntax tree with its types: names become facts, and what cannot work is refused at load.

Types are those of cel-spec's "Type checking": an operator or a function takes what one of its
overloads does, and `dyn` is looked at when the expression runs. A *lenient* check, for `policy
eval` and for conformance cases that say so, refuses nothing but bad syntax: what has no meaning is
an error value where it is met.
"""

from __future__ import annotations

from fastgw.policy import calls, operators
from fastgw.policy.declarations import functions
from fastgw.policy.lexer import ExpressionError
from fastgw.policy.macros import Fold, expand
from fastgw.policy.parser import Tree
from fastgw.policy.scope import Members, Scope
from fastgw.policy.typed import Local, Typed, a
from fastgw.policy.types import (
    BOOL,
    DYN,
    INT,
    STRING,
    TYPE,
    TYPE_NAMES,
    Type,
    fits,
    join,
    list_of,
    map_of,
    optional_of,
    read,
)

KEYS = ("bool", "int", "uint", "string", "dyn")
Chain = list[tuple[str, Tree]]  # a.b.c: each name with the tree that ends there


def check(tree: Tree, scope: Scope, strict: bool = True) -> Typed:
    """Raises ExpressionError."""
    return Checker(scope, strict).infer(tree)


class Checker:
    """``locals``: variables of macros, the innermost last."""

    def __init__(self, scope: Scope, strict: bool = True) -> None:
        self.scope = scope
        self.strict = strict
        self.locals: list[Local] = []

    def infer(self, tree: Tree) -> Typed:
        return getattr(self, f"infer_{tree.kind}")(tree)

    def refuse(self, tree: Tree, message: str, suggestion: str = "") -> None:
        """An error of types; a lenient check goes on."""
        if self.strict:
            raise ExpressionError(message, tree.offset, suggestion, tree.end)

    def fail(self, tree: Tree, error: ExpressionError) -> Typed:
        """Something that has no meaning at all; a lenient check takes it as an error value."""
        if self.strict:
            raise error
        return Typed("failed", DYN, tree, error.message)

    # Literals.

    def infer_literal(self, tree: Tree) -> Typed:
        return Typed("constant", Type(tree.kind), tree, tree.value)

    infer_null = infer_bool = infer_int = infer_uint = infer_double = infer_literal
    infer_string = infer_bytes = infer_literal

    def entry(self, tree: Tree, marked: bool) -> tuple[Typed, Type]:
        """An entry of a list or map, and the type that it adds."""
        value = self.infer(tree)
        if not marked:
            return value, value.type
        if value.type.name not in ("optional", "dyn"):
            self.refuse(tree, f"? takes an optional here, this is {a(value.type)}",
                        "leave out the ?")
        return value, value.type.of[0] if value.type.name == "optional" else DYN

    def infer_list(self, tree: Tree) -> Typed:
        entries = [self.entry(part, i in tree.marks) for i, part in enumerate(tree.parts)]
        kind = common([kind for _, kind in entries])
        return Typed("list", list_of(kind), tree, tree.marks, [value for value, _ in entries])

    def infer_map(self, tree: Tree) -> Typed:
        parts: list[Typed] = []
        kinds: list[Type] = []
        known: set[object] = set()
        for i in range(0, len(tree.parts), 2):
            key = self.infer(tree.parts[i])
            if key.type.name not in KEYS:
                self.refuse(key.tree, f"{a(key.type)} is no key of a map",
                            "keys are bool, int, uint or string")
            if key.op == "constant":
                # True is 1 in Python, but no number here; 1 and 1u are one key.
                distinct = (key.type.name in ("bool", "string"), key.value)
                if distinct in known:
                    self.refuse(key.tree, "this key is there twice", "keep one of them")
                known.add(distinct)
            value, kind = self.entry(tree.parts[i + 1], i // 2 in tree.marks)
            parts += [key, value]
            kinds.append(kind)
        keys = common([key.type for key in parts[::2]])
        return Typed("map", map_of(keys, common(kinds)), tree, tree.marks, parts)

    # Names.

    def local(self, name: str) -> Local | None:
        return next((local for local in reversed(self.locals) if local.name == name), None)

    def chain(self, tree: Tree) -> Chain | None:
        """`a.b.c` of a chain of names, None for anything else."""
        names: Chain = []
        while tree.kind == "select" and not tree.optional:
            names.append((str(tree.value), tree))
            tree = tree.parts[0]
        if tree.kind != "name":
            return None
        return [(str(tree.value), tree), *reversed(names)]

    def members(self, tree: Tree) -> tuple[str, Members] | None:
        """The map of the request that ``tree`` names, if it names one."""
        names = self.chain(tree)
        if names is None or self.local(names[0][0]) or names[0][0] in self.scope.later:
            return None
        path = ".".join(name for name, _ in names).removeprefix(".")
        known = self.scope.maps.get(path)
        return (path, known) if known else None

    def resolve(self, names: Chain) -> tuple[Typed, Chain]:
        """The longest beginning of ``names`` that means something, and what is left of them."""
        root, leaf = names[0], names[-1][1]
        local = self.local(root[0])
        if local is not None:
            return Typed("local", local.type, root[1], local), names[1:]
        words = [name.removeprefix(".") if i == 0 else name for i, (name, _) in enumerate(names)]
        known = words[0] not in self.scope.later
        for n in range(len(names), 0, -1):
            path, tree = ".".join(words[:n]), names[n - 1][1]
            fact = self.scope.fact(path, tree.offset)
            if fact is not None:
                return Typed("fact", fact[1], tree, fact[0]), names[n:]
            if known and path in self.scope.maps:
                return self.map_member(path, names[:n], names[n:])
            if path in TYPE_NAMES:
                return Typed("constant", TYPE, tree, TYPE_NAMES[path]), names[n:]
        error = self.scope.unknown(".".join(words), leaf.offset, leaf.end)
        return self.fail(leaf, error), []

    def map_member(self, path: str, names: Chain, rest: Chain) -> tuple[Typed, Chain]:
        members, tree = self.scope.maps[path], names[-1][1]
        words = [word for word, _ in rest]
        skipped = int(members.kind == "actions" and words[:1] == ["ngrok"])
        taken = rest[skipped : skipped + members.levels]
        if len(taken) == members.levels:
            name = ".".join(word for word, _ in taken)
            try:
                at, kind = self.scope.member(path, name, tree.whole)
            except ExpressionError as error:
                error.end = max(error.end, taken[-1][1].end)
                raise
            return Typed("fact", kind, taken[-1][1], at), rest[skipped + members.levels :]
        if members.source < 0 or rest:
            shown = f"{path}.<action>.<result>" if members.levels > 1 else f"{path}.name"
            raise ExpressionError(f"'{path}' is a map", tree.offset, f"name one of it: {shown}",
                                  tree.end)
        return Typed("source", map_of(STRING, members.type), tree, members.source), rest

    def infer_name(self, tree: Tree) -> Typed:
        return self.resolve([(str(tree.value), tree)])[0]

    def infer_select(self, tree: Tree) -> Typed:
        names = self.chain(tree)
        if names is None:
            known = self.members(tree.parts[0]) if tree.optional else None
            if known:  # req.headers.?x
                return self.perhaps(tree, known[0], str(tree.value))
            return self.select(tree, self.infer(tree.parts[0]))
        node, rest = self.resolve(names)
        for _, below in rest:
            node = self.select(below, node)
        return node

    def select(self, tree: Tree, target: Typed) -> Typed:
        kind = self.field(target, tree)
        if tree.optional and kind.name != "optional":
            kind = optional_of(kind)
        op = "opt_select" if tree.optional else "select"
        return Typed(op, kind, tree, tree.value, [target])

    def field(self, target: Typed, tree: Tree) -> Type:
        """The type of ``target``'s member that ``tree`` selects."""
        kind = target.type
        if kind.name == "optional":
            return optional_of(self.field(Typed("", kind.of[0], target.tree), tree))
        if kind.name == "map" and fits(STRING, kind.of[0], {}):
            return kind.of[1]
        if kind.name != "dyn":
            names = self.chain(target.tree)
            what = a(kind)
            if names:
                what = f"'{'.'.join(name for name, _ in names)}' is {what} and"
            hint = f"leave .{tree.value} out"
            if tree.value in functions():
                own = ".".join(name for name, _ in names) if names else "…"
                hint = f"write {own}.{tree.value}()"
            self.refuse(tree, f"{what} has no member '{tree.value}'", hint)
        return DYN

    def perhaps(self, tree: Tree, path: str, name: str) -> Typed:
        """A member of a map of the request as an optional."""
        at, kind = self.scope.member(path, name, tree.offset)
        fact = Typed("fact", kind, tree, at)
        whole = optional_of(kind)
        return Typed("ternary", whole, tree, None, [
            Typed("has", BOOL, tree, at), Typed("call", whole, tree, "optional.of", [fact]),
            Typed("call", whole, tree, "optional.none", [])])

    def infer_index(self, tree: Tree) -> Typed:
        target, key = tree.parts
        known = self.members(target)
        if known and key.kind == "string" and known[1].levels == 1:
            if tree.optional:
                return self.perhaps(tree, known[0], str(key.value))
            at, kind = self.scope.member(known[0], str(key.value), key.offset)
            return Typed("fact", kind, tree, at)
        parts = [self.infer(target), self.infer(key)]
        kind = self.element(parts[0].type, parts)
        if tree.optional and kind.name != "optional":
            kind = optional_of(kind)
        return Typed("opt_index" if tree.optional else "index", kind, tree, None, parts)

    def element(self, kind: Type, parts: list[Typed]) -> Type:
        """The type of ``kind``[parts[1]]."""
        target, key = parts
        if kind.name == "optional":
            return optional_of(self.element(kind.of[0], parts))
        if kind.name == "dyn":
            return DYN
        if kind.name not in ("list", "map"):
            self.refuse(target.tree, f"{a(kind)} has no members in [ ]", "lists and maps have")
            return DYN
        wanted = INT if kind.name == "list" else kind.of[0]
        if not fits(key.type, wanted, {}):
            self.refuse(key.tree, f"a {kind.name} takes {a(wanted)} in [ ], "
                        f"this is {a(key.type)}", operators.conversion([key], wanted)
                        or f"give it {a(wanted)}")
        return kind.of[-1]

    def infer_test(self, tree: Tree) -> Typed:
        member = tree.parts[0]
        names = self.chain(member)
        if names is None:
            target = self.infer(member.parts[0])
        else:
            target, rest = self.resolve(names)
            if not rest:
                if target.op == "fact":
                    return Typed("has", BOOL, tree, target.value)
                if target.op == "failed":
                    return target
                return Typed("constant", BOOL, tree, True)
            for _, below in rest[:-1]:
                target = self.select(below, target)
        self.field(target, member)
        return Typed("has_member", BOOL, tree, tree.value, [target])

    # Operators and calls.

    def infer_unary(self, tree: Tree) -> Typed:
        return operators.unary(self, tree)

    def infer_binary(self, tree: Tree) -> Typed:
        return operators.binary(self, tree)

    def infer_ternary(self, tree: Tree) -> Typed:
        parts = [self.infer(part) for part in tree.parts]
        condition, then, other = (part.type for part in parts)
        if condition.name not in ("bool", "dyn"):
            self.refuse(tree.parts[0], f"the condition is {a(condition)}, not a bool")
        if not fits(then, other, {}):
            self.refuse(tree, f"the two sides of ?: differ: {then}, {other}",
                        operators.conversion(parts[1:]))
        return Typed("ternary", join(then, other), tree, None, parts)

    def infer_call(self, tree: Tree) -> Typed:
        macro = expand(tree)
        return self.infer(macro) if macro else calls.call(self, tree)

    def infer_method(self, tree: Tree) -> Typed:
        macro = expand(tree)
        return self.infer(macro) if macro else calls.method(self, tree)

    # Macros.

    def within(self, local: Local, tree: Tree) -> Typed:
        """``tree`` where ``local`` is known."""
        self.locals.append(local)
        value = self.infer(tree)
        self.locals.pop()
        return value

    def infer_bind(self, tree: Tree) -> Typed:
        value = self.infer(tree.parts[0])
        local = Local(str(tree.value), value.type)
        body = self.within(local, tree.parts[1])
        return Typed("bind", body.type, tree, local, [value, body])

    def infer_optional(self, tree: Tree) -> Typed:
        target = self.infer(tree.parts[0])
        if target.type.name not in ("optional", "dyn"):
            self.refuse(target.tree, f"{tree.kind}() works on an optional, "
                        f"this is {a(target.type)}", "optional.of(x), map[?'name'], map.?name")
        inner = target.type.of[0] if target.type.name == "optional" else DYN
        local = Local(str(tree.value), inner)
        value = self.within(local, tree.parts[1])
        if tree.kind == "optMap":
            kind = optional_of(value.type)
        else:
            kind = value.type
            if kind.name not in ("optional", "dyn"):
                self.refuse(value.tree, f"optFlatMap() needs an optional here, this is {a(kind)}",
                            "optMap() takes a value")
        return Typed(tree.kind, kind, tree, local, [target, value])

    infer_optMap = infer_optFlatMap = infer_optional

    def infer_fold(self, tree: Tree) -> Typed:
        fold = tree.value
        assert isinstance(fold, Fold)
        over = self.infer(tree.parts[0])
        kinds = self.variables(over, fold)
        local = [Local(name, kind) for name, kind in zip(fold.names, kinds, strict=False)]
        self.locals += local
        parts = [self.infer(part) for part in tree.parts[1:]]
        del self.locals[len(self.locals) - len(local) :]
        if fold.kind not in ("map", "entry", "merge") or fold.conditional:
            if parts[0].type.name not in ("bool", "dyn"):
                self.refuse(parts[0].tree, f"the condition is {a(parts[0].type)}, not a bool")
        result = self.folded(fold, over, kinds, parts[-1])
        return Typed("fold", result, tree, (fold, tuple(local)), [over, *parts])

    def variables(self, over: Typed, fold: Fold) -> tuple[Type, Type]:
        """Types of a fold's variables."""
        kind = over.type
        if kind.name == "list":
            item = kind.of[0]
            return (INT, item) if len(fold.names) == 2 or fold.kind == "entry" else (item, item)
        if kind.name == "map":
            return kind.of[0], kind.of[1]
        if kind.name != "dyn":
            self.refuse(over.tree, f"this works on a list or a map, not on {a(kind)}")
        return DYN, DYN

    def folded(self, fold: Fold, over: Typed, kinds: tuple[Type, Type], last: Typed) -> Type:
        """The type that a fold makes."""
        if fold.kind == "filter":
            return list_of(kinds[0])
        if fold.kind == "map":
            return list_of(last.type)
        if fold.kind == "entry":
            return map_of(kinds[0], last.type)
        if fold.kind == "merge":
            if last.type.name not in ("map", "dyn"):
                self.refuse(last.tree, f"an entry is a map, this is {a(last.type)}",
                            "{key: value}")
            return last.type if last.type.name == "map" else read("map(dyn, dyn)")
        return BOOL


def common(kinds: list[Type]) -> Type:
    """One type for all of ``kinds``: `dyn` where they differ or there is none."""
    if not kinds:
        return DYN
    kind = kinds[0]
    for other in kinds[1:]:
        kind = join(kind, other)
    return kind
