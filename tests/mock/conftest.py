"""One mock provider for the tests of a module; each test begins with empty books."""

from collections.abc import Iterator

import pytest

from fastgw.mock.runner import Mock


@pytest.fixture(scope="module")
def provider() -> Iterator[Mock]:
    with Mock("--events", "10", "--seed", "7") as mock:
        yield mock


@pytest.fixture
def mock(provider: Mock) -> Mock:
    provider.reset()
    return provider
