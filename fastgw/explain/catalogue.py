"""The error catalogue: what each FGW code means, why it happens and what helps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

import yaml

from fastgw.dialect import anthropic, openai
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
        return openai.KINDS[self.kind][0]

    @property
    def openai_code(self) -> str | None:
        return openai.KINDS[self.kind][1]

    @property
    def anthropic_type(self) -> str:
        return anthropic.KINDS[self.kind]


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
