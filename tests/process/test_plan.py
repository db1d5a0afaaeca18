"""The plan: compiled once, and told to those who read the data directory.

Method: configurations as text; that it serves is shown by every test of the whole gateway.
"""

import pytest

from fastgw.config import examine_text
from fastgw.errors import ConfigError
from fastgw.process.plan import Plan

PROVIDERS = """\
providers: [{id: openai, dialect: openai, base_url: "http://127.0.0.1:9/v1", keys: [{value: k}]}]
"""
POLICY = """\
usage: {labels: {feature: "req.headers['x-feature']"}}
policy:
  on_http_request:
    - actions:
        - type: rate-limit
          config: {name: pace, unit: requests, capacity: 60, per: 1m, bucket_key: ["key.id"]}
"""


def plan(text: str) -> Plan:
    config, errors, _ = examine_text(PROVIDERS + text, "test.yaml")
    assert not errors
    return Plan(config)


def test_describes_limits_and_labels_by_name():
    made = plan(POLICY)

    assert made.describe() == {
        "version": made.config.version,
        "labels": ["feature"],
        "shadows": [],
        "limits": [{
            "name": "pace", "unit": "requests", "algorithm": "token_bucket", "capacity": 60,
            "period_ns": 60 * 10**9, "window": "", "time_zone": "", "enforced": True,
        }],
    }


def test_a_configuration_that_does_not_compile_has_no_plan():
    with pytest.raises(ConfigError, match="test.yaml:"):
        plan(POLICY.replace("key.id", "key.nonsense"))
