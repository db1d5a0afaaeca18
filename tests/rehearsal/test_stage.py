"""The stage: real but for clock, address and providers; nothing of it stays.

Method: cases played on a configuration whose store, cluster, webhook and providers are not there.
"""

import dataclasses
import os
import tempfile
from datetime import UTC, datetime

import pytest
import uvloop

from fastgw.config.model import Place
from fastgw.mock.runner import Mock
from fastgw.rehearsal.cases import Asked, Case
from fastgw.rehearsal.stage import Stage, read_config

CONFIG = """\
listen: {address: 0.0.0.0, port: 8080, workers: 2}
providers:
  - {id: openai, dialect: openai, base_url: "https://eu.example/openai/v1", keys: [{value: k}]}
  - {id: anthropic, dialect: anthropic, base_url: "https://api.example", keys: [{value: k}]}
cluster: {redis: "redis://127.0.0.1:1"}
alerts: {webhook: "http://127.0.0.1:1/"}
keys: [{id: a, value: s, limits: {requests: 100/1m}}]
policy:
  on_http_request:
    - name: per day
      actions: [{type: usage-cap, config: {name: d, unit: requests, limit: 2, window: day,
                 time_zone: Europe/Berlin, alert_at: [0.5]}}]
"""
ASKED = Asked("POST", "/v1/chat/completions", (("content-type", "application/json"),),
              b'{"model": "m", "messages": [{"role": "user", "content": "hi"}]}')
CASE = Case("c", Place("t.yaml", 1, 1, "tests[0]"), ASKED, "a")


@pytest.fixture(scope="module")
def mock():
    with Mock() as mock:
        yield mock


@pytest.fixture
def play(tmp_path, mock):
    (tmp_path / "fastgw.yaml").write_text(CONFIG)
    stage = Stage(read_config(str(tmp_path / "fastgw.yaml"))[0], mock.port)
    return lambda case: uvloop.run(stage.play(case))


def test_it_answers_and_the_decision_is_whole(play):
    played = play(CASE)
    assert played.status == 200 and b'"usage"' in played.body
    decision = played.decision
    assert (decision["verdict"], decision["key"]["id"]) == ("allow", "a")
    assert decision["usage"]["provenance"] == "provider"


def test_anthropic_keys_go_where_its_sdk_puts_them(play):
    asked = Asked("POST", "/v1/messages", (("anthropic-version", "2023-06-01"),),
                  ASKED.body.replace(b'"m"', b'"c", "max_tokens": 5'))
    assert play(dataclasses.replace(CASE, request=asked)).status == 200


def test_windows_follow_the_time_of_the_case(play):
    at = int(datetime(2026, 3, 29, 21, 59, 30, tzinfo=UTC).timestamp())  # 23:59:30 in Berlin
    played = play(dataclasses.replace(CASE, time_s=at, repeat=3))
    assert played.status == 429
    [limit] = [limit for limit in played.decision["limits"] if limit["name"] == "d"]
    assert 0 < limit["reset_ms"] <= 30_000
    assert abs(datetime.fromisoformat(played.decision["time"]).timestamp() - at) < 30


def test_nothing_of_it_stays(tmp_path, mock, monkeypatch):
    """In folders of its own: others use /dev/shm and /tmp meanwhile."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    with tempfile.TemporaryDirectory(dir="/dev/shm") as shm:
        (tmp_path / "fastgw.yaml").write_text(f"{CONFIG}\nshm_dir: {shm}\n")
        stage = Stage(read_config(str(tmp_path / "fastgw.yaml"))[0], mock.port)
        assert uvloop.run(stage.play(CASE)).status == 200
        assert (os.listdir(shm), os.listdir(tmp_path / "tmp")) == ([], [])
