"""Who speaks the openai wire dialect with habits of its own: one row a vendor.

Answers need no row: the meter reads what each of them sends. A row says what to ask for.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vendor:
    """``host``: of its public API, by which the price table knows it; "": it has none.

    ``path``: what a base URL without a path stands for; the vendor's own SDK has it in its paths.
    ``usage_option``: streams bear usage only where `stream_options.include_usage` asks for it.
    Without it they always do, and the member is not put in: Mistral refuses those that it does not
    know. ``old_limit_name``: chat's limit is `max_tokens`, whatever the model. ``credential`` and
    ``tokens`` as a `Face` has them.
    """

    name: str
    host: str
    path: str
    usage_option: bool = True
    old_limit_name: bool = False
    credential: str = "authorization: Bearer "
    tokens: tuple[str, ...] = ()


VENDORS: dict[str, Vendor] = {vendor.name: vendor for vendor in (
    # Its v1 API: a deployment's name stands for the model. Tokens of Entra are JWTs.
    Vendor("azure", "", "/openai/v1", credential="api-key: ", tokens=("eyJ",)),
    Vendor("mistral", "api.mistral.ai", "/v1", usage_option=False, old_limit_name=True),
    Vendor("deepseek", "api.deepseek.com", "/v1", old_limit_name=True),
    Vendor("groq", "api.groq.com", "/openai/v1"),
    Vendor("xai", "api.x.ai", "/v1"),
    Vendor("openrouter", "openrouter.ai", "/api/v1", usage_option=False),
    Vendor("together", "api.together.xyz", "/v1", old_limit_name=True),
    Vendor("perplexity", "api.perplexity.ai", "", usage_option=False, old_limit_name=True),
    Vendor("vllm", "", "/v1"),
)}  # fmt: skip
