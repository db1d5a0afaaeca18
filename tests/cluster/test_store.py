"""The scripts: what is granted over a fleet, exactly.

Method: a real redis-server, one `Store` a node. The oracle keeps each node's sums in plain
integers. Time is Redis's own: what must pass is moved by rewriting the instants that the account
or the registry hold. Seeds are printed by the test's name.
"""

import asyncio
import random
import time

import pytest

from fastgw.cluster.store import Call, Store, StoreLost
from tests.cluster.server import needs_redis

pytestmark = needs_redis
KEY, BEFORE = (0x1234, 0x5678), (0x1234, 0x9999)
BUCKET, CAP, FIXED, SLIDING = 1, 3, 4, 5
HOUR_US = 3600 * 10**6
NODES, EPOCH = "{fastgw}:nodes", "{fastgw}:epoch"


def account(key):
    return f"{{fastgw}}:of:{key[0]:016x}{key[1]:016x}"


class Node:
    """One gateway's side of one account, by hand."""

    def __init__(self, redis, name, *, incarnation=1, **options):
        self.name = name
        self.store = Store(redis.url, node=name, incarnation=incarnation, **options)
        self.epoch, self.seq, self.granted, self.spent = "", 0, 0, 0
        self.terms = {"algorithm": CAP, "capacity": 1000, "period_us": 0}

    async def enroll(self):
        enrolment = await self.store.enroll(self.epoch)
        self.epoch = enrolment.epoch
        return enrolment

    def call(self, need=0, want=0, key=KEY):
        self.seq += 1
        return Call(key, self.seq, self.granted, self.spent, need, want, **self.terms)

    async def lease(self, need=0, want=0, key=KEY):
        answer = (await self.store.lease(self.epoch, [self.call(need, want, key)]))[0]
        if answer.status in ("granted", "dry", "grace"):
            self.granted = answer.granted
        return answer


def run(redis, story, names="abc", **terms):
    """``story(nodes…)`` with enrolled nodes."""
    async def main():
        nodes = [Node(redis, name) for name in names]
        try:
            for node in nodes:
                node.terms |= terms
                await node.enroll()
            return await story(*nodes)
        finally:
            for node in nodes:
                await node.store.close()

    return asyncio.run(main())


def kill(redis, node):
    """Its lease is over, and it does not know."""
    redis.command("ZADD", NODES, 1, node.name)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("algorithm", [CAP, FIXED, BUCKET])
def test_nothing_is_granted_twice_whatever_nodes_do(redis, algorithm, seed):
    """Random asking, spending, giving back, over-spending and lost answers."""
    rng = random.Random(seed)
    period = 10**6 * HOUR_US  # nothing refills meanwhile

    async def story(*nodes):
        debts = 0
        for _ in range(150):
            node = rng.choice(nodes)
            act = rng.random()
            if act < 0.5:
                node.spent += rng.randint(0, max(0, node.granted - node.spent))
            elif act < 0.55:  # requests that cost more than they held
                over = rng.randint(1, 20)
                node.spent = max(node.granted, node.spent) + over
                debts += over
            elif act < 0.65:
                node.granted = max(node.spent, node.granted - rng.randint(0, 50))
            elif act < 0.7:
                await node.store.lease(node.epoch, [node.call(0, 100)])  # its answer is lost
            before = [max(each.granted, each.spent) for each in nodes]
            answer = await node.lease(rng.choice([0, 1, 40]), rng.choice([0, 100, 400]))
            assert sum(max(each.granted, each.spent) for each in nodes) <= 1000 + debts
            if answer.status == "granted" and act >= 0.7:
                others = sum(before) - before[nodes.index(node)]
                assert answer.left <= 1000 - others - node.granted + 100 * len(nodes)
        for node in nodes:  # lost answers are given back by the next report
            node.granted = node.spent = max(node.granted, node.spent)
            await node.lease()
        total = sum(node.spent for node in nodes)
        assert (await nodes[0].lease()).left == max(0, 1000 - total)

    run(redis, story, algorithm=algorithm, period_us=period)


@pytest.mark.parametrize("algorithm", [BUCKET, CAP, FIXED, SLIDING])
def test_all_of_a_capacity_is_given_out_and_no_unit_more(redis, algorithm):
    async def story(*nodes):
        for at in range(5000):
            node = nodes[at % 3]
            if node.spent == node.granted:
                await node.lease(1, 60)
            node.spent += node.spent < node.granted
        assert sum(node.spent for node in nodes) == 1000
        answer = await nodes[0].lease(1, 60)
        assert (answer.status, answer.left) == ("dry", 0) and answer.wait_ms > 0

    run(redis, story, algorithm=algorithm, period_us=10**4 * HOUR_US,
        window_end_ms=int(time.time() * 1000) + 10**7)


def test_slices_shrink_as_the_end_comes_near(redis):
    async def story(first, second, third):
        sizes = []
        while (answer := await first.lease(1, 500)).status == "granted":
            sizes.append(first.granted - first.spent)
            first.spent = first.granted
        assert sizes == sorted(sizes, reverse=True) and sizes[0] == 166 and sizes[-1] == 1
        assert answer.left == 0 and first.spent == 1000

    run(redis, story)


def test_what_a_cap_has_left_is_given_also_where_more_was_asked_for(redis):
    async def story(node):
        answer = await node.lease(600, 600)
        assert (answer.status, node.granted) == ("granted", 600)
        node.spent = 600
        answer = await node.lease(600, 600)
        assert (answer.status, node.granted) == ("dry", 1000)

    run(redis, story, "a")


def test_more_than_the_capacity_is_never_granted(redis):
    async def story(node):
        answer = await node.lease(1001, 1001)
        assert (answer.status, answer.wait_ms) == ("dry", -1)

    run(redis, story, "a", algorithm=FIXED, period_us=HOUR_US)


def test_a_call_that_comes_late_changes_nothing(redis):
    async def story(node):
        late = node.call(0, 100)
        await node.lease(1, 100)
        answer = (await node.store.lease(node.epoch, [late]))[0]
        assert (answer.status, answer.granted) == ("stale", node.seq)
        assert (await node.lease()).left == 1000 - node.granted

    run(redis, story, "a")


def test_a_dead_nodes_slice_is_issued_again_and_counted_as_reissued(redis):
    """Admitted <= capacity + re-issued, and re-issued is what it had not told."""
    async def story(dead, *others):
        await dead.lease(300, 300)
        dead.spent = 120
        await dead.lease()
        dead.spent = 250  # 130 more that it never tells
        kill(redis, dead)
        for node in others:
            while (answer := await node.lease(1, 400)).status == "granted":
                node.spent = node.granted
        reissued = 300 - 120
        assert answer.reissued == reissued
        assert sum(node.spent for node in others) == 1000 - 120
        assert dead.spent + sum(node.spent for node in others) <= 1000 + reissued
        assert (await dead.lease()).status == "lapsed"
        await dead.enroll()
        dead.granted = dead.spent  # a node whose lease was over has nothing left
        assert (await dead.lease(1, 1)).status == "dry"
        # 130 over: told, the truth counts, and nobody gets more before it is repaid.
        others[0].granted = others[0].spent = others[0].spent - 130
        assert (await others[0].lease(1, 1)).status == "dry"
        others[0].granted = others[0].spent = others[0].spent - 5
        assert (await others[0].lease(1, 5)).status == "granted"

    run(redis, story)


def test_a_token_bucket_never_gives_more_than_capacity_and_refill(redis):
    """Slices that are out count against the bucket: with them it holds its capacity at most."""
    hour_ms = 3_600_000

    async def story(idle, busy):
        await idle.lease(400, 400)
        redis.command("HSET", account(KEY), "t", int((time.time() - 10 * 3600) * 10**6))
        answer = await busy.lease(0, 0)
        assert answer.left == 600  # ten periods later; 400 are still out
        await busy.lease(600, 600)
        busy.spent = 600
        answer = await busy.lease(1, 1)
        assert answer.status == "dry" and 0 < answer.wait_ms <= hour_ms / 1000 + 5
        redis.command("HSET", account(KEY), "t", int((time.time() - 360) * 10**6))
        assert (await busy.lease(0, 0)).left == 100  # a tenth of a period
        kill(redis, idle)
        redis.command("HSET", account(KEY), "t", int((time.time() - 10 * 3600) * 10**6))
        assert (await busy.lease(0, 0)).left == 1000  # the dead one's slice is time's to repay

    run(redis, story, "ab", algorithm=BUCKET, period_us=HOUR_US)


def test_debt_delays_the_next_grant_of_a_bucket(redis):
    async def story(node):
        await node.lease(100, 100)
        node.spent = 1500
        answer = await node.lease(1, 1)
        assert answer.status == "dry" and 1_790_000 < answer.wait_ms < 1_810_000

    run(redis, story, "a", algorithm=BUCKET, period_us=HOUR_US)


def test_a_sliding_window_counts_the_part_of_the_last_one_in_sight(redis):
    async def story(node):
        now = int(time.time() * 1000)
        redis.command("HSET", account(BEFORE), "u", 800)
        node.terms |= {"previous": BEFORE, "window_end_ms": now + 1_800_000}
        answer = await node.lease(0, 0)
        assert 598 <= answer.left <= 602  # half of 800 is still in sight
        await node.lease(answer.left, 600)
        answer = await node.lease(8, 8)
        assert answer.status == "dry" and 10_000 < answer.wait_ms < 60_000

    run(redis, story, "a", algorithm=SLIDING, period_us=HOUR_US)


def test_counters_that_began_anew_are_charged_once(redis):
    """Another boot: what the node had spent stays spent; a cap's count may have been rebuilt."""
    async def story(node):
        await node.lease(300, 300)
        node.spent = 200
        await node.lease()
        for incarnation, spent, left in ((2, 0, 800), (3, 50, 750), (4, 0, 750)):
            again = Node(redis, "a", incarnation=incarnation)
            again.terms, again.epoch, again.seq = node.terms, node.epoch, 10 * incarnation
            again.spent = spent
            assert (await again.lease()).left == left
            await again.store.close()

    run(redis, story, "a")


def test_a_cap_rebuilt_from_the_ledger_goes_on(redis):
    async def story(node):
        await node.lease(300, 300)
        node.spent = 200
        await node.lease()
        again = Node(redis, "a", incarnation=2)
        again.terms, again.epoch, again.seq, again.spent = node.terms, node.epoch, 9, 230
        assert (await again.lease()).left == 770
        await again.store.close()

    run(redis, story, "a")


def test_a_store_that_lost_everything_grants_nothing_until_nodes_have_spoken(redis):
    async def story(first, second):
        await first.lease(400, 400)
        await second.lease(500, 500)
        first.spent, second.spent = 400, 100
        redis.command("FLUSHALL")
        old = first.epoch
        assert (await first.lease(1, 1)).status == "epoch"
        enrolment = await first.enroll()
        assert enrolment.epoch != old and 2900 < enrolment.grace_ms <= 3000
        assert (await first.lease(1, 100)).status == "grace"
        assert (await second.enroll()).grace_ms > 0
        answer = await second.lease()
        assert (answer.status, answer.left) == ("grace", 100)
        redis.command("HSET", EPOCH, "lost", int(time.time() * 1000) - 3001)
        assert (await first.enroll()).grace_ms == 0
        assert (await first.lease(1, 1000)).left == 100 - (first.granted - 400)
        assert first.granted > 400

    run(redis, story, "ab")


def test_a_bucket_lost_with_the_store_begins_empty(redis):
    async def story(node):
        await node.lease(100, 100)
        redis.command("FLUSHALL")
        await node.enroll()
        redis.command("HSET", EPOCH, "lost", int(time.time() * 1000) - 360_000)
        answer = await node.lease(0, 0)
        assert answer.status == "granted" and 100 <= answer.left <= 101

    run(redis, story, "a", algorithm=BUCKET, period_us=HOUR_US)


def test_a_newcomer_that_was_first_after_a_loss_is_corrected_by_who_knows(redis):
    async def story(old):
        await old.lease(400, 400)
        redis.command("FLUSHALL")
        fresh = Node(redis, "z")
        assert (await fresh.enroll()).grace_ms == 0
        assert (await old.enroll()).grace_ms > 0
        assert (await fresh.enroll()).grace_ms > 0
        assert (await old.enroll()).epoch == fresh.epoch
        await fresh.store.close()

    run(redis, story, "a")


def test_a_restarted_server_is_a_new_epoch_even_with_its_file(redis):
    async def story(node):
        first = node.epoch
        redis.command("HSET", EPOCH, "run", "another")
        assert (await node.enroll()).grace_ms > 0 and node.epoch != first

    run(redis, story, "a")


def test_one_account_that_the_server_evicted_waits_for_the_others_too(redis):
    async def story(first, second):
        await first.lease(400, 400)
        await second.lease(300, 300)
        redis.command("DEL", account(KEY))
        assert (await first.lease(1, 100)).status == "grace"
        assert (await second.lease()).left == 300

    run(redis, story, "ab")


def test_a_full_server_a_silent_one_and_none_say_why(redis):
    async def story(node):
        redis.command("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(StoreLost, match="maxmemory"):
            await node.lease(1, 1)
        redis.command("CONFIG", "SET", "maxmemory", "0")
        assert (await node.lease(1, 1)).status == "granted"
        redis.pause()
        with pytest.raises(StoreLost, match="no answer in time"):
            await node.lease(1, 1)
        redis.go_on()
        redis.stop()
        with pytest.raises(StoreLost, match="ConnectionError"):
            await node.lease(1, 1)

    run(redis, story, "a")


def test_scripts_come_back_after_a_flush(redis):
    async def story(node):
        redis.command("SCRIPT", "FLUSH")
        assert (await node.lease(1, 1)).status == "granted"
        await node.store.leave()
        assert (await node.lease(1, 1)).status == "lapsed"

    run(redis, story, "a")
