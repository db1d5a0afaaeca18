import pytest

from tests.cluster.server import RedisServer


@pytest.fixture
def redis(tmp_path):
    server = RedisServer(tmp_path)
    yield server
    server.stop()
