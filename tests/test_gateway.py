"""fastgw from Python: embedded, and as a command.

Method: the gateway in this process in front of the mock provider, called by a plain HTTP client.
"""

import asyncio
import json
import urllib.request

import pytest
import uvloop

import fastgw
from fastgw.errors import ConfigError, FastgwError
from fastgw.ledger.query import Ledger
from fastgw.mock.runner import Mock

CONFIGURATION = """\
listen: {{port: 0}}
data_dir: "{folder}/data"
shm_dir: "{folder}"
providers: [{{id: openai, dialect: openai, base_url: "{mock}/v1", keys: [{{value: k}}]}}]
"""


def chat(url: str) -> tuple[int, str]:
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
    request = urllib.request.Request(
        f"{url}/v1/chat/completions", json.dumps(body).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        answer.read()
        return answer.status, answer.headers["x-fastgw-request-id"]


def test_serves_inside_a_program_and_records_all_of_it(tmp_path):
    async def run(file) -> list[tuple[int, str]]:
        async with fastgw.Gateway.from_file(file) as gateway:
            with pytest.raises(RuntimeError, match="runs already"):
                await gateway.__aenter__()
            return [await asyncio.to_thread(chat, gateway.url) for _ in range(3)]

    with Mock("--events", "4") as mock:
        file = tmp_path / "fastgw.yaml"
        file.write_text(CONFIGURATION.format(folder=tmp_path, mock=mock.url))
        replies = uvloop.run(run(file))
        again = uvloop.run(run(file))

    assert [status for status, _ in replies + again] == [200] * 6
    assert len({request_id for _, request_id in replies + again}) == 6
    with Ledger(tmp_path / "data") as ledger:
        assert ledger.usage()[0]["output_tokens"] == 6 * 4
        assert ledger.verify() == []


def test_tells_the_holder_of_a_key_about_it(tmp_path):
    def get(url: str, key: str) -> list[dict]:
        asked = urllib.request.Request(url, headers={"authorization": f"Bearer {key}"})
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return json.load(answer)

    async def run(file) -> list[int]:
        async with fastgw.Gateway.from_file(file) as gateway:
            url = gateway.url
            return [len(await asyncio.to_thread(get, f"{url}/fastgw/{what}", "fgw-a"))
                    for what in ("usage", "limits")]

    file = tmp_path / "fastgw.yaml"
    file.write_text(CONFIGURATION.format(folder=tmp_path, mock="http://127.0.0.1:9")
                    + "keys: [{id: a, value: fgw-a}]\n")
    assert uvloop.run(run(file)) == [1, 0]


def test_has_no_address_before_it_runs(tmp_path):
    file = tmp_path / "fastgw.yaml"
    file.write_text(CONFIGURATION.format(folder=tmp_path, mock="http://127.0.0.1:9"))
    gateway = fastgw.Gateway.from_file(file)

    with pytest.raises(RuntimeError, match="does not run"):
        _ = gateway.url


def test_says_that_it_needs_uvloop(tmp_path):
    file = tmp_path / "fastgw.yaml"
    file.write_text(CONFIGURATION.format(folder=tmp_path, mock="http://127.0.0.1:9"))

    async def enter() -> None:
        await fastgw.Gateway.from_file(file).__aenter__()

    with pytest.raises(FastgwError, match="needs uvloop"):
        asyncio.run(enter())


def test_a_broken_file_names_its_place(tmp_path):
    (tmp_path / "bad.yaml").write_text("listen: 3\n")

    for start in (fastgw.Gateway.from_file, fastgw.run):
        with pytest.raises(ConfigError, match=r"bad\.yaml:1:"):
            start(tmp_path / "bad.yaml")


def test_the_package_offers_nothing_else():
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        _ = fastgw.Nonsense
