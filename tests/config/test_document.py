"""YAML to nodes with places; hostile or careless documents are errors, never surprises.

Method: small texts whose nodes are compared by value and place, and bombs that must be refused
quickly.
"""

import time

import pytest

from fastgw.config.document import Scalar, Sequence, Table, read_document
from fastgw.errors import ConfigError


def read(text, **env):
    return read_document(text, "f.yaml", env)


def plain(node):
    if isinstance(node, Table):
        return {name: plain(value) for name, (_, value) in node.entries.items()}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return node.value


@pytest.mark.parametrize(
    "text, value",
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("~", None),
        ("", None),
        ("012", 12),
        ("0x1f", 31),
        ("0o17", 15),
        ("1e3", 1000.0),
        ("-1.5", -1.5),
        ("1_000", "1_000"),
        ("60/1m", "60/1m"),
        ("2027-01-01", "2027-01-01"),
        ("1:30", "1:30"),
        ("'5'", "5"),
        ("9" * 41, "9" * 41),
    ],
)
def test_plain_scalars_follow_the_core_schema_of_yaml_1_2(text, value):
    node = read("a: " + text)

    assert plain(node) == {"a": value}
    assert type(plain(node)["a"]) is type(value)


def test_every_node_knows_its_place():
    node = read("a:\n  - b\n  - {c: 'd'}\n")
    inner = node.entries["a"][1].items

    assert [(item.line, item.column) for item in inner] == [(2, 5), (3, 5)]
    assert (inner[1].entries["c"][1].line, inner[1].entries["c"][1].column) == (3, 9)


def test_json_is_yaml_too():
    assert plain(read('{"a": [1, 2.5, "x\\u00e9", null, true]}')) == {
        "a": [1, 2.5, "xé", None, True]
    }


def test_merge_keys_give_way_to_own_keys_and_earlier_maps_win():
    text = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz: {<<: [*x, *y], c: 3}\n"

    assert plain(read(text))["z"] == {"a": 1, "b": 1, "c": 3}


def test_environment_never_becomes_structure():
    node = read('a: "${env:A}"\nb: x${env:B}y\n', A="[1, 2]", B=": {c: d}")

    assert plain(node) == {"a": "[1, 2]", "b": "x: {c: d}y"}
    assert node.entries["a"][1].secret


def test_a_plain_scalar_of_a_variable_is_typed_as_it_reads():
    assert plain(read("a: ${env:PORT}", PORT="8080")) == {"a": 8080}
    assert plain(read("a: '${env:PORT}'", PORT="8080")) == {"a": "8080"}


def test_substitution_is_done_once():
    assert plain(read("a: ${env:A}", A="${env:B}", B="no")) == {"a": "${env:B}"}


def bomb(levels):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text, words",
    [
        (bomb(9), "values once every alias is written out"),
        ("[" * 60 + "]" * 60, "nested deeper than 50"),
        ("[" * 100_000, "nested deeper than 50"),
        ("a: &a [*a]", "no anchor"),
        ("? [a, b]\n: c", "a key must be text"),
        ("<<: 5", "'<<' takes a mapping"),
        ("a: \x00", "does not allow"),
        (b"a: \xff", "not UTF-8"),
        (b"a: " + b"x" * (9 << 20), "larger than 8 MiB"),
    ],
    ids=range(9),
)
def test_hostile_documents_are_refused_quickly(text, words):
    started = time.process_time()

    with pytest.raises(ConfigError, match=words):
        read(text)

    assert time.process_time() - started < 2


def test_aliases_within_the_bound_are_fine():
    assert plain(read(bomb(3)))["a2"][9][9] == ["x"] * 10


def test_nothing_is_an_empty_mapping():
    node = read("# only a comment\n")

    assert isinstance(node, Table) and not node.entries


def test_byte_order_mark_is_skipped():
    assert plain(read("\ufeffa: 1".encode())) == {"a": 1}


def test_a_scalar_shows_what_was_written_not_what_it_became():
    node = read("a: ${env:A}", A="secret").entries["a"][1]

    assert isinstance(node, Scalar) and node.written == "${env:A}" and node.value == "secret"
