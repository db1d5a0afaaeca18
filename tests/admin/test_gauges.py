"""Gauges of limits: right for each key that is shown, and bounded however many keys there are.

Method: rows as /api/limits has them.
"""

from fastgw.admin.gauges import KEYS_SHOWN, limit_gauges


def row(key: str, used: int, **more):
    return {"name": "team", "key": key, "unit": "tokens", "enforced": True, "used": used,
            "held": 0, "limit": 100, "reset_ms": 1500, **more}


def samples(rows) -> dict:
    return {
        (sample.name.removeprefix("fastgw_limit_"), *sample.labels.values()): sample.value
        for family in limit_gauges(rows) for sample in family.samples
    }


def test_each_key_tells_used_held_limit_and_reset():
    found = samples([row("a", 60, held=20), row("b", 100),
                     row("a", 2_500_000, unit="cost", limit=5_000_000, enforced=False)])

    of = ("team", "tokens", "true")
    assert found["keys", *of] == 2 and found["keys_full", *of] == 1
    assert [found[f"key_{part}", *of, "a"] for part in ("used", "held", "limit")] == [60, 20, 100]
    assert found["key_reset_seconds", *of, "a"] == 1.5
    assert found["key_used", "team", "cost", "false", "a"] == 2.5
    assert found["key_limit", "team", "cost", "false", "a"] == 5.0


def test_only_the_fullest_keys_have_series_of_their_own():
    found = samples([row(f"k{number}", number) for number in range(1000)])

    shown = {labels[-1] for labels in found if labels[0] == "key_used"}
    assert found["keys", "team", "tokens", "true"] == 1000
    assert found["keys_full", "team", "tokens", "true"] == 900
    assert shown == {f"k{number}" for number in range(999, 999 - KEYS_SHOWN, -1)}


def test_words_whose_name_was_lost_are_left_out():
    assert samples([row("", 0) | {"used": None, "limit": None}]) == {}
