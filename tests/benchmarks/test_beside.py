"""Beside: the table of what a limit costs has a figure for each algorithm, and for what others do.

Method: its program is built and run; figures are only held to be sane, never judged.
"""

import pytest

from benchmarks.beside import ALGORITHMS, OTHERS, built, measured
from fastgw.limit.limits import ALGORITHMS as KNOWN


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return built(tmp_path_factory.mktemp("beside"))


def test_every_algorithm_is_measured(program):
    assert set(ALGORITHMS) == set(KNOWN)
    for algorithm in ALGORITHMS:
        assert 1 < measured(program, "ours", algorithm) < 1e6
    for _, arguments in OTHERS:
        assert 0.1 < measured(program, *arguments) < 1e6
