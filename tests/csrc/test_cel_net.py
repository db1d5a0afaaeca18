"""Addresses and networks of CEL against Python's ipaddress.

Method: random addresses, with many zero groups, in every text form that RFC 4291 has; their text
must be the canonical one of RFC 5952, which is what ipaddress writes. Kinds of addresses and
membership are compared over addresses near the borders of special blocks.
"""

import ipaddress
import random

import pytest

from tests.csrc.cel_calls import call, i, s

SEED = 20261121
BLOCKS = ["0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/24",
          "224.0.1.0/24", "239.0.0.0/8", "255.255.255.255/32", "::/128", "::1/128", "fe80::/10",
          "fec0::/10", "ff00::/16", "ff02::/16", "ff12::/16", "2001:db8::/32", "fd00::/8"]


def addresses(count):
    chance = random.Random(SEED)
    print("seed", SEED)
    for _ in range(count):
        if chance.randrange(2):
            yield ipaddress.IPv4Address(chance.getrandbits(32))
        else:
            groups = [chance.choice([0, 0, 0, 1, 0xABC, chance.getrandbits(16)])
                      for _ in range(8)]
            number = sum(group << 16 * n for n, group in enumerate(groups))
            if number >> 32 != 0xFFFF:
                yield ipaddress.IPv6Address(number)


def spellings(address):
    yield str(address)
    if address.version == 6:
        yield address.exploded
        yield address.exploded.upper()
        yield ":".join(f"{int(group, 16):x}" for group in address.exploded.split(":"))


def test_every_spelling_is_one_address():
    for address in addresses(300):
        for text in spellings(address):
            assert call("IP", s(text)) == ("ip", str(address)), text
            assert call("IS_IP", s(text)) == ("bool", True)
            assert call("IP_IS_CANONICAL", s(text)) == ("bool", text == str(address))
        assert call("STRING", ("ip", str(address))) == ("string", str(address))
        assert call("FAMILY", ("ip", str(address))) == ("int", address.version)


@pytest.mark.parametrize("text", [
    "", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", " 1.2.3.4", "1..2.3",
    "1.2.3.4/8", ":", ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::",
    "fe80::1%en0", "::g", "1:2:3:4:5:6:7:8::", "::1.2.3", "1.2.3.4::", "::1.2.3.4:5", "1:", ":1",
    "1:2:3:4:5:6:7:1.2.3.4", "::ffff:1.2.3.4", "0x1.2.3.4", "١.2.3.4"])
def test_what_is_no_address(text):
    assert call("IP", s(text)) == ("error", "PARSE")
    assert call("IS_IP", s(text)) == ("bool", False)


def test_ipv4_inside_of_ipv6():
    assert call("IP", s("::ffff:c0a8:1")) == ("ip", "192.168.0.1")
    assert call("IP", s("64:ff9b::1.2.3.4")) == ("ip", "64:ff9b::102:304")
    assert call("IN", s("::ffff:10.1.2.3"), ("cidr", "10.0.0.0/8")) == ("bool", True)


def kinds(address):
    multicast = address.is_multicast
    local = address in ipaddress.ip_network("169.254.0.0/16" if address.version == 4
                                            else "fe80::/10")
    broadcast = str(address) == "255.255.255.255"
    special = (address.is_loopback, multicast, local, broadcast, address.is_unspecified)
    local_multicast = (address in ipaddress.ip_network("224.0.0.0/24") if address.version == 4
                       else address.packed[0] == 0xFF and address.packed[1] & 15 == 2)
    return {"IS_LOOPBACK": address.is_loopback, "IS_UNSPECIFIED": address.is_unspecified,
            "IS_LINK_LOCAL_UNICAST": local, "IS_LINK_LOCAL_MULTICAST": local_multicast,
            "IS_GLOBAL_UNICAST": not any(special)}


def borders():
    for block in map(ipaddress.ip_network, BLOCKS):
        for number in (int(block[0]) - 1, int(block[0]), int(block[-1]), int(block[-1]) + 1):
            if 0 <= number < 2 ** block.max_prefixlen:
                yield type(block[0])(number)


def test_kinds_of_addresses():
    for address in borders():
        for name, wanted in kinds(address).items():
            assert call(name, ("ip", str(address))) == ("bool", wanted), (name, address)


def test_membership():
    networks = [ipaddress.ip_network(block) for block in BLOCKS]
    for address in borders():
        for network in networks:
            wanted = ("bool", address.version == network.version and address in network)
            ip, cidr = ("ip", str(address)), ("cidr", str(network))
            assert call("IN", ip, cidr) == call("IN", s(str(address)), cidr) == wanted
            assert call("CONTAINS_IP", cidr, ip) == wanted
    for a in networks:
        for b in networks:
            wanted = ("bool", a.version == b.version and b.subnet_of(a))
            assert call("CONTAINS_CIDR", ("cidr", str(a)), ("cidr", str(b))) == wanted
            assert call("CONTAINS_CIDR", ("cidr", str(a)), s(str(b))) == wanted


def test_networks():
    chance = random.Random(SEED)
    for address in addresses(200):
        bits = chance.randrange(address.max_prefixlen + 1)
        text = f"{address}/{bits}"
        cidr = ("cidr", text)

        assert call("CIDR", s(text)) == cidr == call("CIDR", cidr)
        assert call("STRING", cidr) == ("string", text)
        assert call("MASKED", cidr) == ("cidr", str(ipaddress.ip_interface(text).network))
        assert call("PREFIX_LENGTH", cidr) == ("int", bits)
        assert call("IP", cidr) == ("ip", str(address))
        assert call("IS_CIDR", s(text)) == ("bool", True)


@pytest.mark.parametrize("text", [
    "", "/", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/8 ",
    "10.0.0.0/255.0.0.0", "::/129", "fe80::1%en0/24", "::ffff:1.2.3.4/120", "/8", "10.0.0.0/8/8",
    "10.0.0.0/1000"])
def test_what_is_no_network(text):
    assert call("CIDR", s(text)) == ("error", "PARSE")
    assert call("IS_CIDR", s(text)) == ("bool", False)


def test_types():
    assert call("IS_IP", ("cidr", "10.0.0.0/8")) == call("FAMILY", s("10.0.0.1")) == (
        "error", "TYPE")
    assert call("IN", i(1), ("cidr", "10.0.0.0/8")) == ("error", "TYPE")
    assert call("IN", s("somewhere"), ("cidr", "10.0.0.0/8")) == ("error", "PARSE")
    assert call("EQ", ("ip", "10.0.0.1"), ("cidr", "10.0.0.1/32")) == ("bool", False)
    assert call("EQ", ("cidr", "10.0.0.1/8"), ("cidr", "10.0.0.1/9")) == ("bool", False)
