"""Blocks of addresses as ranges that do not overlap.

Method: what one search finds is compared with looking at every block, for addresses at the borders
of all blocks and random ones (seed printed).
"""

import ipaddress
import random

from fastgw.policy.addresses import ranges


def number(address):
    parsed = ipaddress.ip_address(address)
    return int(parsed) + ((0xFFFF << 32) if parsed.version == 4 else 0)


def blocks(*texts):
    return tuple((text, ipaddress.ip_network(text)) for text in texts)


def find(found, at):
    return next((one for one in found if one.first <= at <= one.last), None)


def test_the_smallest_block_decides():
    found = ranges(blocks("10.0.0.0/8", "10.1.0.0/16"), ())

    assert find(found, number("10.1.2.3")).text == "10.1.0.0/16"
    assert find(found, number("10.2.0.0")).text == "10.0.0.0/8"
    assert find(found, number("11.0.0.0")) is None


def test_a_denied_block_wins_over_a_smaller_allowed_one():
    found = ranges(blocks("10.1.2.0/24"), blocks("10.0.0.0/8"))

    assert find(found, number("10.1.2.3")).denied


def test_families_do_not_mix():
    found = ranges(blocks("0.0.0.0/0"), ())

    assert find(found, number("255.255.255.255")) and not find(found, number("2001:db8::1"))


def test_the_same_block_twice_is_denied():
    found = ranges(blocks("10.0.0.0/8"), blocks("10.0.0.0/8"))

    assert [(one.text, one.denied) for one in found] == [("10.0.0.0/8", True)]


def test_random_blocks_decide_as_a_look_at_each_of_them_does():
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    for _ in range(60):
        drawn = []
        for _ in range(chance.randrange(1, 12)):
            bits = chance.choice((0, 1, 4, 8, 9, 24, 31, 32))
            base = chance.choice((0x0A000000, 0x0A010000, 0, 2**32 - 1)) + chance.randrange(4)
            drawn.append(ipaddress.ip_network((base % 2**32, bits), strict=False))
        allow = tuple((f"a{i} {block}", block) for i, block in enumerate(drawn[::2]))
        deny = tuple((f"d{i} {block}", block) for i, block in enumerate(drawn[1::2]))
        found = ranges(allow, deny)
        assert all(one.last < other.first for one, other in zip(found, found[1:], strict=False))
        edges = {int(block.network_address) for block in drawn} | {
            int(block.broadcast_address) for block in drawn}
        for at in {edge + step for edge in edges for step in (-1, 0, 1)}:
            if not 0 <= at < 2**32:
                continue
            address = ipaddress.ip_address(at)
            denied = any(address in block for _, block in deny)
            allowed = any(address in block for _, block in allow)
            one = find(found, number(str(address)))
            assert (one is not None) == (denied or allowed)
            if one is not None:
                decides = [block.prefixlen for text, block in (deny if denied else allow)
                           if address in block]
                assert one.denied == denied
                assert one.text.endswith(f"/{max(decides)}")
