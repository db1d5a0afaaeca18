from collections.abc import Mapping
from typing import Any, final

from fastgw.config.model import AccessKey, Config, RouteTo, Rule
from fastgw.errors import ConfigError
from fastgw.policy.blob import Blob
from fastgw.policy.index import Tallies
from fastgw.policy.limits import LimitSpec
from fastgw.policy.patterns import Patterns
from fastgw.policy.tracing import Tracer

SCALARS: tuple[str, ...]
LIMITS_HINT: str
INDEXED_RULES: int
ALWAYS_MANY: int
COMPILED_KEPT: int
VOLATILE: tuple[str, ...]
AT_THE_END: tuple[type, ...]

def limit_identities(rule: Rule) -> frozenset[tuple[bytes, tuple[str, ...]]]:
    """The limits of a rule, each once: those of one identity with the same keys are one."""

@final
class PrincipalPart:
    """``access`` and ``limits`` of one access key, compiled."""

    @property
    def key_id(self) -> str: ...

@final
class Policy:
    """The compiled policy of ``config``.

    Raises ConfigError, with the place inside the file, for an expression that does not compile.
    """

    version: str
    version_hash: int
    facts_used: int
    sources_used: int
    n_facts: int
    dynamic_facts: tuple[tuple[str, str], ...]
    limits: list[LimitSpec]
    messages: tuple[bytes, ...]
    detects: list[dict[str, Any]]
    patterns: Patterns
    labels: tuple[str, ...]
    routes: tuple[RouteTo, ...]
    removals: tuple[tuple[bytes, ...], ...]
    logs: tuple[tuple[str, Any], ...]
    warnings: list[ConfigError]
    blob: Blob
    index: Tallies
    answers: bool
    ends: bool
    says: bool
    tracer: Tracer | None

    def __init__(self, config: Config) -> None: ...
    def part(self, key_id: str) -> PrincipalPart | None:
        """The part of a key of the configuration, or of one compiled since."""
    def compile_part(self, key: AccessKey) -> PrincipalPart:
        """Compiles a key made while the gateway runs. May append to ``limits``."""
    def names(self) -> list[tuple[int, int, str]]:
        """(space, hash, text) of every name this policy can put into a record: FGW_NAME_RULE,
        FGW_NAME_LIMIT. Posted once after a start or reload."""
    def reseed(self, seed: int) -> None:
        """What random() goes on from."""
    def decide(self, facts: Mapping[str, Any], key_id: str | None = None) -> dict[str, Any]:
        """Runs the policy over named facts ("ai.model", "req.headers.x-a"): for tests,
        `policy simulate` and benches. The effects as a dict."""
    def decide_answer(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """The same for the rules of an answer's head; variables and results are given as well
        ("vars.tier", "actions.restrict_ips.action")."""
