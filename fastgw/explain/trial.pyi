from typing import Any

from fastgw.explain.refusal import Explainer

DEFAULTS: dict[str, Any]

def refuse(explainer: Explainer, code: int, dialect: int, **wanted: Any) -> bytes: ...
