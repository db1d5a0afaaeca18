"""The price table: what ships is whole and says what vendors say; an operator's file goes before
it, and a wrong one is told where.

Method: the shipped file as it is; small files written by hand.
"""

from importlib import resources

import pytest
import yaml

from fastgw.errors import ConfigError
from fastgw.usage.prices import (
    CLASSES,
    TIERS,
    UNITS,
    Price,
    Row,
    kind_of,
    load_prices,
    nano_usd,
    read_prices,
)

SHIPPED = load_prices()
OPENAI = ("openai", "api.openai.com", "openai")
ANTHROPIC = ("anthropic", "api.anthropic.com", "anthropic")


def price(model, where=OPENAI, table=SHIPPED):
    """By the plain reading of the file: the first pattern that fits."""
    from fastgw.policy.program import glob_match

    return next((price for pattern, price in table.rows(*where) if glob_match(pattern, model)),
                None)


def dollars(found, row=0, tier=0):
    """Per million tokens by class, of those with a price."""
    rows = [one for one in found.rows if one.tier == tier]
    return {name: nano / 1e9 for name, nano in zip(CLASSES, rows[row].nano_usd, strict=False)
            if nano is not None}


def test_what_vendors_list_is_what_ships():
    assert dollars(price("gpt-4o"))["input"] == 2.5
    assert dollars(price("gpt-4o-mini-2024-07-18"))["cached_input"] == 0.075
    assert dollars(price("gpt-5"))["reasoning"] == dollars(price("gpt-5"))["output"] == 10
    sonnet = price("claude-sonnet-4-5-20250929", ANTHROPIC)
    assert [dollars(sonnet, row)["cache_write_1h"] for row in (0, 1)] == [6, 12]
    assert sonnet.rows[1].above == 200_000 and sonnet.output_max == 64_000


@pytest.mark.parametrize("model, input", [
    ("gpt-4o-2024-05-13", 5), ("gpt-4o-2024-11-20", 2.5), ("gpt-4", 30), ("gpt-4-turbo", 10),
    ("gpt-4.1", 2), ("gpt-4.1-nano", 0.1), ("o1", 15), ("o1-mini", 1.1), ("gpt-5-pro", 15)])
def test_the_special_name_holds_before_the_general_one(model, input):
    assert dollars(price(model))["input"] == input


@pytest.mark.parametrize("model, where", [
    ("gpt-4oo", OPENAI), ("my-own", OPENAI), ("", OPENAI), ("claude-sonnet-4-5", OPENAI),
    ("gpt-4o", ANTHROPIC), ("llama-3.3-70b-versatile", OPENAI), ("dall-e-3", OPENAI)])
def test_what_stands_nowhere_has_no_price(model, where):
    assert price(model, where) is None


def test_a_name_that_several_vendors_serve_is_told_apart_by_the_host():
    groq = price("openai/gpt-oss-120b", ("openai", "api.groq.com", "fast"))

    assert dollars(groq)["output"] == 0.6
    assert price("mistral-small-2506", ("openai", "api.mistral.ai", "m")).old_limit_name
    assert not price("gpt-4o").old_limit_name


def test_all_that_ships_is_sane():
    assert len(SHIPPED.entries) > 80
    for entry in SHIPPED.entries:
        assert entry.price.version == SHIPPED.entries[0].price.version > 20250000
        for row in entry.price.rows:
            found = dict(zip(CLASSES, row.nano_usd, strict=False))
            if found["input"] is None:
                assert any(row.nano_usd[len(CLASSES):])
                continue
            assert found["cached_input"] <= found["input"] <= found["cache_write"]
            assert found["cache_write"] <= found["cache_write_1h"]
            assert found["output"] >= found["input"] or found["output"] == 0
        assert entry.price.output_max <= (entry.price.window or 2**40)


def test_absent_classes_are_paid_as_their_nearest():
    (entry,) = read_prices(b"prices: [{models: [m], input: 2, output: 8}]", "f")
    (other,) = read_prices(b"prices: [{models: [m], input: 2, cache_write: 3, output: 8}]", "f")

    two, eight = 2 * 10**9, 8 * 10**9
    assert entry.price.rows[0].nano_usd == (
        two, two, two, two, eight, eight, None, None, two, eight, None, None, None, None)
    assert other.price.rows[0].nano_usd[2:4] == (3 * 10**9, 3 * 10**9)


def test_a_tier_costs_a_multiple_or_what_it_says_itself():
    (entry,) = read_prices(b"""prices:
- models: [m]
  input: 1.25
  output: 10
  above: {tokens: 5, input: 2.5, output: 20}
  searches: 10
  tiers: {flex: 0.5, priority: {input: 3, output: 25, searches: 12}}
""", "f")
    rows = [(TIERS[row.tier], row.above, row.nano_usd[0], row.nano_usd[4], row.nano_usd[13])
            for row in entry.price.rows]

    assert rows == [
        ("standard", 0, 1_250_000_000, 10**10, 10**13),
        ("standard", 5, 2_500_000_000, 2 * 10**10, 10**13),
        ("flex", 0, 625_000_000, 5 * 10**9, 10**13),
        ("flex", 5, 1_250_000_000, 10**10, 10**13),
        ("priority", 0, 3 * 10**9, 25 * 10**9, 12 * 10**12)]


def test_what_is_no_token_needs_no_price_of_tokens():
    (entry,) = read_prices(b"""prices:
- models: [m]
  images: {standard/1024x1024: 0.04, hd/1024x1792: 0.12}
  audio_hour: 0.36
  characters: 15
  searches: 2
  searches_paid: answer
""", "f")
    (row,) = entry.price.rows

    assert dict(zip((*CLASSES, *UNITS), row.nano_usd, strict=True)) == {
        **dict.fromkeys(CLASSES), "images": 12 * 10**13, "audio_hour": 360_000_000,
        "characters": 15 * 10**9, "searches": 2 * 10**12}
    assert dict(entry.price.pictures) == {
        kind_of("standard/1024x1024"): 4 * 10**13, kind_of("hd/1024x1792"): 12 * 10**13}
    assert entry.price.searched_once


def test_a_row_without_a_price_tells_the_rest_and_is_unknown():
    (entry,) = read_prices(b"prices: [{models: ['*'], limit_name: max_tokens, context: 9}]", "f")

    assert entry.price.rows == () and entry.price.old_limit_name and entry.price.window == 9
    moved = price("mistral-large-latest", ("openai", "api.mistral.ai", "m"))
    assert moved.rows == () and moved.old_limit_name


def test_every_shipped_row_says_whose_word_it_is():
    table = resources.files("fastgw.usage").joinpath("prices.yaml").read_bytes()
    tree = yaml.safe_load(table)

    assert all(row["source"] in tree["sources"] for row in tree["prices"])
    assert all(source["seen"] <= "2026-11-22" for source in tree["sources"].values())


@pytest.mark.parametrize(("model", "tier", "input"), [
    ("gpt-5", "flex", 0.625), ("gpt-5", "priority", 2.5), ("gpt-4o", "priority", 4.25),
    ("gpt-4o", "batch", 1.25)])
def test_tiers_that_ship(model, tier, input):
    assert dollars(price(model), tier=TIERS.index(tier))["input"] == input


@pytest.mark.parametrize(("model", "tier", "told"), [
    ("gemini-2.5-flash", "flex", (0.15, 0.03, 1.25, 0.5)),
    ("gemini-2.5-flash", "priority", (0.54, 0.054, 4.5, 1.8)),
    ("gemini-2.5-pro", "priority", (2.25, 0.225, 18, None)),
    ("gemini-3.8-flash", "flex", (0.375, 0.0375, 1.875, None)),
    ("gemini-3.5-flash", "flex", (0.75, 0.08, 4.5, None)),
    ("gemini-3-pro-preview", "flex", (None,) * 4), ("gemini-3-pro-image", "flex", (None,) * 4)])
def test_googles_tiers_cost_what_two_sources_say_or_nothing_known(model, tier, told):
    found = price(model, ("gemini", "generativelanguage.googleapis.com", "google"))
    rows = [row for row in found.rows if row.tier == TIERS.index(tier)]
    costs = dollars(found, tier=TIERS.index(tier)) if rows else {}
    names = ("input", "cached_input", "output", "audio_input")
    assert tuple(costs.get(name) for name in names) == told
    if model == "gemini-2.5-pro":
        assert rows[1].above == 200_000 and dollars(found, 1, TIERS.index(tier))["output"] == 27


def test_the_operators_own_goes_first_and_has_a_version_of_its_own(tmp_path):
    file = tmp_path / "prices.yaml"
    file.write_text("version: 7\nprices:\n- {models: [gpt-4o], providers: [openai], input: 1.5,"
                    " output: 2}\n- {models: [house*], input: 0, output: 0, max_output: 4096}\n")
    table = load_prices(file)

    assert dollars(price("gpt-4o", table=table))["input"] == 1.5
    assert price("gpt-4o", table=table).version == 7
    other = price("gpt-4o", ("openai", "h", "other"), table)
    assert other.version == SHIPPED.entries[0].price.version
    assert price("house-1", ANTHROPIC, table).output_max == 4096
    file.write_text("prices: []")
    assert len(load_prices(file).entries) == len(SHIPPED.entries)


def test_a_file_without_a_version_is_known_by_its_content():
    one, = read_prices(b"prices: [{models: [m], input: 1, output: 1}]", "f")
    two, = read_prices(b"prices: [{models: [m], input: 1, output: 2}]", "f")

    assert one.price.version != two.price.version != 0


@pytest.mark.parametrize("written, nano", [
    (2.5, 2_500_000_000), (0.075, 75_000_000), (0.1, 100_000_000), (3, 3 * 10**9), (0, 0),
    (0.000000001, 1), (1e6, 10**15), (0.0000000001, None), (-1, None), (1e7, None),
    (float("nan"), None), (float("inf"), None), (True, None), ("2.5", None), (None, None)])
def test_dollars_are_read_exactly_or_not_at_all(written, nano):
    assert nano_usd(written) == nano


@pytest.mark.parametrize("text, line, key", [
    ("prices: [{models: [m], input: 1}]", 1, "prices[0].output"),
    ("prices:\n- {models: [m], input: 1, output: two}", 2, "prices[0].output"),
    ("prices:\n- {models: [m], input: -1, output: 2}", 2, "prices[0].input"),
    ("prices:\n- {models: [], input: 1, output: 2}", 2, "prices[0].models"),
    ("prices:\n- {models: [m], inputt: 1, output: 2, input: 1}", 2, "prices[0].inputt"),
    ("prices:\n- {models: [m], input: 1, output: 2,\n   above: [{tokens: 5, input: 1, output: 1},"
     " {tokens: 5, input: 1, output: 1}]}", 3, "prices[0].above[1].tokens"),
    ("prices:\n- {models: [m], input: 1, output: 1, tiers: {flexx: 1}}", 2,
     "prices[0].tiers.flexx"),
    ("prices:\n- {models: [m], input: 1, output: 1, tiers: {flex: -1}}", 2,
     "prices[0].tiers.flex"),
    ("prices:\n- {models: [m], input: 0.000000001, output: 1, tiers: {flex: 0.5}}", 2,
     "prices[0].tiers.flex"),
    ("prices:\n- {models: [m], input: 1, output: 1, tiers: {flex: {input: 1, output: 1,\n   above:"
     " {tokens: 0, input: 1, output: 1}}}}", 3, "prices[0].tiers.flex.above.tokens"),
    ("prices:\n- {models: [m], input: 1, output: 1, images: {HD: 1}}", 2, "prices[0].images.HD"),
    ("price: []", 1, "price"), ("prices: [", 2, "prices[0]")])
def test_a_wrong_table_is_told_where(tmp_path, text, line, key):
    file = tmp_path / "p.yaml"
    file.write_text(text)

    with pytest.raises(ConfigError) as caught:
        load_prices(file)
    assert (caught.value.file, caught.value.line, caught.value.key) == (str(file), line, key)


def test_a_table_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="cannot read it"):
        load_prices(tmp_path / "none.yaml")


def test_a_price_is_the_same_after_packing():
    nano = (1, 2, 3, 4, 5, 6, None, *range(8, 15))
    one = Price(9, (Row(0, nano), Row(5, nano), Row(0, nano, 2)), 100, 200, True, True, ((7, 8),))

    assert Price.unpack(one.pack()) == one
    assert Price.unpack(Price(output_max=3).pack()) == Price(output_max=3)
