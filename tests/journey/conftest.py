import pytest

from tests.journey.harness import Gateway, Mock, configuration


@pytest.fixture(scope="session")
def mock():
    provider = Mock()
    yield provider
    provider.stop()


@pytest.fixture(scope="module")
def gateway(mock):
    instance = Gateway(configuration(mock.port))
    yield instance
    instance.remove()
