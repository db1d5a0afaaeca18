"""The rule index: no rule that matches is left out, and few that do not are let in.

Method: random rules as terms of atoms and random requests; a walk over the built block is compared
with asking every rule in turn. Hand-made rules then show which work is saved: how many candidates
remain of thousands.
"""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgw.policy.candidates import candidates, verify
from fastgw.policy.index import (
    HAS,
    LEAST,
    MOST,
    NETWORK,
    NUMBER,
    PREFIX,
    RANGE,
    TEXT,
    Atom,
    Tallies,
    build,
)

N_FACTS = 8  # 0..2 texts, 3..4 numbers, 5 a boolean, 6 an address, 7 a text that may be absent
WORDS = ["", "a", "ab", "abc", "abcd", "abcdefgh", "abcdefghi", "b", "gpt-4o", "gpt-4o-mini"]
NUMBERS = [LEAST, -7, -1, 0, 1, 2, 5, 10, 100, MOST]
ADDRESSES = ["10.0.0.1", "10.0.1.1", "10.9.0.1", "192.168.0.1", "::1", "2001:db8::1",
             "2001:db8:1::", "::ffff:10.0.0.1"]
NETWORKS = [(bytes([10, 0, 0, 0]), 8), (bytes([10, 0, 0, 0]), 24), (bytes([10, 0, 1, 1]), 32),
            (bytes(4), 0), (bytes.fromhex("20010db8") + bytes(12), 32), (bytes(15) + b"\1", 128)]
BYTES = {"10.0.0.1": bytes([10, 0, 0, 1]), "10.0.1.1": bytes([10, 0, 1, 1]),
         "10.9.0.1": bytes([10, 9, 0, 1]), "192.168.0.1": bytes([192, 168, 0, 1]),
         "::1": bytes(15) + b"\1", "2001:db8::1": bytes.fromhex("20010db8") + bytes(11) + b"\1",
         "2001:db8:1::": bytes.fromhex("20010db80001") + bytes(10),
         "::ffff:10.0.0.1": bytes([10, 0, 0, 1])}

ATOMS = st.one_of(
    st.builds(Atom, st.just(TEXT), st.sampled_from([0, 1, 2, 7]),
              st.sampled_from([word.encode() for word in WORDS])),
    st.builds(Atom, st.just(PREFIX), st.sampled_from([0, 1, 7]),
              st.sampled_from([word.encode() for word in WORDS if word])),
    st.builds(Atom, st.just(NUMBER), st.sampled_from([3, 4]), st.sampled_from(NUMBERS)),
    st.builds(Atom, st.just(NUMBER), st.just(5), st.sampled_from([0, 1])),
    st.builds(Atom, st.just(HAS), st.sampled_from([0, 3, 7]), st.none()),
    st.builds(Atom, st.just(NETWORK), st.just(6), st.sampled_from(NETWORKS)),
    st.builds(Atom, st.just(RANGE), st.sampled_from([3, 4]),
              st.tuples(st.sampled_from(NUMBERS), st.sampled_from(NUMBERS))),
)
RULES = st.one_of(st.none(), st.lists(st.frozensets(ATOMS, max_size=4), max_size=4))
FACTS = st.tuples(
    st.sampled_from(WORDS), st.sampled_from(WORDS), st.sampled_from([None, *WORDS]),
    st.sampled_from(NUMBERS), st.sampled_from([None, *NUMBERS]), st.booleans(),
    st.sampled_from([None, "nonsense", *ADDRESSES]), st.sampled_from([None, *WORDS]))


def holds(atom: Atom, facts) -> bool:
    fact = facts[atom.fact]
    if fact is None:
        return False
    if atom.kind == HAS:
        return True
    if atom.kind == RANGE:
        return atom.value[0] <= fact <= atom.value[1]
    if atom.kind == NUMBER:
        return int(fact) == atom.value
    if atom.kind == NETWORK:
        network, bits = atom.value
        address = BYTES.get(fact, b"")
        return len(address) == len(network) and (
            int.from_bytes(address) >> 8 * len(network) - bits
            == int.from_bytes(network) >> 8 * len(network) - bits)
    text = fact.encode()
    return text == atom.value if atom.kind == TEXT else text.startswith(atom.value)


def matching(rules, facts) -> list[int]:
    """What each rule says by itself."""
    return [number for number, terms in enumerate(rules) if terms is None or any(
        all(holds(atom, facts) for atom in term) for term in terms)]


@settings(max_examples=400, deadline=None)
@given(st.lists(RULES, max_size=30), st.lists(FACTS, min_size=1, max_size=8))
def test_no_rule_that_matches_is_left_out(rules, requests):
    block = build(rules, N_FACTS).block

    for facts in requests:
        found = candidates(block, facts)
        assert found == sorted(set(found))
        assert set(matching(rules, facts)) <= set(found)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.frozensets(ATOMS.filter(lambda atom: atom.kind != RANGE), min_size=1,
                              max_size=4), max_size=30),
       FACTS.filter(lambda facts: None not in facts and facts[6] in BYTES))
def test_rules_of_keys_alone_are_candidates_only_where_they_match(terms, facts):
    """Where every fact is there, and of each fact a rule asks one thing."""
    rules = [[term] for term in terms if len({atom.fact for atom in term}) == len(term)]

    assert candidates(build(rules, N_FACTS).block, facts) == matching(rules, facts)


def random_policy(rng, count):
    """Many more kinds of conditions than there are probes."""
    rules = []
    for _ in range(count):
        term = {Atom(PREFIX, rng.randrange(3), bytes(rng.choices(b"ab", k=rng.randint(1, 60))))}
        for _ in range(rng.randrange(3)):
            term.add(Atom(TEXT, rng.randrange(3), bytes(rng.choices(b"ab", k=3))))
        if rng.random() < 0.3:
            term.add(Atom(RANGE, rng.choice([3, 4]), (rng.randrange(50), rng.randrange(50, 99))))
        rules.append([frozenset(term)])
    return rules


@pytest.mark.parametrize("seed", range(5))
def test_more_kinds_of_conditions_than_probes_lose_nothing(seed):
    rng = random.Random(seed)
    rules = random_policy(rng, 2000)
    built = build(rules, N_FACTS)

    assert verify(built.block) and built.tallies.probes <= 96
    for _ in range(50):
        facts = ["".join(rng.choices("ab", k=rng.randint(0, 70))) for _ in range(3)]
        facts += [rng.randrange(100), rng.randrange(100), True, "10.0.0.1", None]
        assert set(matching(rules, facts)) <= set(candidates(built.block, facts))


def test_ten_thousand_pairs_leave_one_candidate():
    rules = [[frozenset([Atom(TEXT, 0, b"model-%d" % (i % 100)),
                         Atom(TEXT, 1, b"team-%d" % (i // 100))])] for i in range(10000)]
    built = build(rules, N_FACTS)

    assert built.tallies == Tallies(always=0, probes=1, slots=10000)
    assert candidates(built.block, ["model-7", "team-42"] + [None] * 6) == [4207]
    assert candidates(built.block, ["model-7", "team-100"] + [None] * 6) == []


def test_intervals_that_nest_and_adjoin_are_found_by_all_their_borders():
    ranges = [(LEAST, 10), (0, 9), (10, MOST), (5, 5), (6, 4), (LEAST, MOST), (9, 11)]
    rules = [[frozenset([Atom(RANGE, 3, both)])] for both in ranges]
    block = build(rules, N_FACTS).block

    for number in [LEAST, -1, 0, 4, 5, 6, 8, 9, 10, 11, 12, MOST]:
        facts = [None] * 3 + [number] + [None] * 4
        assert candidates(block, facts) == [
            i for i, (least, most) in enumerate(ranges) if least <= number <= most]


def test_rules_that_share_their_keys_are_told_apart_by_their_intervals():
    rules = [[frozenset([Atom(TEXT, 0, b"chat"), Atom(RANGE, 3, (10 * i, 10 * i + 9))])]
             for i in range(1000)]

    facts = ["chat", None, None, 4321] + [None] * 4

    assert candidates(build(rules, N_FACTS).block, facts) == [432]


def test_of_an_absent_fact_the_first_rules_are_candidates():
    """So that the record can say that they have no value."""
    rules = [[frozenset([Atom(TEXT, 7, b"%d" % i)])] for i in range(100)]
    rules[50] = [frozenset([Atom(HAS, 7)])]
    block = build(rules, N_FACTS).block

    assert candidates(block, ["x"] * 7 + [None]) == list(range(8))
    assert candidates(block, ["x"] * 7 + ["60"]) == [50, 60]


def test_a_rule_with_a_branch_that_says_nothing_is_always_a_candidate():
    rules = [None, [frozenset()], [frozenset([Atom(TEXT, 0, b"a")]), frozenset()], []]
    built = build(rules, N_FACTS)

    assert built.tallies.always == 3
    assert candidates(built.block, [None] * 8) == [0, 1, 2]


def test_a_damaged_block_is_refused_or_stays_inside_itself():
    rng = random.Random(3)
    rules = random_policy(rng, 200)
    rules += [[frozenset([Atom(RANGE, 4, (i, i + 20))])] for i in range(9)]
    whole = build(rules, N_FACTS).block
    facts = ["a" * 30, "ab", "b", 60, 7, False, "::1", "x"]
    refused = 0
    for _ in range(2000):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(whole) if rng.random() < 0.5 else 400)] = rng.randrange(256)
        if not verify(bytes(damaged)):
            refused += 1
            continue
        assert all(rule < 2000 for rule in candidates(bytes(damaged), facts))

    assert refused > 200
    assert not verify(whole[:-8]) and not verify(b"") and not verify(bytes(72))
    with pytest.raises(ValueError, match="no rule index"):
        candidates(bytes(80), facts)
    with pytest.raises(ValueError, match="reads 8 facts"):
        candidates(whole, facts[:7])
