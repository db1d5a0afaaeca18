"""An expression of a configuration to a program of the machine, or to an error that points."""

from __future__ import annotations

from dataclasses import dataclass

from fastgw.config.model import Expression
from fastgw.errors import ConfigError
from fastgw.policy.assemble import Assembly, TooLarge
from fastgw.policy.checker import check
from fastgw.policy.cost import STEPS_MAX, most_steps
from fastgw.policy.emit import Emitter
from fastgw.policy.folding import fold
from fastgw.policy.lexer import ExpressionError, PartError
from fastgw.policy.parser import parse
from fastgw.policy.program import Program
from fastgw.policy.scope import Scope
from fastgw.policy.template import check_template
from fastgw.policy.typed import Typed, a


@dataclass(frozen=True, slots=True)
class Compiled:
    """``spans``: for each instruction (from, to) in the text, for tools that show what it did."""

    program: Program
    tree: Typed
    spans: tuple[tuple[int, int], ...]


def compile_tree(tree: Typed, n_facts: int) -> Compiled:
    """Raises ExpressionError."""
    code = Assembly(n_facts)
    emitter = Emitter(code)
    try:
        emitter.write(tree)
        kind = "" if tree.type.name == "dyn" else tree.type.name
        program = Program(code.block(kind))
    except TooLarge as error:
        raise ExpressionError(f"too long: {error}", 0, "write several rules") from None
    except ValueError:
        raise ExpressionError("nested too deeply", 0, "write several expressions") from None
    spans = tuple((node.tree.whole, node.tree.end) for node in emitter.spans)
    return Compiled(program, tree, spans)


def compile_whole(text: str, scope: Scope, *, strict: bool = True,
                  template: bool = False) -> Compiled:
    """``text`` is an expression, or a ``template`` with `${…}`. Raises ExpressionError."""
    if template:
        tree = check_template(text, scope, strict)
    else:
        tree = check(parse(text), scope, strict)
    try:
        tree = fold(tree, strict)
        steps = most_steps(tree)
        if strict and steps > STEPS_MAX:
            raise ExpressionError(f"it could take {steps:,} steps, more than {STEPS_MAX:,}", 0,
                                  "leave out a loop in a loop", len(text))
        return compile_tree(tree, scope.n_facts)
    except PartError as error:
        error.point(text)
        raise


def compile_text(text: str, scope: Scope) -> tuple[Program, Typed]:
    """Raises ExpressionError."""
    compiled = compile_whole(text, scope)
    return compiled.program, compiled.tree


def compile_expression(expression: Expression, scope: Scope,
                       wanted: tuple[str, ...] = ("bool",)) -> tuple[Program, Typed]:
    """Compiles an expression of a configuration, of one of the types ``wanted``; `dyn` passes,
    and is looked at when it runs.

    Raises ConfigError, which points into the file and shows the expression with a caret.
    """
    text = expression.text
    try:
        program, tree = compile_text(text, scope)
        if tree.type.name not in (*wanted, "dyn"):
            hint = "compare it with something" if wanted == ("bool",) else (
                "make a text of it: string(…), or name one of its values")
            message = f"{a(tree.type)} where a {' or '.join(wanted)} is wanted"
            raise ExpressionError(message, 0, hint, len(text))
    except ExpressionError as error:
        raise located(expression, error) from None
    return program, tree


def refuse_dyn(expression: Expression, tree: Typed) -> None:
    """Of a bucket_key: what is no string, int or bool when it runs would share the bucket of all
    that have none. Raises ConfigError."""
    if tree.type.name == "dyn":
        raise located(expression, ExpressionError(
            "a bucket_key whose type is known only when it is evaluated", 0,
            f"string({expression.text}) is a text", len(expression.text)))


def compile_template(expression: Expression, scope: Scope) -> tuple[Program, Typed]:
    """A text with `${…}` as one program that makes a string. Raises ConfigError."""
    try:
        compiled = compile_whole(expression.text, scope, template=True)
    except ExpressionError as error:
        raise located(expression, error) from None
    return compiled.program, compiled.tree


def located(expression: Expression, error: ExpressionError) -> ConfigError:
    """``error`` as people read it: the line, and a caret under the place."""
    place = expression.place
    return ConfigError(f"{error.message}\n{pointed(expression.text, error)}", file=place.file,
                       line=place.line, column=place.column, key=place.key,
                       suggestion=error.suggestion)


def pointed(text: str, error: ExpressionError) -> str:
    """The line of ``text`` that is wrong, with a caret under the place."""
    start = text.rfind("\n", 0, error.offset) + 1
    line = text[start:].split("\n", 1)[0]
    column = error.offset - start
    shown, column = _window(line, column)
    width = max(min(error.end - error.offset, len(shown) - column), 1)
    return f"    {shown}\n    {' ' * column}{'^' * width}"


def _window(line: str, column: int) -> tuple[str, int]:
    """At most 100 characters of ``line`` around ``column``."""
    start = max(0, column - 60)
    return line[start : start + 100], column - start
