"""Prices of models that no candidate names: the first pattern that fits, however often asked.

Method: the list by itself, and whole requests through a worker; a CLOSE has cost and version.
"""

import pytest
from fastgw.upstream.pricing import PriceList

from fastgw.ledger.records import Close
from fastgw.usage.prices import Price, Row, load_prices
from tests.worker import chat, provider, request, response

SHIPPED = load_prices().entries[0].price.version


def packed(dollars):
    return Price(dollars, (Row(0, (dollars * 10**9,) * 14),)).pack()


def test_the_first_pattern_that_fits_holds():
    found = PriceList([("gpt-4o-2024*", packed(1)), ("gpt-*", packed(2)), ("gpt-4o", packed(3))])

    assert [found.of(model) for model in ("gpt-4o-2024-05", "gpt-4o", "gpt", "", "gpt-4o\n")] == [
        packed(1), packed(2), b"", b"", packed(2)]


def test_a_price_of_another_size_is_no_price():
    with pytest.raises(ValueError, match="1688 bytes"):
        PriceList([("m", b"short")])


def cost(one, model, path="/v1/chat/completions"):
    one.ask(request(chat(model=model), path=path), response())
    close = one.one(Close)
    return close.cost_nano_usd, close.price_version


def test_a_client_s_own_word_is_priced_where_it_goes(worker):
    """31 tokens in, 19 out (worker.USAGE)."""
    one = worker()
    bill = 31 * 2500 + 19 * 10_000

    assert cost(one, "gpt-4o") == cost(one, "openai/gpt-4o") == (bill, SHIPPED)
    assert cost(one, "gpt-4o-mini") == (31 * 150 + 19 * 600, SHIPPED)
    for _ in range(2):
        assert cost(one, "unheard-of") == cost(one, "openai/unheard-of") == (None, 0)
    assert cost(one, "gpt-4o", "/providers/openai/v1/chat/completions") == (bill, SHIPPED)
    # The same name by a pin: there it is all of the model's name.
    assert cost(one, "openai/gpt-4o", "/providers/openai/v1/chat/completions") == (None, 0)
    assert cost(one, "openai/gpt-4o") == (bill, SHIPPED)


def test_more_names_than_places_are_all_priced_right(worker):
    one, versions = worker(), []
    client = one.connect()
    for at in range(600):
        client.feed(request(chat(model=f"none-{at}" if at % 2 else f"gpt-4o-20{at}")))
        one.upstream.feed(response())
        versions.append(one.one(Close).price_version)

    assert versions == [SHIPPED, 0] * 300


def test_a_provider_of_another_host_has_its_own_prices(worker, tmp_path):
    file = tmp_path / "prices.yaml"
    file.write_text("version: 3\nprices:\n"
                    "- {hosts: [spare.*], models: [gpt-4o], input: 1, output: 1}\n")
    one = worker(providers=[provider("openai"), provider("spare")], prices={"file": str(file)})

    assert cost(one, "openai/gpt-4o")[1] == SHIPPED
    assert cost(one, "spare/gpt-4o") == (50 * 1000, 3)
