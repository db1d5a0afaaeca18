import pytest
from hypothesis import HealthCheck, settings

from tests.lanes import pytest_runtest_makereport, pytest_runtest_protocol  # noqa: F401
from tests.worker import Worker

# How long an example takes says on a busy machine nothing about us.
settings.register_profile(
    "fastgw", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fastgw")


@pytest.fixture
def worker(tmp_path_factory):
    """Makes workers: `worker()`, or `worker(policy=…, models=…)`."""
    return lambda **config: Worker(tmp_path_factory.mktemp("worker"), **config)
