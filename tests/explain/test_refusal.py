"""Goal: a refusal tells what was decided, every limit that failed and the smallest change that
would pass, as a whole HTTP answer in the dialect's own shape; and that change would have passed.

Method: refusals with known numbers, and a thousand made up from a printed seed with hostile texts
in every place, each held against tests/explain/reference.py: fields one by one, the body as orjson
parses it.
"""

import random
import re
from types import SimpleNamespace

import orjson
import pytest

from fastgw.errors import Code
from fastgw.explain.catalogue import entry
from fastgw.explain.refusal import Explainer, change, duration
from fastgw.explain.trial import refuse
from fastgw.ledger.journal import name_hash
from fastgw.policy.limits import LimitSpec
from tests.explain import reference
from tests.explain.reference import FOREVER, NEVER, REFUSED, TABLE_FULL, UNDONE, Limit, Refusal

S = 10**9
OPENAI, ANTHROPIC = 1, 2
SEED = 31
ANTHROPIC_TYPES = {
    "invalid_request_error", "authentication_error", "permission_error", "not_found_error",
    "request_too_large", "rate_limit_error", "api_error", "timeout_error", "overloaded_error"}
HOSTILE = ("pace", 'a"b', "back\\slash", "größe", "line\r\nx-evil: 1", "nul\0", "\x7f\x1b[31m",
           "</script>", "'", "it's \"both\"", "\u2028", "😀" * 20, " ", "x" * 200, "%s{}", ",")


def pace(**more) -> Limit:
    return Limit(**({"name": "pace", "unit": "requests", "limit": 60, "used": 60, "needed": 1,
                     "verdict": REFUSED, "wait_ns": 12 * S, "reset_ns": 60 * S,
                     "period_ns": 60 * S, "key": ["k1"]} | more))


def tokens(**more) -> Limit:
    return pace(**({"name": "tokens", "unit": "tokens", "limit": 1000, "used": 800,
                    "needed": 500} | more))


def cap(**more) -> Limit:
    return tokens(**({"name": "day", "cap": True, "period_ns": 0, "wait_ns": 7200 * S,
                      "reset_ns": 7200 * S} | more))


def refusal(code=Code.LIMIT_REQUESTS, **more) -> Refusal:
    return Refusal(code, **more)


def rendered(one: Refusal, dialect: int = OPENAI, head_only: bool = False) -> bytes:
    """By the kernel, for a policy made of what this refusal names."""
    policy = SimpleNamespace(
        version=one.version, messages=(one.reason.encode(),),
        names=lambda: [(4, name_hash(one.rule), one.rule)] if one.rule else [],
        limits=[LimitSpec(
            limit.name, limit.unit, "cap" if limit.cap else "token_bucket", limit.limit,
            limit.period_ns, limit.enforced)
            for limit in one.limits])
    limits = [{
        **{name: getattr(limit, name) for name in (
            "used", "held", "limit", "taken", "wait_ns", "reset_ns", "verdict", "enforced",
            "needed")},
        "index": index, "unit": reference.UNITS.index(limit.unit),
        "key_text": orjson.dumps(limit.key) if limit.key else b""}
        for index, limit in enumerate(one.limits)]
    return refuse(
        Explainer(policy), one.code, dialect, limits=limits, message=1 if one.reason else 0,
        rule=name_hash(one.rule) if one.rule else 0, request_id=one.request_id.encode(),
        model=orjson.dumps(one.model)[1:-1], parameter=one.parameter.encode(),
        allow=one.allow.encode(), input_expected=one.input_expected,
        input_ceiling=one.input_ceiling, answers=one.answers, attempts=one.attempts,
        status=one.status, close=one.close, head_only=head_only)


def read(raw: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("ascii").split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines)
    assert len(fields) == len(lines), "a field twice"
    return int(first.split()[1]), fields, body


def told(one: Refusal, dialect: int = OPENAI):
    """Fields and body, after both were compared to the reference."""
    status, fields, body = read(rendered(one, dialect))
    document = orjson.loads(body)
    assert status == one.http_status
    assert int(fields.pop("content-length")) == len(body)
    assert fields == reference.fields(one)
    assert document == reference.body(one, dialect)
    return fields, document["error"]


def text_of(one: Refusal) -> str:
    return told(one)[1]["message"]


def test_a_message_says_limit_used_held_reset_and_the_way_out():
    assert text_of(refusal(limits=[pace(held=2)])) == (
        "FGW-801: too many requests. Limit 'pace' for k1: 58 used, 2 held of 60 requests, "
        "this request needs 1, resets in 60 s. To pass, wait 12 s.")


def test_every_limit_that_failed_is_told_the_worst_first():
    fields, error = told(refusal(limits=[
        pace(wait_ns=S), pace(name="day", wait_ns=50 * S), pace(name="free", verdict=UNDONE)]))

    assert error["message"].index("'day'") < error["message"].index("'pace'")
    assert "'free'" not in error["message"] and "To pass, wait 50 s." in error["message"]
    assert fields["retry-after"] == "50"
    assert [one["name"] for one in error["fastgw"]["limits"]] == ["pace", "day"]
    assert error["fastgw"]["limit"] == "day" and error["fastgw"]["change"]["wait_ms"] == 50_000


def test_fewer_output_tokens_are_offered_when_they_would_pass():
    one = refusal(Code.LIMIT_TOKENS, limits=[tokens()], input_expected=100)

    assert "To pass, wait 12 s, or ask for at most 100 output tokens (max_tokens)" in text_of(one)
    room = told(one)[1]["fastgw"]["change"]["max_tokens"]
    assert 800 + 100 + room <= 1000 < 800 + 100 + room + 1


def test_what_is_offered_holds_for_all_answers_and_all_limits():
    """n answers share the room; a limit that fewer tokens do not satisfy takes the offer away."""
    two = refusal(Code.LIMIT_TOKENS, limits=[tokens(), tokens(unit="output_tokens", used=900)],
                  input_expected=100, answers=3, parameter="max_output_tokens")

    assert "ask for at most 33 output tokens an answer (max_output_tokens)" in text_of(two)
    with_pace = refusal(Code.LIMIT_TOKENS, limits=[tokens(), pace()], input_expected=100)
    assert told(with_pace)[1]["fastgw"]["change"] == {
        "wait_ms": 12_000, "max_tokens": None, "fewer_input_tokens": None, "model": None}


def test_what_of_it_is_held_is_told_where_it_is_known():
    assert "0 used, 60 held of 60 slots" in text_of(refusal(limits=[
        pace(unit="slots", held=60, wait_ns=0, reset_ns=0)]))
    assert "60 used or held of 60 requests" in text_of(refusal(limits=[pace()]))


@pytest.mark.parametrize("limit, estimate", [
    (tokens(), 200), (tokens(), 5000), (tokens(unit="cost"), 0), (pace(), 0),
    (tokens(needed=150), 0)])
def test_no_number_of_output_tokens_is_offered_where_none_would_help(limit, estimate):
    one = refusal(Code.LIMIT_TOKENS, limits=[limit], input_expected=estimate)

    assert told(one)[1]["fastgw"]["change"]["max_tokens"] is None


def test_what_can_never_pass_says_so_and_is_not_retried():
    fields, error = told(refusal(Code.LIMIT_NEVER, input_ceiling=100, limits=[
        cap(verdict=NEVER, needed=5000, used=0, wait_ns=0)]))

    assert "ask for at most 900 output tokens" in error["message"]
    assert fields["x-should-retry"] == "false" and "retry-after" not in fields


def test_what_would_pass_only_an_unused_limit_says_so():
    one = refusal(Code.LIMIT_NEVER, input_ceiling=100, input_expected=60, limits=[
        cap(verdict=NEVER, needed=5000, used=950, wait_ns=0)])
    one.answers = 0  # as read back from the ledger

    assert text_of(one).endswith(
        "ask for at most 900 output tokens, all answers together and wait until what is used now"
        " is free again.")


def test_a_cap_offers_a_smaller_input_where_no_output_limit_fits():
    """Phase LIMIT has lowered the output limit already: what refuses is the input."""
    fields, error = told(refusal(Code.LIMIT_CAP, limits=[cap(needed=301), cap(needed=290)],
                                 input_ceiling=300, input_expected=120))

    assert error["message"].endswith("To pass, wait 2 h, or shorten the input by 101 tokens.")
    assert error["fastgw"]["change"]["fewer_input_tokens"] == 101
    assert fields["x-should-retry"] == "false" and fields["retry-after"] == "7200"


@pytest.mark.parametrize("wait_ns", [0, FOREVER])
def test_a_cap_without_a_window_is_never_free_by_waiting(wait_ns):
    fields, error = told(refusal(Code.LIMIT_CAP, limits=[
        cap(wait_ns=wait_ns, reset_ns=wait_ns, unit="cost")]))

    assert fields["x-should-retry"] == "false" and "retry-after" not in fields
    assert "t=" not in fields["ratelimit"] and "resets in" not in error["message"]
    assert error["fastgw"]["retry_after_ms"] is None


def test_another_model_is_offered():
    one = refusal(limits=[pace()], model="claude-haiku-4-5")

    assert text_of(one).endswith("To pass, wait 12 s, or use the model claude-haiku-4-5.")
    assert told(one)[1]["fastgw"]["change"]["model"] == "claude-haiku-4-5"


def test_shadow_limits_refuse_nothing_and_are_not_shown():
    fields, error = told(refusal(Code.DENIED, limits=[pace(enforced=False)], rule="no robots",
                                 reason="not from here."))

    assert error["message"] == "FGW-601: not from here (rule 'no robots')."
    assert not any(name.startswith("ratelimit") for name in fields)
    assert error["fastgw"]["limits"] == []


def test_header_fields_of_a_rate_limit():
    fields, _ = told(refusal(limits=[pace(wait_ns=11 * S + 1), tokens(used=300, verdict=UNDONE)]))

    assert fields["ratelimit-policy"] == '"pace";q=60;w=60, "tokens";q=1000;qu="tokens";w=60'
    assert fields["ratelimit"] == '"pace";r=0;t=12, "tokens";r=700;t=60'
    assert (fields["retry-after"], fields["retry-after-ms"]) == ("12", "11001")
    assert "x-should-retry" not in fields


def test_a_wait_longer_than_sdks_wait_is_not_retried_but_told():
    fields, _ = told(refusal(limits=[pace(wait_ns=3600 * S)]))

    assert fields["retry-after"] == "3600" and fields["x-should-retry"] == "false"


@pytest.mark.parametrize("code, retry", [
    (Code.KEY_UNKNOWN, False), (Code.DENIED, False), (Code.JSON_INVALID, False),
    (Code.DRAINING, True), (Code.LEDGER_FULL, True), (Code.UPSTREAM_TIMEOUT_IDLE, True),
    (Code.LIMIT_QUEUE_FULL, True), (Code.LIMIT_UNBOUNDED, False), (Code.LIMIT_STORE_LOST, True)])
def test_retry_only_where_waiting_helps(code, retry):
    fields, _ = told(refusal(code))

    assert ("x-should-retry" in fields) is not retry
    assert ("retry-after" in fields) is retry


@pytest.mark.parametrize("dialect", [0, OPENAI, ANTHROPIC])
@pytest.mark.parametrize("code", list(Code))
def test_every_code_is_a_whole_answer_in_every_dialect(code, dialect):
    fields, error = told(refusal(code, rule="r", close=True, attempts=2), dialect)

    assert fields["x-fastgw-code"] == error["fastgw"]["code"] == code.text
    assert error["message"].startswith(code.text) and error["message"].endswith(".")
    if dialect == ANTHROPIC:
        assert error["type"] in ANTHROPIC_TYPES and set(error) == {"type", "message", "fastgw"}
    else:
        assert set(error) == {"message", "type", "param", "code", "fastgw"}


def test_an_unknown_code_is_a_defect_of_ours():
    for code in (-1, 0, 1, 999, 1000):
        with pytest.raises(ValueError, match="no entry"):
            rendered(refusal(code))


@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_can_break_the_head_or_the_body(name):
    fields, _ = told(refusal(rule=name, limits=[pace(name=name, key=[name, 7, True, None])]))
    told(refusal(Code.DENIED, rule=name, reason=name), ANTHROPIC)

    for value in fields.values():
        assert re.fullmatch(r"[ -~]*", value)
    assert re.match(r'"((?:[^"\\]|\\["\\])*)";r=', fields["ratelimit"])


def test_head_gets_no_body_and_a_rules_status_goes_first():
    status, fields, body = read(rendered(refusal(Code.DENIED, status=451), head_only=True))

    assert (status, body) == (451, b"") and int(fields["content-length"]) > 0


def made_up(random: random.Random) -> Refusal:
    """Any combination, also those that cannot happen."""
    def number() -> int:
        return random.choice((0, 1, 7, 100, 1000, 10**6, 10**12, 2**63, random.randrange(2**40)))

    limits = [Limit(
        name=random.choice(HOSTILE), unit=random.choice(reference.UNITS),
        limit=max(1, number()), used=number(), held=number(), taken=number(), needed=number(),
        wait_ns=random.choice((0, number(), FOREVER)),
        reset_ns=random.choice((0, number(), FOREVER)),
        verdict=random.choice((1, REFUSED, REFUSED, NEVER, UNDONE, TABLE_FULL)),
        enforced=random.random() < 0.8, cap=random.random() < 0.5,
        key=[random.choice((*HOSTILE, 7, True, None)) for _ in range(random.randrange(4))],
        period_ns=random.choice((0, S, 60 * S, 1)))
        for _ in range(random.randrange(9))]
    return Refusal(
        int(random.choice(list(Code))), rule=random.choice(("", *HOSTILE)),
        reason=random.choice(("", "", *HOSTILE)), status=random.choice((0, 0, 403, 451, 503)),
        limits=limits, input_expected=number(), input_ceiling=number(),
        answers=random.choice((0, 1, 3, 1024)), model=random.choice(("", *HOSTILE)),
        attempts=random.randrange(3), close=random.random() < 0.5)


@pytest.mark.parametrize("part", range(4))
def test_the_kernel_says_what_the_reference_says(part):
    print("seed", SEED, part)
    chance = random.Random(SEED * 100 + part)
    for _ in range(250):
        told(made_up(chance), chance.choice((0, OPENAI, ANTHROPIC)))


@pytest.mark.parametrize("ns, text", [
    (0, "0 ms"), (1, "1 ms"), (250_000_000, "250 ms"), (S, "1 s"), (S + 1, "2 s"),
    (119 * S, "119 s"), (200 * S, "3 min 20 s"), (120 * S, "2 min"), (7500 * S, "2 h 5 min"),
    (7200 * S, "2 h"), (7199 * S, "119 min 59 s"), (86400 * 30 * S, "30 d"),
    (86400 * 2 * S + 1, "2 d 1 h"), (86400 * 2 * S - 59 * S, "2 d"),
    (86400 * 2 * S - 61 * S, "47 h 59 min")])
def test_durations_are_rounded_up(ns, text):
    assert duration(ns) == text == reference.duration(ns)


def test_durations_are_those_of_the_reference():
    chance = random.Random(SEED)
    for _ in range(2000):
        ns = chance.randrange(2 ** chance.randrange(1, 64))
        assert duration(ns) == reference.duration(ns)


def test_money_is_in_dollars():
    cost = pace(name="month", unit="cost", limit=250_000_000, used=249_500_000, held=500_000,
                needed=10)

    assert "$249 used, $0.5 held of $250, this request needs $0.00001" in text_of(
        refusal(Code.LIMIT_CAP, limits=[cost]))


def test_the_change_is_known_from_the_ledger_too():
    seen = {"name": "tokens", "key": "k1", "unit": "tokens", "used": 800, "held": 0,
            "limit": 1000, "reset_ms": 60_000, "taken": 500, "wait_ms": 12_000,
            "verdict": "refused", "enforced": True}

    assert change("FGW-802", [seen], 100) == (
        "To pass, wait 12 s, or ask for at most 100 output tokens, all answers together")
    capped = seen | {"algorithm": "cap", "taken": 0, "needed": 500}
    assert change("FGW-804", [capped], 40, 150, 2) == (
        "To pass, wait 12 s, or ask for at most 25 output tokens an answer (max_tokens)")
    assert change("FGW-804", [capped], 40, 150, 1, "responses") == (
        "To pass, wait 12 s, or ask for at most 50 output tokens (max_output_tokens)")
    assert change("FGW-804", [capped], 40) == "To pass, wait 12 s", "of an older ledger"
    assert change("FGW-802", [seen | {"verdict": "taken"}], 100) == (
        entry(802).remedy.rstrip("."))
