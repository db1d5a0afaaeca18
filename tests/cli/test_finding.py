"""Which instance a command is about.

Method: data directories made by hand; no process but this one.
"""

import pytest

from fastgw.cli.failure import Failure
from fastgw.cli.finding import find_directory, read_labels, read_state
from fastgw.process.directory import Directory


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    directory = Directory.open(tmp_path / "fastgw-data")
    directory.write_document("instance.json", {"pid": 1, "state": "ready"})
    yield directory
    directory.close()


def test_the_directory_of_the_default_the_file_or_the_option(place, tmp_path):
    (tmp_path / "here.yaml").write_text(
        f'data_dir: "{place.path}"\n'
        'providers: [{id: a, dialect: openai, base_url: "http://127.0.0.1:9/v1"}]\n'
    )

    assert find_directory(None, None).absolute() == place.path
    assert find_directory(None, "here.yaml") == place.path
    assert find_directory(str(place.path), "nowhere.yaml") == place.path


def test_says_when_nothing_ran_there_or_the_file_is_broken(place):
    with pytest.raises(Failure, match="no instance ever ran on elsewhere") as failure:
        find_directory("elsewhere", None)
    assert failure.value.exit_code == 1
    with pytest.raises(Failure, match="nowhere.yaml: cannot read it") as failure:
        find_directory(None, "nowhere.yaml")
    assert failure.value.exit_code == 2


def test_runs_only_while_its_owner_holds_the_lock(place):
    import os

    assert read_state(place.path)["running"] is False  # pid 1 lives, but is not the owner
    place.write_document("instance.json", {"pid": os.getpid()})
    assert read_state(place.path)["running"] is True
    place.close()
    assert read_state(place.path)["running"] is False


def test_labels_are_those_of_the_instance(place):
    assert read_labels(place.path) == []
    place.write_document("policy.json", {"labels": ["feature"]})
    assert read_labels(place.path) == ["feature"]
