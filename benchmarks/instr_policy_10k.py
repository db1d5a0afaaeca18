"""Phase POLICY: who of 10,000 rules of nine kinds may match a request, by the rule index alone.

The policy is compiled by a process of its own: under callgrind it would take minutes.
"""

import json
import subprocess
import sys
from base64 import b64decode
from typing import Any

from fastgw.policy.trial import walk_often

made: dict[str, Any] = {}


def setup():
    done = subprocess.run([sys.executable, "-m", "benchmarks.policies", "10000"], check=True,
                          capture_output=True)
    made.update(json.loads(done.stdout))
    made["index"] = b64decode(made["index"])


def run(n):
    # The last two rules match; eleven ask for the team of the request, and a boss.
    assert walk_often(made["index"], made["facts"], n) == 13
