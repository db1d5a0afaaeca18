"""What an expression came to, part by part; what the machine compares at once is shown as well.

Method: expressions over given facts; each step beside what CEL says it is.
"""

from fastgw.policy.bindings import Bindings
from fastgw.policy.compiler import compile_whole
from fastgw.policy.tracing import trace_expression


def shown(text, seed=0, **facts):
    bindings = Bindings({name.replace("_", "."): facts[name] for name in facts})
    compile_whole(text, bindings.scope)  # names the facts
    looked = trace_expression(text, bindings.scope, bindings.facts, bindings.sources, seed)
    return [(text[start:end], value.get("value", value.get("code")))
            for start, end, value in looked.steps]


def test_every_part_has_its_place_and_value():
    text = "ai.n + 1 > 2 && ai.model == 'gpt-4o'"
    steps = shown(text, ai_n=2, ai_model="gpt-4o")

    assert list(dict(steps).items()) == [
        ("ai.n", 2), ("1", 1), ("ai.n + 1", 3), ("2", 2), ("ai.n + 1 > 2", True), (text, True),
        ("ai.model", "gpt-4o"), ("ai.model == 'gpt-4o'", True)]
    assert steps.index(("ai.model", "gpt-4o")) + 1 == steps.index(("ai.model == 'gpt-4o'", True))


def test_what_is_absent_is_an_error_with_its_reason():
    assert shown("key.tags.tier == 'free'")[-1] == ("key.tags.tier == 'free'", "ABSENT")


def test_random_goes_on_from_the_seed():
    assert shown("random() < 0.5", 7) == shown("random() < 0.5", 7)
    assert len({str(shown("random() < 0.5", seed)) for seed in range(8)}) > 1
