"""Records in Python have the very layout of csrc/fgw_record.h.

Method: gcc prints sizes and offsets of the header itself; each kind goes out and in again.
"""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from fastgw.ledger import records
from fastgw.ledger.records import (
    PHASES_SIZE,
    Close,
    Grant,
    Held,
    LimitTrace,
    Name,
    Open,
    Refused,
    Request,
    RequestId,
    RuleTrace,
    Tokens,
    head,
    split,
    unpack_record,
)
from tests.ledger.fabricate import T0, dims

ROOT = Path(__file__).resolve().parents[2]
ID = RequestId(7, 3, 0x123456789A)
ALL = [
    Request(
        ID,
        T0,
        dims(user=5, labels=(1, 2, 3, 4), stream=1),
        1,
        2,
        bytes(range(16)),
        3,
        4,
        5,
        6,
        7,
        8,
        9,
        1,
        10,
        [RuleTrace(11, 1, 0, 12, -13)],
        [LimitTrace((14, 15), 16, *range(17, 23), 2, 1, 0, 3, 1, 500)],
        30,
        1,
        1,
        tuple(range(13)),
        3,
        77,
    ),
    Open(ID, T0, 2, dims(), 3, 4, 5, [(6, 7, 8), (9, 10, 11)]),
    Close(
        ID,
        T0,
        2,
        3,
        dims(),
        Tokens(*range(1, 9)),
        9,
        10,
        11,
        12,
        13,
        14,
        15,
        16,
        3,
        2,
        1,
        0,
        17,
        18,
        19,
        20,
        tuple(range(16)),
    ),
    Name(6, 2**64 - 1, 2, "größer", ID, T0),
    Refused(ID, T0, 1, 2, 3, 4, 5),
    Grant(T0, (1, 2**64 - 1), 3, 4, records.GRANT_ALL, 6, 5, 4, 3),
    Held(ID, T0, 2, 5, [(6, 7, 8), (9, 10, 11)], True),
]


@pytest.mark.parametrize("record", ALL, ids=lambda record: type(record).__name__)
def test_a_record_comes_back_as_it_was(record):
    raw = record.pack()

    assert unpack_record(raw) == record
    assert head(raw).size == len(raw) and len(raw) % 8 == 0


FIELDS = {
    "fgw_record_request": "policy_version client_ip status rule verdict n_limits sampled phase_us"
    " answers input_high",
    "fgw_record_open": "provider_key attempt held",
    "fgw_record_close": "tokens input_low cost_nano_usd fate attempt final events bytes_in units",
    "fgw_dims": "tier",
    "fgw_record_name": "hash space length text",
    "fgw_record_refused": "rule code count",
    "fgw_record_held": "output_high attempt held",
    "fgw_record_grant": "identity admin amount after unit algorithm",
    "fgw_limit_trace": "identity rule used unit enforced algorithm flags place",
    "fgw_rule_trace": "action code value",
}


def header_layout(folder: Path) -> dict[str, int]:
    """Sizes of structs and offsets of fields, as the compiler has them."""
    lines = [
        f'printf("{struct}.{field} %zu\\n", offsetof(struct {struct}, {field}));'
        for struct, names in FIELDS.items()
        for field in names.split()
    ] + [f'printf("{struct} %zu\\n", sizeof(struct {struct}));' for struct in FIELDS]
    source, program = folder / "layout.c", folder / "layout"
    source.write_text(
        '#include <stddef.h>\n#include <stdio.h>\n#include "fgw_record.h"\n'
        "int main(void)\n{\n" + "\n".join(lines) + "\nreturn 0;\n}\n"
    )
    subprocess.run(["gcc", "-std=c11", "-I", ROOT / "csrc", "-o", program, source], check=True)
    printed = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    return {name: int(value) for name, value in map(str.split, printed.splitlines())}


def test_the_layout_is_that_of_the_header(tmp_path):
    layout = header_layout(tmp_path)
    body = records.BODY
    request, limit = body + records.REQUEST_BODY.size, records.LIMIT.size
    assert layout["fgw_record_request"] == request == 256
    assert layout["fgw_limit_trace"] == limit and layout["fgw_rule_trace"] == records.RULE.size
    assert layout["fgw_record_open.held"] == body + records.OPEN_BODY.size
    units = body + records.TOKENS.size + records.CLOSE_BODY.size
    assert layout["fgw_record_close.units"] == units
    assert layout["fgw_record_close"] == units + records.UNITS.size
    assert layout["fgw_dims"] == records.DIMS.size == 80
    assert replace(dims(), tier=5).pack()[layout["fgw_dims.tier"]] == 5
    assert layout["fgw_record_name.text"] == records.HEAD.size + records.NAME_BODY.size
    assert layout["fgw_record_refused"] == records.HEAD.size + records.REFUSED_BODY.size
    assert layout["fgw_record_grant"] == records.HEAD.size + records.GRANT_BODY.size
    assert layout["fgw_record_held.held"] == records.HEAD.size + records.HELD_BODY.size
    assert ALL[6].pack()[layout["fgw_record_held.attempt"]] == 2
    raw = ALL[0].pack()
    assert raw[-limit + layout["fgw_limit_trace.algorithm"]] == 3
    assert raw[-limit + layout["fgw_limit_trace.flags"]] == 1
    at = len(raw) - limit + layout["fgw_limit_trace.place"]
    assert int.from_bytes(raw[at : at + 2], "little") == 500
    assert raw[layout["fgw_record_request.answers"]] == 3
    assert raw[layout["fgw_record_request.input_high"]] == 77
    assert raw[layout["fgw_record_request.sampled"]] == 1
    assert raw[layout["fgw_record_request.status"]] == 6
    raw = ALL[2].pack()
    assert (
        raw[layout["fgw_record_close.fate"]] == 3 and raw[layout["fgw_record_close.attempt"]] == 2
    )
    assert raw[layout["fgw_record_close.events"]] == 17
    assert raw[layout["fgw_record_close.cost_nano_usd"]] == 13
    assert int.from_bytes(raw[6:8], "little") == records.CLOSE_ASKED
    raw = ALL[5].pack()
    assert raw[layout["fgw_record_grant.algorithm"]] == 3
    assert raw[layout["fgw_record_grant.after"]] == 5


def test_a_request_id_reads_back_and_anything_else_is_refused():
    assert str(ID) == "00000007-03-123456789a"
    assert RequestId.parse(str(ID)) == ID
    for wrong in ("", "1-2", "x-y-z", "00000007-03-123456789a-1", "100000000-00-0000000001", "--"):
        with pytest.raises(ValueError):
            RequestId.parse(wrong)


def test_an_unknown_price_and_a_missing_bound_survive():
    close = Close(ID, T0, cost_nano_usd=None, output_high=records.UNBOUNDED)

    again = unpack_record(close.pack())
    assert again.cost_nano_usd is None and again.output_high == records.UNBOUNDED


def test_spans_are_split_into_their_records():
    raws = [record.pack() for record in ALL]

    assert list(split(b"".join(raws))) == raws
    with pytest.raises(ValueError):
        list(split(b"\0" * 40))
    with pytest.raises(ValueError):
        unpack_record(b"\x28\0\0\0\x63" + bytes(35))


def test_a_close_of_a_build_without_overruns_is_read_as_one_that_had_none():
    new = Close(RequestId(1, 2, 3), 5, bytes_out=7, started_ns=9, phase_us=tuple(range(16)))
    packed = new.pack()
    without_units = packed[: -records.UNITS.size]
    old = without_units[: -PHASES_SIZE - 8] + without_units[-PHASES_SIZE:]

    assert Close.unpack(old) == Close.unpack(without_units) == Close.unpack(packed) == new


def test_pictures_units_and_tier_come_back():
    close = Close(ID, T0, dims=replace(dims(), tier=3), tokens=Tokens(1, image_input=2,
                  image_output=3), units=records.Units(4, 5, 6, 7))

    assert unpack_record(close.pack()) == close
    older = Close.unpack(close.pack()[: -records.UNITS.size])
    assert older.units == records.Units() and older.tokens == Tokens(1)
