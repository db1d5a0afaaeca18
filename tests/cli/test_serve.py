"""``fastgw serve``: what it runs on, and every reason not to start.

Method: reasons are read from real starts as child processes: exit code 2 and one line on stderr.
"""

import socket

import pytest

from fastgw.cli.failure import Failure
from fastgw.cli.serve import find_config, override, parse_endpoint, parse_workers
from fastgw.config import examine_text
from tests.cli.live import run

GOOD = """\
providers: [{id: openai, dialect: openai, base_url: "http://127.0.0.1:9/v1", keys: [{value: k}]}]
"""


def config(text: str = GOOD):
    loaded, errors, _ = examine_text(text, "test.yaml")
    assert not errors
    return loaded


def test_the_command_line_overrides_the_file():
    changed = override(
        config(), listen="127.0.0.2:1", admin="[::1]:2", workers="3", data_dir="/d"
    )

    assert (changed.listen.address, changed.listen.port, changed.listen.workers) == (
        "127.0.0.2", 1, 3
    )
    assert (changed.admin.address, changed.admin.port) == ("::1", 2)
    assert changed.data_dir == "/d"
    assert override(changed, workers="auto").listen.workers is None
    assert changed.version != config().version


def test_the_command_line_cannot_open_what_the_file_may_not():
    with pytest.raises(Failure, match="without keys the gateway is open, and 0.0.0.0"):
        override(config(), listen="0.0.0.0:80")
    with pytest.raises(Failure, match="an admin port without token on ::"):
        override(config(), admin="[::]:80")
    keyed = config(GOOD + "keys: [{id: a, value: secret}]\nadmin: {token: long-enough-token}\n")
    assert override(keyed, listen="0.0.0.0:80", admin="0.0.0.0:81").listen.address == "0.0.0.0"


def test_endpoints_and_workers_are_read_strictly():
    assert parse_endpoint("--listen", ":80") == ("127.0.0.1", 80)
    assert parse_endpoint("--listen", "[::1]:0") == ("::1", 0)
    assert parse_workers("1") == 1
    for text in ("80", "a:b", "a:65536", "a:-1", "a:", ""):
        with pytest.raises(Failure, match="--listen wants ADDRESS:PORT"):
            parse_endpoint("--listen", text)
    for text in ("0", "257", "-1", "x", "1.5", ""):
        with pytest.raises(Failure, match="--workers wants 1 to 256, or auto"):
            parse_workers(text)


def test_the_environment_serves_where_no_file_does(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    assert [provider.id for provider in find_config(None).providers] == ["openai"]

    (tmp_path / "fastgw.yaml").write_text(GOOD.replace("id: openai", "id: filed"))

    assert [provider.id for provider in find_config(None).providers] == ["filed"]


def refusal(*arguments, cwd, **env) -> str:
    done = run("serve", *arguments, cwd=cwd, **env)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("fastgw: "), done.stderr
    return done.stderr


def test_says_what_to_do_where_there_is_nothing_to_serve(tmp_path):
    said = refusal(cwd=tmp_path)

    assert "OPENAI_API_KEY" in said and "fastgw init" in said


def test_names_file_line_column_and_key_of_a_broken_configuration(tmp_path):
    (tmp_path / "bad.yaml").write_text(GOOD + "workers: 3\n")

    assert "bad.yaml:2:1: workers:" in refusal("-c", "bad.yaml", cwd=tmp_path)
    assert "none.yaml: cannot read it" in refusal("-c", "none.yaml", cwd=tmp_path)


def test_names_the_port_that_is_in_use(tmp_path):
    (tmp_path / "good.yaml").write_text(GOOD)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        free = ("--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
        for option in ("--listen", "--admin"):
            said = refusal("-c", "good.yaml", *free, option, taken, cwd=tmp_path)
            assert f"cannot listen on {taken}: the port is already in use" in said
