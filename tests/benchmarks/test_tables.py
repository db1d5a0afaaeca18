"""The tables of policy and detect have a figure in every row, whatever else is installed.

Method: few rules; figures are only held to be there, never judged.
"""

import re

from benchmarks import tables
from benchmarks.tables import CEL, cel_table, detect_table, index_table


def test_every_expression_has_a_figure():
    rows = cel_table().splitlines()[3:]
    assert [row[:58].rstrip() for row in rows] == list(CEL)
    assert all(int(row[58:66]) > 0 for row in rows)


def test_rules_are_decided_with_the_index_and_one_by_one():
    rows = index_table((20, 40)).splitlines()[3:]
    assert [row.split()[0] for row in rows] == ["20", "40"]
    assert all(float(figure) > 0 for row in rows for figure in row.split()[1:])


def test_detect_is_shown_beside_others():
    rows = detect_table().splitlines()[3:]
    assert rows[0].startswith("fastgw") and len(rows) >= 2
    assert all(re.search(r" \d+ ", row) for row in rows)


def test_tokens_are_shown_beside_tiktoken(monkeypatch):
    monkeypatch.setattr(tables, "writings", lambda: {"prose": "Nobody waits. " * 50})
    (row,) = tables.token_table().splitlines()[3:]
    assert row.startswith("prose")
    assert len(re.findall(r" \d+\.\d +\d+\.\dx", row)) == 2
