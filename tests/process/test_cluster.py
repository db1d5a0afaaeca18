"""The cluster's life: enrolled, woken by its bell, giving back when nobody spends any more.

Method: a membership in this process's loop over a real segment and a real Redis; the thread of an
embedded gateway the same way. The process of the tree is shown by tests/journey/test_cluster.py.
"""

import asyncio
import os

import pytest

from fastgw.cluster.wallets import HELD, Wallets
from fastgw.config.model import Cluster, Secret
from fastgw.log import Log
from fastgw.process.cluster import Bell, ClusterThread, Membership, check_client
from fastgw.process.directory import read_document
from fastgw.shm.segment import Segment
from tests.cluster.server import RedisServer, needs_redis
from tests.journey.harness import wait_until

SPEC = {"name": "n", "unit": "requests", "algorithm": "cap", "capacity": 100, "period_ns": 0,
        "window": "total", "cluster": True}


@pytest.fixture
def redis(tmp_path):
    server = RedisServer(tmp_path)
    yield server
    server.stop()


def membership(redis, tmp_path, bell):
    segment = Segment.create(tmp_path / "segment", workers=1, entries=64)
    made = Membership(Cluster(redis=Secret(redis.url)), [SPEC], segment, tmp_path, "node-1",
                      bell.fileno(), Log(level="error"))
    return made, Wallets(segment)


@needs_redis
def test_a_demand_is_served_when_the_bell_rings_and_the_slice_goes_back_at_the_end(
        redis, tmp_path):
    async def story():
        bell = Bell()
        made, wallets = membership(redis, tmp_path, bell)
        stop_end, stop = os.pipe()
        ready = []
        life = asyncio.create_task(made.live(stop_end, lambda: ready.append(True)))
        async with asyncio.timeout(10):
            while wallets.said().state != HELD:
                await asyncio.sleep(0.005)
            assert ready == [True]
            wallets.ask((1, 2), 0, 0, 1)
            os.eventfd_write(bell.fd, 1)
            while not (wallets.all() and wallets.read(wallets.all()[0]).granted):
                await asyncio.sleep(0.005)
        os.close(stop)
        await asyncio.wait_for(life, 10)
        assert wallets.read(wallets.all()[0]).granted == 0
        assert read_document(tmp_path / "cluster.json")["node"] == "node-1"
        assert b"0" in redis.command("ZCARD", "{fastgw}:nodes")
        os.close(stop_end)
        bell.close()

    asyncio.run(story())


@needs_redis
def test_the_thread_of_an_embedded_gateway_does_the_same(redis, tmp_path):
    bell = Bell()
    made, wallets = membership(redis, tmp_path, bell)
    thread = ClusterThread(made, Log(level="error"))
    wait_until(lambda: wallets.said().state == HELD)
    thread.stop()
    assert wallets.said().until_ns == 0
    bell.close()


def test_a_bell_may_be_closed_twice():
    bell = Bell()
    bell.close()
    bell.close()
    assert bell.fileno() == -1


def test_the_client_library_is_looked_for_before_anything_starts():
    check_client()  # the test extra has it
