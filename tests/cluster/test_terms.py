"""Terms: which window a wallet belongs to, from the low bits that its grant carries.

Method: every window of a long row is named by its low bits at an instant within it, and found.
"""

from fastgw.cluster.terms import CALENDAR_STEP_NS, Terms, terms_of

S = 10**9
NOW = 1_790_000_000 * S


def bounds(window, time_zone, wall_ns):
    """Days of 25 hours, from an instant with half an hour: only the start matters here."""
    return wall_ns, wall_ns + 25 * 3600 * S


def test_a_fixed_window_is_found_whenever_it_is_asked_for():
    terms = Terms(0, "n", "requests", 4, 10, 60 * S)
    for ago in (0, 1, 59, 60, 3600, 86400 * 300):
        start = (NOW - ago * S) // (60 * S) * 60 * S
        low = start // (60 * S) % (1 << 22)
        assert terms.window_of(low, NOW, bounds) == (start, start + 60 * S)


def test_a_worker_whose_clock_is_ahead_names_the_next_window():
    terms = Terms(0, "n", "requests", 5, 10, 60 * S)
    start = (NOW // (60 * S) + 1) * 60 * S
    assert terms.window_of(start // (60 * S) % (1 << 22), NOW, bounds)[0] == start


def test_a_calendar_window_is_found_by_its_quarter_of_an_hour():
    terms = Terms(0, "n", "cost", 3, 10, 0, "day", "Asia/Kolkata")
    start = (NOW - 20 * 3600 * S) // CALENDAR_STEP_NS * CALENDAR_STEP_NS
    assert terms.window_of(start // CALENDAR_STEP_NS % (1 << 22), NOW, bounds) == (
        start, start + 25 * 3600 * S)


def test_buckets_and_totals_have_no_window():
    assert Terms(0, "n", "requests", 1, 10, 60 * S).window_of(7, NOW, bounds) == (0, 0)
    assert Terms(0, "n", "cost", 3, 10, 0, "total").window_of(7, NOW, bounds) == (0, 0)


def test_only_clustered_limits_have_terms():
    spec = {"name": "a", "unit": "requests", "algorithm": "token_bucket", "capacity": 5,
            "period_ns": S, "on_store_loss": "open"}
    found = terms_of([spec, spec | {"cluster": True, "name": "b"}])
    assert list(found) == [1]
    assert (found[1].name, found[1].store_loss, found[1].algorithm) == ("b", "open", 1)
