"""Families: tokens of models whose tokenizers are not at hand, with an error that is kept.

Method: names of models as providers use them; texts whose class is plain to see; what the data say
of themselves; and answers that providers recorded (../shared/vectors/streams) with the tokens that
they told, which the ratios were not made from: text alone, no tools, no thoughts.
"""

import json
import re

import orjson
import pytest

from fastgw.usage import families, tokens
from tests.csrc.recorded import STREAMS, body_of

PROSE = "The gateway counts what every answer has cost, and tells whoever asks for it later. "
CODE = "for (size_t i = 0; i < n; i++) {\n    sum += table[i] << 8 | (x & 0xff);\n}\n"
CHINESE = "网关会记录每一次请求所消耗的令牌，并且在之后向任何询问的人说明原因。"
RUSSIAN = "Шлюз считает, сколько стоил каждый ответ, и рассказывает об этом тому, кто спросит. "
GERMAN = "Das Gateway zählt, was jede Antwort gekostet hat, und erklärt es für jeden Schlüssel. "


@pytest.mark.parametrize("model, family", [
    ("claude-3-5-sonnet-20241022", "claude-3"), ("claude-opus-4-1-20250805", "claude-3"),
    ("claude-sonnet-4-20250514", "claude-3"), ("claude-haiku-4-5", "claude-3"),
    ("anthropic/claude-sonnet-4.5", "claude-3"), ("claude-opus-4-6", "claude-3"),
    ("us.anthropic.claude-3-7-sonnet-20250219-v1:0", "claude-3"), ("claude-2.1", "claude-3"),
    ("claude-opus-4-7", "claude-4.8"), ("claude-opus-4-8", "claude-4.8"),
    ("claude-sonnet-5", "claude-4.8"), ("models/gemini-2.5-pro", "gemini"),
    ("gemma3:27b", "gemini"), ("meta-llama/Llama-3.3-70B-Instruct-Turbo", "llama"),
    ("us.meta.llama3-1-70b-instruct-v1:0", "llama"), ("deepseek-r1-distill-llama-70b", "llama"),
    ("deepseek-chat", "deepseek"), ("deepseek/deepseek-r1", "deepseek"), ("qwen3-max", "qwen"),
    ("Qwen/QwQ-32B", "qwen"), ("mistral-large-latest", "mistral"), ("magistral-medium", "mistral"),
    ("open-mixtral-8x22b", "mistral-v3"), ("mistral-large-2411", "mistral-v3"),
    ("command-r-plus", None), ("grok-4", None), ("sonar", None), ("amazon.nova-pro", None),
    ("ollama", None), ("", None)])
def test_models_have_their_family(model, family):
    found = families.family_of(model)

    assert (found and found.name) == family


@pytest.mark.parametrize("text, kind", [
    (PROSE, "prose"), (CODE, "code"), (CHINESE, "cjk"), (RUSSIAN, "cyrillic"),
    (GERMAN, "european"),
    ('{"id": 17, "total": 0.25, "ok": [1, 2, 3]}', "code"), ("日本語の文章です。", "cjk"),
    ("مرحبا بالعالم", "other"), ("안녕하세요 세계", "other"), ("नमस्ते दुनिया", "other"),
    ("", "code"), ("  \n", "code")])
def test_writings_are_told_apart(text, kind):
    assert families.class_of(text) == kind


def test_every_family_says_where_its_figures_are_from():
    assert {one.name for one in families.families()} >= {
        "claude-3", "claude-4.8", "gemini", "llama", "qwen", "deepseek", "mistral"}
    for family in families.families():
        assert family.source and family.nearness and set(family.classes) == set(families.CLASSES)
        for ratio in family.classes.values():
            assert 0.5 < ratio.ratio < 2.5
            for error in (ratio.long, ratio.short):
                assert 0.5 < error.low < 1 < error.high < 2.5


@pytest.mark.parametrize("text", [PROSE * 40, CODE * 40, CHINESE * 60, RUSSIAN * 30, GERMAN * 30])
def test_an_estimate_is_the_count_by_its_ratio(text):
    kind = families.class_of(text)
    count = tokens.count(text, "o200k_base")
    for family in families.families():
        name = {"claude-3": "claude-3-opus", "mistral-v3": "open-mixtral"}.get(
            family.name, family.name)
        found = families.estimate(text, name)
        assert found.family == family.name and not found.exact
        assert found.tokens == pytest.approx(count * family.classes[kind].ratio, rel=0.01)
        assert found.low < found.tokens < found.high


def test_a_known_encoding_is_counted_not_estimated():
    found = families.estimate(PROSE, "gpt-4o")

    assert found == families.Estimate(tokens.count(PROSE, "gpt-4o"), *[tokens.count(
        PROSE, "gpt-4o")] * 2, "o200k_base", True)


def test_nobody_known_has_the_widest_error_of_all():
    for text in (PROSE * 30, PROSE, CHINESE * 3, CODE):
        unknown = families.estimate(text, "grok-4")
        for known in ("claude-3-opus", "claude-sonnet-5", "gemini-2.5-pro", "qwen3", "deepseek",
                      "llama-3", "mistral-small", "open-mixtral"):
            found = families.estimate(text, known)
            # But for the rounding outwards.
            assert unknown.low <= found.low + 1 and found.high - 1 <= unknown.high


def test_scripts_that_nobody_measured_are_between_a_quarter_and_their_bytes():
    text = "안녕하세요 세계 " * 50
    found = families.estimate(text, "claude-sonnet-5")

    assert found.high >= len(text.encode()) and found.low <= tokens.count(text, "gpt-4o") / 4


def test_an_empty_text_is_none():
    assert families.estimate("", "gemini-2.5-pro") == families.Estimate(0, 0, 0, "gemini", False)


def said(body: bytes) -> str:
    """All strings of an answer, whole or streamed, that its text stands in."""
    found: list[str] = []

    def walk(value) -> None:
        if isinstance(value, dict):
            for name, below in value.items():
                if isinstance(below, str) and name in ("content", "text"):
                    found.append(below)
                else:
                    walk(below)
        elif isinstance(value, list):
            for below in value:
                walk(below)

    for line in re.split(rb"\r?\n", body) if b"\ndata:" in b"\n" + body else [body]:
        line = line.removeprefix(b"data:").strip()
        if line[:1] == b"{":
            walk(orjson.loads(line))
    return "".join(found)


def test_what_providers_told_of_recorded_answers_is_within_the_error():
    manifest = STREAMS / "manifest.jsonl"
    if not manifest.exists():
        pytest.skip("../shared/vectors is not there")
    seen, outside = 0, []
    for row in map(json.loads, manifest.read_text().splitlines()):
        told = row["expected_usage"] or {}
        if row["api"] not in ("chat", "messages", "converse") or row["status"] != 200 or (
            told.get("output") or 0
        ) < 60 or told.get("reasoning"):
            continue
        body = body_of(row)
        if body[:1] not in (b"{", b"d", b"e", b":") or re.search(
            rb"tool|search_results|reasoning_content\": ?\"|citations|thinking", body
        ):
            continue
        model = re.search(rb'"model": ?"([^"]+)"', body)
        found = families.estimate(said(body), model[1].decode() if model else "")
        if not found.exact and found.tokens:
            seen += 1
            if not found.low <= told["output"] <= found.high:
                outside.append((row["name"], told["output"], found))
    assert seen >= 10 and not outside
