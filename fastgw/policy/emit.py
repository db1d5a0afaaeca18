"""The typed tree to instructions of csrc/fgw_cel.h."""

from __future__ import annotations

from fastgw.policy.assemble import FUNCTIONS, Assembly
from fastgw.policy.declarations import functions
from fastgw.policy.lexer import ExpressionError, PartError
from fastgw.policy.macros import Fold
from fastgw.policy.program import PatternError
from fastgw.policy.typed import Local, Typed

TWO = {"==": "EQ", "!=": "NE", "<": "LT", "<=": "LE", ">": "GT", ">=": "GE", "+": "ADD",
       "-": "SUB", "*": "MUL", "/": "DIV", "%": "MOD", "in_of": "IN", "index": "INDEX",
       "opt_index": "OPT_INDEX"}
ONE = {"not": "NOT", "negate": "NEGATE"}
ZONES = "a zone is 'Europe/Berlin', '+02:00' or 'UTC'"
PLAIN = tuple("()*+?{|.")
FIELDS = {"select": "SELECT", "opt_select": "OPT_SELECT", "has_member": "HAS"}


def names_a_zone(text: str) -> bool:
    """Whether it needs a table; '+02:00' and 'UTC' do not."""
    return any(letter.isalpha() for letter in text.removeprefix("UTC"))


class Emitter:
    """Writes one tree into ``code``. ``spans``: of each instruction the tree that it came from,
    for tools that show what an instruction was."""

    def __init__(self, code: Assembly) -> None:
        self.code = code
        self.slots: dict[Local, int] = {}
        self.spans: list[Typed] = []

    def write(self, node: Typed) -> None:
        op = node.op
        if op in TWO or op in ONE:
            if op in ("==", "!=") and self.write_equality(node):
                return
            for part in node.parts:
                self.write(part)
            self.emit(node, TWO.get(op) or ONE[op])
        elif op in ("&&", "||"):
            self.write_logic(node)
        elif op in FIELDS:
            self.write(node.parts[0])
            self.emit(node, FIELDS[op], to=self.code.constant("string", node.value))
        else:
            getattr(self, f"write_{op}")(node)

    def emit(self, node: Typed, op: str, at: int = 0, to: int = 0, count: int = 0,
             arg: int = 0) -> int:
        self.spans.append(node)
        return self.code.emit(op, at, to, count, arg)

    # Values.

    def constant(self, node: Typed, kind: str = "") -> int:
        """The number of a node's constant. Texts that are none of their kind are refused."""
        try:
            return self.code.constant(kind or node.type.name, node.value)
        except (ValueError, KeyError) as error:
            message, hint = str(error), ""
            if isinstance(error, PatternError):
                part = str(node.value)[error.start : error.end]
                hint = f"as plain text: [{part}]" if part in PLAIN else "the syntax is RE2's"
                raise PartError(f"no pattern: {message}: '{part}'", node.tree.offset, hint,
                                node.tree.end, error.start, error.end) from None
            if kind == "zone":
                message, hint = "unknown time zone", ZONES
            raise ExpressionError(message, node.tree.offset, hint, node.tree.end) from None

    def write_constant(self, node: Typed, kind: str = "") -> None:
        self.emit(node, "CONSTANT", self.constant(node, kind))

    def write_fact(self, node: Typed) -> None:
        self.emit(node, "FACT", node.value)  # type: ignore[arg-type]

    def write_has(self, node: Typed) -> None:
        self.emit(node, "HAS_FACT", node.value)  # type: ignore[arg-type]

    def write_dyn(self, node: Typed) -> None:
        self.write(node.parts[0])

    def write_source(self, node: Typed) -> None:
        self.emit(node, "SOURCE", node.value)  # type: ignore[arg-type]

    def write_local(self, node: Typed) -> None:
        self.emit(node, "LOAD", self.slots[node.value])  # type: ignore[index]

    def write_failed(self, node: Typed) -> None:
        self.emit(node, "CALL", FUNCTIONS["OPTIONAL_NONE"])
        self.emit(node, "CALL", FUNCTIONS["VALUE"], arg=1)

    def row(self, nodes: list[Typed]) -> int:
        """The number of the first of constants in a row."""
        if not nodes:
            return 0
        return self.code.constants([(node.type.name, node.value) for node in nodes])

    def write_in(self, node: Typed) -> None:
        needle, heap = node.parts
        self.write(needle)
        self.emit(node, "IN_CONSTANTS", self.row(heap.parts), count=len(heap.parts))

    def write_list(self, node: Typed) -> None:
        count = len(node.parts)
        if count and not node.value and all(part.op == "constant" for part in node.parts):
            self.emit(node, "CONSTANT_LIST", self.row(node.parts), count=count)
            return
        self.emit(node, "LIST", count)
        for i, part in enumerate(node.parts):
            self.write(part)
            self.emit(node, "APPEND_OPT" if i in node.value else "APPEND")  # type: ignore

    def write_map(self, node: Typed) -> None:
        self.emit(node, "MAP", len(node.parts) // 2)
        for i, part in enumerate(node.parts):
            self.write(part)
            if i % 2:
                marked = i // 2 in node.value  # type: ignore[operator]
                self.emit(node, "INSERT_OPT" if marked else "INSERT")

    # Operators.

    def write_equality(self, node: Typed) -> bool:
        """fact == constant in one instruction: nearly all that rules ask."""
        fact, constant = sorted(node.parts, key=lambda part: part.op != "fact")
        if fact.op != "fact" or constant.op != "constant":
            return False
        self.emit(node, "FACT_EQ" if node.op == "==" else "FACT_NE",
                  fact.value, self.constant(constant))  # type: ignore[arg-type]
        return True

    def write_logic(self, node: Typed) -> None:
        name = "AND" if node.op == "&&" else "OR"
        self.write(node.parts[0])
        jump = self.emit(node, f"{name}_JUMP")
        self.write(node.parts[1])
        self.emit(node, name)
        self.code.land(jump)

    def write_ternary(self, node: Typed) -> None:
        self.write(node.parts[0])
        broken = self.emit(node, "ERROR_JUMP")
        other = self.emit(node, "FALSE_JUMP")
        self.write(node.parts[1])
        end = self.emit(node, "JUMP")
        self.code.land(other)
        self.write(node.parts[2])
        self.code.land(end)
        self.code.land(broken)

    # Functions.

    def write_call(self, node: Typed) -> None:
        name = str(node.value)
        zoned = name.startswith("get") and name != "getReqHeader"
        for i, part in enumerate(node.parts):
            if i == 1 and part.op == "constant" and part.type.name == "string":
                if name == "matches":
                    self.write_constant(part, "regex")
                    continue
                if zoned and names_a_zone(str(part.value)):
                    self.write_constant(part, "zone")
                    continue
            self.write(part)
        number = FUNCTIONS[functions()[name].number]
        self.emit(node, "CALL", number, arg=len(node.parts))

    def write_template(self, node: Typed) -> None:
        for part in node.parts:
            self.write(part)
        self.emit(node, "CONCAT", arg=len(node.parts))

    # Optionals.

    def otherwise(self, node: Typed, op: str) -> None:
        self.write(node.parts[0])
        end = self.emit(node, op)
        self.write(node.parts[1])
        self.code.land(end)

    def write_or(self, node: Typed) -> None:
        self.otherwise(node, "OR_OPTIONAL")

    def write_orValue(self, node: Typed) -> None:
        """req.headers[?'x'].orValue('') in one instruction."""
        optional, other = node.parts
        if optional.op == "ternary" and optional.parts[0].op == "has" and other.op == "constant":
            kept, empty = optional.parts[1:]
            if (kept.value, empty.value) == ("optional.of", "optional.none") and (
                    kept.parts[0].op == "fact"
                    and kept.parts[0].value == optional.parts[0].value):
                at = kept.parts[0].value
                self.emit(node, "FACT_OR", at, self.constant(other))  # type: ignore[arg-type]
                return
        self.otherwise(node, "OR_VALUE")

    def write_optMap(self, node: Typed) -> None:
        self.write(node.parts[0])
        end = self.emit(node, "OPT_MAP")
        first = self.code.slots(1)
        self.emit(node, "STORE", first)
        self.slots[node.value] = first  # type: ignore[index]
        self.write(node.parts[1])
        if node.op == "optMap":
            self.emit(node, "CALL", FUNCTIONS["OPTIONAL_OF"], arg=1)
        self.code.free_slots(first)
        self.code.land(end)

    write_optFlatMap = write_optMap

    # Variables and loops.

    def write_bind(self, node: Typed) -> None:
        self.write(node.parts[0])
        first = self.code.slots(1)
        self.emit(node, "STORE", first)
        self.slots[node.value] = first  # type: ignore[index]
        self.write(node.parts[1])
        self.code.free_slots(first)

    def write_fold(self, node: Typed) -> None:
        """csrc/fgw_cel.h draws it: the accumulator stays on the stack."""
        fold: Fold
        variables: tuple[Local, ...]
        fold, variables = node.value  # type: ignore[misc]
        two = len(variables) == 2
        self.write(node.parts[0])
        first = self.code.slots(4 if two else 3)
        for i, local in enumerate(variables):
            self.slots[local] = first + 2 + i
        broken = self.emit(node, "ITERATE", first)
        self.begin(node, fold)
        top = self.emit(node, "NEXT", first, arg=2 if two else 1)
        out = self.body(node, fold, first + 2)
        self.emit(node, "LOOP", to=top)
        for jump in (top, *out):
            self.code.land(jump)
        if fold.kind == "one":
            self.emit(node, "CONSTANT", self.code.constant("int", 1))
            self.emit(node, "EQ")
        self.code.land(broken)
        self.code.free_slots(first)

    def begin(self, node: Typed, fold: Fold) -> None:
        """What is there before the first turn."""
        if fold.kind in ("all", "exists"):
            self.emit(node, "CONSTANT", self.code.constant("bool", fold.kind == "all"))
        elif fold.kind == "one":
            self.emit(node, "CONSTANT", self.code.constant("int", 0))
        else:
            self.emit(node, "MAP" if fold.kind in ("entry", "merge") else "LIST", 0)

    def body(self, node: Typed, fold: Fold, variable: int) -> list[int]:
        """One turn; the jumps that leave the loop. `skip` leads to the LOOP that follows."""
        if fold.kind in ("all", "exists"):
            self.write(node.parts[1])
            name = "AND" if fold.kind == "all" else "OR"
            self.emit(node, name)
            return [self.emit(node, f"{name}_JUMP")]
        out: list[int] = []
        guarded = fold.kind in ("one", "filter") or fold.conditional
        if guarded:
            self.write(node.parts[1])
            skip = self.emit(node, "GUARD")
        if fold.kind == "one":
            self.emit(node, "CONSTANT", self.code.constant("int", 1))
            self.emit(node, "ADD")
        elif fold.kind in ("filter", "entry"):
            self.emit(node, "LOAD", variable)
        if fold.kind in ("map", "entry", "merge"):
            self.write(node.parts[-1])
        if fold.kind in ("filter", "map"):
            self.emit(node, "APPEND")
        elif fold.kind != "one":
            self.emit(node, "INSERT" if fold.kind == "entry" else "MERGE")
        if guarded:
            self.code.land(skip)
        if fold.kind != "one":
            out.append(self.emit(node, "ERROR_EXIT"))
        return out
