"""The error catalogue: what each FGW code means, why it happens and what helps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

import yaml

from fastgw.errors import Code


@dataclass(frozen=True, slots=True)
class Entry:
    """One code. ``retry``: waiting can help. The types are those the provider itself would use."""

    code: Code
    status: int
    kind: str
    retry: bool
    title: str
    cause: str
    remedy: str

    @property
    def text(self) -> str:
        return self.code.text

    @property
    def phase(self) -> str:
        """Where it arises; '' for defects, which know no phase."""
        if self.code >= 990:
            return ""
        return "stream" if self.code >= 950 else _PHASES[self.code // 100 * 100]

    @property
    def openai_type(self) -> str:
        return _OPENAI[self.kind][0]

    @property
    def openai_code(self) -> str | None:
        return _OPENAI[self.kind][1]

    @property
    def anthropic_type(self) -> str:
        return _ANTHROPIC[self.kind]


_PHASES = {
    100: "head",
    200: "dialect",
    300: "authenticate",
    400: "body",
    500: "identify",
    600: "policy",
    700: "route",
    800: "limit",
    900: "upstream",
}

# kind -> (type, code) of an OpenAI error.
_OPENAI: dict[str, tuple[str, str | None]] = {
    "invalid": ("invalid_request_error", None),
    "too_large": ("invalid_request_error", None),
    "context": ("invalid_request_error", "context_length_exceeded"),
    "authentication": ("invalid_request_error", "invalid_api_key"),
    "permission": ("invalid_request_error", "permission_denied"),
    "not_found": ("invalid_request_error", None),
    "model": ("invalid_request_error", "model_not_found"),
    "requests": ("requests", "rate_limit_exceeded"),
    "tokens": ("tokens", "rate_limit_exceeded"),
    "quota": ("insufficient_quota", "insufficient_quota"),
    "overloaded": ("server_error", "service_unavailable"),
    "timeout": ("server_error", "timeout"),
    "server": ("server_error", None),
}

# kind -> type of an Anthropic error.
_ANTHROPIC = {
    "invalid": "invalid_request_error",
    "too_large": "request_too_large",
    "context": "request_too_large",
    "authentication": "authentication_error",
    "permission": "permission_error",
    "not_found": "not_found_error",
    "model": "not_found_error",
    "requests": "rate_limit_error",
    "tokens": "rate_limit_error",
    "quota": "rate_limit_error",
    "overloaded": "overloaded_error",
    "timeout": "timeout_error",
    "server": "api_error",
}


@cache
def entries() -> dict[int, Entry]:
    """All entries, by code number."""
    text = (resources.files(__package__) / "catalogue.yaml").read_text()
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found = {}
    for row in yaml.load(text, loader):
        code = Code(row.pop("code"))
        if code.name != row.pop("name"):
            raise ValueError(f"catalogue: {code.text} has another name in fastgw.errors")
        found[code.value] = Entry(code=code, **row)
    return found


def entry(code: int | str) -> Entry:
    """The entry of a code: 804, "804", "FGW-804" or "LIMIT_CAP". Raises KeyError."""
    if isinstance(code, str):
        name = code.strip().upper()
        if name in Code.__members__:
            return entries()[Code[name].value]
        code = int(name.removeprefix("FGW-")) if name.removeprefix("FGW-").isdigit() else -1
    return entries()[int(code)]


def url(code: int) -> str:
    """Names the code for programs; `fastgw errors FGW-nnn` shows its entry."""
    return f"urn:fastgw:error:FGW-{code:03d}"
