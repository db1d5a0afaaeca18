"""The typed tree to instructions of csrc/fgw_rule.h."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from fastgw.config.model import Expression
from fastgw.errors import ConfigError
from fastgw.policy.checker import Typed, check
from fastgw.policy.lexer import ExpressionError
from fastgw.policy.parser import parse
from fastgw.policy.program import Program
from fastgw.policy.scope import Scope

# In the order of enum fgw_rule_op (a test compares).
OPS = ("fact", "fact_or", "has", "constant", "fact_eq", "fact_ne", "==", "!=", "<", "<=", ">",
       ">=", "+", "-", "*", "/", "%", "startsWith", "endsWith", "contains", "&&", "||", "not",
       "negate", "size", "in", "jump", "and_jump", "or_jump", "error_jump", "false_jump")
_NUMBER = {name: number for number, name in enumerate(OPS)}
CODE_MAX = 4096
_INSTRUCTION = struct.Struct("=BxHHH")


@dataclass
class _Code:
    steps: list[list[int]] = field(default_factory=list)
    constants: list[object] = field(default_factory=list)

    def emit(self, op: str, at: int = 0, to: int = 0, count: int = 0) -> list[int]:
        step = [_NUMBER[op], at, to, count]
        self.steps.append(step)
        return step

    def constant(self, *values: object) -> int:
        """The position of the first of ``values``, which stand in a row."""
        start = len(self.constants)
        if len(values) == 1:
            for i, known in enumerate(self.constants):
                if type(known) is type(values[0]) and repr(known) == repr(values[0]):
                    return i
        self.constants += values
        return start

    def here(self, jump: list[int]) -> None:
        """``jump`` leads to what is emitted next."""
        jump[2] = len(self.steps)

    def write(self, node: Typed) -> None:
        op, parts = node.op, node.parts
        if op == "constant":
            self.emit("constant", self.constant(node.value))
        elif op in ("fact", "has"):
            self.emit(op, node.value)  # type: ignore[arg-type]
        elif op == "fact_or":
            self.emit(op, node.value[0], self.constant(node.value[1]))  # type: ignore[index]
        elif op in ("==", "!=") and self.write_equality(op, parts):
            pass
        elif op in ("&&", "||"):
            self.write(parts[0])
            jump = self.emit("and_jump" if op == "&&" else "or_jump")
            self.write(parts[1])
            self.emit(op)
            self.here(jump)
        elif op == "ternary":
            self.write_ternary(parts)
        elif op == "in":
            self.write(parts[0])
            values = list(node.value)  # type: ignore[call-overload]
            self.emit("in", self.constant(*values) if values else 0, 0, len(values))
        else:
            for part in parts:
                self.write(part)
            self.emit(op)

    def write_equality(self, op: str, parts: list[Typed]) -> bool:
        """fact == constant in one instruction: nearly all that rules ask."""
        fact, constant = sorted(parts, key=lambda part: part.op != "fact")
        if fact.op != "fact" or constant.op != "constant":
            return False
        self.emit("fact_eq" if op == "==" else "fact_ne", fact.value,  # type: ignore[arg-type]
                  self.constant(constant.value))
        return True

    def write_ternary(self, parts: list[Typed]) -> None:
        self.write(parts[0])
        broken = self.emit("error_jump")
        other = self.emit("false_jump")
        self.write(parts[1])
        end = self.emit("jump")
        self.here(other)
        self.write(parts[2])
        self.here(end)
        self.here(broken)


def compile_text(text: str, scope: Scope) -> tuple[Program, Typed]:
    """Raises ExpressionError."""
    tree = check(parse(text), scope)
    code = _Code()
    code.write(tree)
    if len(code.steps) > CODE_MAX or len(code.constants) > 65535:
        raise ExpressionError("too long", 0, "write several rules")
    packed = b"".join(_INSTRUCTION.pack(*step) for step in code.steps)
    try:
        return Program(packed, tuple(code.constants), scope.n_facts, tree.type), tree
    except ValueError:
        raise ExpressionError("nested too deeply", 0, "write several expressions") from None


def compile_expression(expression: Expression, scope: Scope,
                       wanted: tuple[str, ...] = ("bool",)) -> tuple[Program, Typed]:
    """Compiles an expression of a configuration, of one of the types ``wanted``.

    Raises ConfigError, which points into the file and shows the expression with a caret.
    """
    text = expression.text
    try:
        program, tree = compile_text(text, scope)
        if tree.type not in wanted:
            hint = "compare it with something" if wanted == ("bool",) else ""
            message = f"a {tree.type} where a {' or '.join(wanted)} is wanted"
            raise ExpressionError(message, 0, hint, len(text))
    except ExpressionError as error:
        raise located(expression, error) from None
    return program, tree


def located(expression: Expression, error: ExpressionError) -> ConfigError:
    """``error`` as people read it: the line, and a caret under the place."""
    text, place = expression.text, expression.place
    start = text.rfind("\n", 0, error.offset) + 1
    line = text[start:].split("\n", 1)[0]
    column = error.offset - start
    shown, column = _window(line, column)
    width = max(min(error.end - error.offset, len(shown) - column), 1)
    message = f"{error.message}\n    {shown}\n    {' ' * column}{'^' * width}"
    return ConfigError(message, file=place.file, line=place.line, column=place.column,
                       key=place.key, suggestion=error.suggestion)


def _window(line: str, column: int) -> tuple[str, int]:
    """At most 100 characters of ``line`` around ``column``."""
    start = max(0, column - 60)
    return line[start : start + 100], column - start
