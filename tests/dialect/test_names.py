"""Names: there is one for every number that C gives, in the same order."""

import re
from pathlib import Path

import pytest

from fastgw.dialect import names

CSRC = Path(__file__).resolve().parents[2] / "csrc"


def members(header: str, enum: str, prefix: str) -> list[str]:
    text = (CSRC / header).read_text()
    body = re.search(rf"enum {enum} {{(.*?)}}", text, re.DOTALL)[1]
    body = re.sub(r"/\*.*?\*/", "", body, flags=re.DOTALL)
    return [name.lower() for name in re.findall(rf"{prefix}_(\w+)", body)]


@pytest.mark.parametrize(
    "listed, header, enum, prefix",
    [
        (names.OPERATIONS, "fgw_dialect_route.h", "fgw_operation", "FGW_OPERATION"),
        (("none", *names.DIALECTS[1:]), "fgw_dialect_route.h", "fgw_dialect", "FGW_DIALECT"),
        (names.EVENT_FLAGS, "fgw_dialect_meter.h", "fgw_event_flag", "FGW_EVENT"),
        (names.USAGE_FLAGS, "fgw_dialect_meter.h", "fgw_usage_flag", "FGW_USAGE"),
    ],
)
def test_every_number_has_its_name(listed, header, enum, prefix):
    assert list(listed) == members(header, enum, prefix)


def test_every_fault_of_a_body_has_its_words():
    faults = members("fgw_dialect_ask.h", "fgw_ask_error", "FGW_ASK")
    assert len(names.ASK_ERRORS) == len(faults)
    assert all(words for words, _ in names.ASK_ERRORS[1:])


def test_every_field_of_a_report_has_its_name():
    fields = members("fgw_dialect_meter.h", "fgw_report_field", "FGW_REPORT")
    renamed = {"cached": "cached_input"}
    assert [renamed.get(name, name) for name in fields[:-1]] == list(names.REPORT_FIELDS)


def test_flags_are_named_by_bit():
    assert names.flag_names(("a", "b", "c"), 0b101) == {"a", "c"}
    assert names.flag_names(("a",), 0) == frozenset()
