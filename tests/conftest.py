import pytest

from tests.lanes import pytest_runtest_makereport, pytest_runtest_protocol  # noqa: F401
from tests.worker import Worker


@pytest.fixture
def worker(tmp_path_factory):
    """Makes workers: `worker()`, or `worker(policy=…, models=…)`."""
    return lambda **config: Worker(tmp_path_factory.mktemp("worker"), **config)
