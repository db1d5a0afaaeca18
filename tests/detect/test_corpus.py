"""How much of what is there is found, and how much of what is found is there.

Method: the corpus of tests/detect/corpus.py, made from a printed seed; recall by kind over its
positives, and false finds over all texts that only look dangerous. Thresholds are asserted;
`python -m benchmarks.bench_detect` prints the table.
"""

import pytest

from tests.csrc.detect_native import KINDS, find
from tests.detect.corpus import NEGATIVES, negatives, positives

SEED, COUNT = 20261121, 300
RECALL = {"api_key": 0.98, "private_key": 0.99, "payment_card": 0.98, "us_ssn": 0.98,
          "email": 0.98, "phone": 0.97, "iban": 0.98, "jwt": 0.99}
# False finds per text. (Of numbers that nobody calls anything see test_examples.py.)
FALSE = {"sixteen digits": 0.01, "order number": 0.01}


@pytest.mark.parametrize("kind", KINDS)
def test_recall_of_each_kind(kind):
    print("seed", SEED)
    texts = list(positives(kind, COUNT, SEED))
    missed = [text for text in texts if kind not in [one[2] for one in find(text.encode())]]
    assert 1 - len(missed) / COUNT >= RECALL[kind], (len(missed), missed[:5])


@pytest.mark.parametrize("name", NEGATIVES)
def test_texts_that_only_look_dangerous(name):
    print("seed", SEED)
    found = [(text, hits) for text in negatives(name, COUNT, SEED)
             if (hits := find(text.encode()))]
    assert len(found) / COUNT <= FALSE.get(name, 0.0), (len(found), found[:5])


def test_precision_over_the_whole_corpus():
    right = wrong = 0
    for kind in KINDS:
        for text in positives(kind, COUNT, SEED):
            kinds = [one[2] for one in find(text.encode())]
            right += kind in kinds
            wrong += len([one for one in kinds if one != kind])
    for name in NEGATIVES:
        wrong += sum(len(find(text.encode())) for text in negatives(name, COUNT, SEED))
    assert right / (right + wrong) >= 0.97, (right, wrong)
