"""The collector is as it was, whatever happened within. Method: both states, with an exception."""

import gc

import pytest

from fastgw.policy.uncollected import uncollected


@pytest.fixture(autouse=True)
def collector():
    yield
    gc.enable()


@pytest.mark.parametrize("on", [True, False])
def test_the_collector_is_off_within_and_as_it_was_behind(on):
    (gc.enable if on else gc.disable)()
    with uncollected():
        assert not gc.isenabled()
    assert gc.isenabled() == on

    with pytest.raises(KeyError), uncollected():
        raise KeyError
    assert gc.isenabled() == on
