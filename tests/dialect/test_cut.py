"""Cut: where a stream stands is the same however it was cut into reads.

Method: as test_endings; at every event, byte by byte and at random cuts with a printed seed.
"""

import random

import pytest

from tests.dialect.test_face import APIS, cut_before, told

SEED = 20261121


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
@pytest.mark.parametrize("dialect, operation", APIS)
def test_where_a_stream_stands_does_not_depend_on_cuts(dialect, operation, newline):
    rng = random.Random(SEED)
    print(f"seed {SEED}")
    events = told(operation, newline)
    for number in range(len(events)):
        whole = b"".join(events[: number + 1])
        expected = cut_before(dialect, operation, events, number)
        bytewise = [whole[at : at + 1] for at in range(len(whole))]
        assert cut_before(dialect, operation, events, number, bytewise) == expected
        for _ in range(5):
            marks = sorted(rng.randrange(len(whole)) for _ in range(3))
            pieces = [whole[a:b] for a, b in zip([0, *marks], [*marks, None], strict=True)]
            assert cut_before(dialect, operation, events, number, pieces) == expected
