"""Entries of `prices.file` that hold for nobody: where they stand, and what was meant.

Method: a configuration and a price file written by hand, one slip at a time; and prices that are
right although nothing here names their model.
"""

import pytest
from click.testing import CliRunner

from fastgw.cli.configure import check
from fastgw.config import load
from fastgw.usage.unmet import unmet

PROVIDERS = """\
providers:
  - {id: openai, dialect: openai, base_url: "https://api.openai.com/v1", keys: [{value: k}]}
  - {id: gpu, dialect: vllm, base_url: "https://10.0.0.7/v1", keys: [{value: k}]}
  - {id: groq, dialect: groq, base_url: "https://proxy.example/v1", keys: [{value: k}]}
models:
  - {id: house, candidates: [{provider: openai, model: gpt-4o}, {provider: gpu, model: llama-9b}],
     fallback: [{provider: groq, model: llama-x}]}
prices: {file: prices.yaml}
"""
STRICT = "models_strict: true\n"


def looked_at(folder, entry: str, more: str = "") -> list[tuple[int, str, str, str]]:
    (folder / "fastgw.yaml").write_text(PROVIDERS + more)
    (folder / "prices.yaml").write_text(f"prices:\n  - {{models: [gpt-4o], input: 1, output: 2}}\n"
                                        f"  - {{{entry}, input: 1, output: 2}}\n")
    return [(one.line, one.key, one.message, one.suggestion)
            for one in unmet(load(folder / "fastgw.yaml", {}))]


@pytest.mark.parametrize("entry, key, words, hint", [
    ("models: [gpt-4o], providers: [opnai]", "providers[0]", "no provider is named 'opnai'",
     "did you mean 'openai'?"),
    ("models: [gpt-4o], providers: [openai, other]", "providers[1]",
     "no provider is named 'other'", "known here: openai, gpu, groq"),
    ("models: [gpt-4o], hosts: [api.openai.org]", "hosts[0]",
     "no provider is asked at 'api.openai.org'", "did you mean 'api.openai.com'?"),
    ("models: [claude-sonnet-4-5], dialect: anthropic", "dialect",
     "no provider speaks 'anthropic'", "known here: openai"),
    ("models: [gpt-4o], hosts: [10.0.0.7], providers: [openai]", "",
     "no provider is all that this entry asks for", "name it in `providers` alone"),
    ("models: [gpt-4o, gpt-4o-mimi]", "models[1]", "no model is known as 'gpt-4o-mimi'",
     "did you mean 'gpt-4o-mini'?"),
    ("models: [lama-9b], providers: [gpu]", "models[0]", "no model is known as 'lama-9b'",
     "did you mean 'llama-9b'?"),
    ("models: [house]", "models[0]", "'house' is a name of this configuration's `models`: "
     "prices go by the name at the provider", "write gpt-4o, llama-9b")])
def test_what_holds_for_nobody_is_said_where_it_stands(tmp_path, entry, key, words, hint):
    assert looked_at(tmp_path, entry) == [
        (3, "prices[1]" + (f".{key}" if key else ""), words, hint)]


@pytest.mark.parametrize("entry", [
    "models: [gpt-4o]", "models: ['gpt-4o*']", "models: ['*']", "models: [gpt-4o-2024-08-06]",
    "models: [llama-9b], hosts: ['10.*']", "models: ['llama-*'], providers: [gpu]",
    "models: [gpt-9.9, gpt-9-mini, 'o7-*', my-own-model]", "models: [gpt-4o-2031-01-01]",
    "models: [llama-3.3-70b-versatile], hosts: [api.groq.com]",
    "models: [gpt-4o], dialect: openai"])
def test_prices_of_what_is_there_and_of_what_is_new_are_none(tmp_path, entry):
    assert looked_at(tmp_path, entry) == []


@pytest.mark.parametrize("entry, warned", [
    ("models: [gpt-4o-mini]", True), ("models: [gpt-9]", True), ("models: ['llama*']", False),
    ("models: [gpt-4o], providers: [gpu]", True),
    ("models: [gpt-4o], providers: [openai]", False)])
def test_with_strict_models_only_those_that_are_asked_for_exist(tmp_path, entry, warned):
    found = looked_at(tmp_path, entry, STRICT)
    assert bool(found) == warned
    assert not warned or "and models_strict is on" in found[0][2]


def test_a_route_names_models_too(tmp_path):
    more = STRICT + ("policy: {on_http_request: [{actions: [{type: route, config: "
                     "{provider: groq, model: qwen-x}}]}]}\n")
    assert looked_at(tmp_path, "models: [qwen-x], providers: [groq]", more) == []


def test_without_a_file_there_is_nothing_to_say(tmp_path):
    (tmp_path / "fastgw.yaml").write_text(PROVIDERS.replace("prices: {file: prices.yaml}", ""))
    assert unmet(load(tmp_path / "fastgw.yaml", {})) == []


def test_check_warns_and_fails_where_strict(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    looked_at(tmp_path, "models: [gpt-4o], providers: [opnai]")
    relaxed, strict = (CliRunner().invoke(check, ["-c", "fastgw.yaml", *more])
                       for more in ([], ["--strict"]))
    assert (relaxed.exit_code, strict.exit_code) == (0, 1)
    assert "warning: prices.yaml:3:" in relaxed.output and "1 warning\n" in relaxed.output
    assert "prices[1].providers[0]: no provider is named 'opnai'" in relaxed.output
