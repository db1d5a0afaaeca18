"""The words are those of the C headers, in their order.

Method: the enums are read out of csrc/fgw_record.h and fgw_policy.h and of the Phase enum.
"""

import re
from pathlib import Path

import pytest

from fastgw.dialect.names import DIALECTS, OPERATIONS
from fastgw.ledger import vocabulary

ROOT = Path(__file__).resolve().parents[2]


def enum(text: str, name: str) -> dict[int, str]:
    text = re.sub(r"/\*.*?\*/|#.*?$", "", text, flags=re.DOTALL | re.MULTILINE)
    body = re.search(rf"enum {name}(?: *\{{|:)(.*?)(?:\}}|\n\n)", text, re.DOTALL).group(1)
    found, following = {}, 0
    for word, value in re.findall(r"([A-Z][A-Z_0-9]*)(?: *= *(\d+))?", body):
        following = int(value) if value else following
        found[following] = word
        following += 1
    return found


@pytest.mark.parametrize(
    "source, name, prefix, words",
    [
        ("csrc/fgw_record.h", "fgw_fate", "FGW_FATE_", vocabulary.FATES),
        ("csrc/fgw_record.h", "fgw_provenance", "FGW_PROVENANCE_", vocabulary.PROVENANCES),
        ("csrc/fgw_record.h", "fgw_limit_verdict", "FGW_LIMIT_", vocabulary.LIMIT_VERDICTS),
        ("csrc/fgw_policy.h", "fgw_action_type", "FGW_ACTION_", vocabulary.ACTIONS),
        ("csrc/fgw_record.h", "fgw_unit", "FGW_UNIT_", vocabulary.UNITS),
        ("fastgw/exchange.pxd", "Phase", "", vocabulary.PHASES),
        ("csrc/fgw_dialect*.h", "fgw_dialect", "FGW_DIALECT_", DIALECTS),
        ("csrc/fgw_dialect*.h", "fgw_operation", "FGW_OPERATION_", OPERATIONS),
    ],
)
def test_words_are_those_of_the_header(source, name, prefix, words):
    found = enum("\n".join(path.read_text() for path in sorted(ROOT.glob(source))), name)
    found = {at: word.removeprefix(prefix) for at, word in found.items()
             if word not in ("FGW_UNITS", "FGW_DIALECTS", "FGW_OPERATIONS")}

    assert len(found) >= len(words) - 1
    for number, word in found.items():
        shown = vocabulary.word(words, number)
        assert (
            shown in ("", "none")
            or shown == word.lower().replace("_", " ")
            or (shown == word.lower().replace("_", "-") or shown == word.lower())
        )


def test_a_number_of_a_newer_writer_is_shown():
    assert vocabulary.word(vocabulary.FATES, 99) == "#99"


def test_amounts_are_for_people():
    assert vocabulary.amount(1_250_000, "cost") == "1.25 dollars"
    assert vocabulary.amount(12, "input_tokens") == "12 input tokens"
