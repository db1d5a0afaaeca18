"""Single operations of the CEL machine, called from Python with typed constants."""

from fastgw.policy.assemble import ARITY, FUNCTIONS, OPS, Assembly
from fastgw.policy.program import EvaluationError, Program


def whole(typed):
    """A typed JSON result as (type, value); lists and maps hold the same."""
    kind = typed["type"]
    if kind == "list":
        return [whole(one) for one in typed["value"]]
    if kind in ("timestamp", "duration"):
        return kind, typed["seconds"], typed["nanos"]
    if kind == "optional":
        return kind, None if typed["value"] is None else whole(typed["value"])
    return kind, typed.get("value", typed.get("value_base64"))


def run(assembly, **how):
    """What the program gives: as ``whole``, or ("error", code)."""
    try:
        return whole(Program(assembly.block()).run([], **how))
    except EvaluationError as error:
        return "error", error.code


def push(assembly, kind, value):
    if kind == "list":
        assembly.emit("LIST", at=len(value))
        for one in value:
            push(assembly, *one)
            assembly.emit("APPEND")
    else:
        assembly.emit("CONSTANT", at=assembly.constant(kind, value))


def call(name, *operands, **how):
    """A function of FGW_CEL_FUNCTIONS, or an operator of enum fgw_cel_op, over (kind, value)."""
    assembly = Assembly(0)
    for operand in operands:
        push(assembly, *operand)
    if name in FUNCTIONS and not (name in OPS and name not in ARITY):
        assembly.emit("CALL", at=FUNCTIONS[name], arg=len(operands))
    else:
        assembly.emit(name)
    return run(assembly, **how)


def s(text):
    return "string", text


def i(number):
    return "int", number


def d(number):
    return "double", number
