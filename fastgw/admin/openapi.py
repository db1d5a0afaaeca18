"""The admin API as an OpenAPI 3.1 document."""

from typing import Any

from fastgw import __version__

_SINCE = ("since", "A span (90s, 24h, 7d) or an ISO 8601 time.")
_INSTANCE = ("instance", "Of those that share a database, this one's; self: the one asked.")
_TOKENS = (
    "input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens",
    "reasoning_tokens", "total_tokens",
)


def document() -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {"title": "fastgw admin", "version": __version__},
        "security": [{"token": []}],
        "paths": {
            "/healthz": _get("This process answers.", "Health", open_to_all=True),
            "/readyz": _get(
                "Every worker serves and records are stored; 503 while not.", "Readiness",
                unready="Readiness", open_to_all=True,
            ),
            "/metrics": _get("Prometheus metrics, summed over workers.", None),
            "/api/usage": _get(
                "What was spent.", "UsageRow", many=True,
                query=(_SINCE, ("until", _SINCE[1]), (
                    "by", "Comma-separated: key, model, provider, user, day, owner.NAME, …"),
                    _INSTANCE),
            ),
            "/api/decisions": _get(
                "The newest decisions first.", "Decision", many=True,
                query=(_SINCE, ("verdict", "allow or deny; default: both."),
                       ("limit", "At most so many rows, 1 to 1000; default 100.")),
            ),
            "/api/decisions/{request_id}": _get(
                "One decision, waited for up to 1 s.", "Decision", path=("request_id",),
                query=(_INSTANCE,),
            ),
            "/api/limits": _get(
                "Live buckets.", "LimitRow", many=True,
                query=(("name", "Only this limit."), ("key", "Only buckets with this key.")),
            ),
            "/api/limits/grants": _get(
                "Limits that were changed from outside, the oldest first.", "Grant", many=True),
            "/api/limits/grant": {"post": _change(
                "Forgive `amount` of what a key has used; cost in dollars.", amount=True)},
            "/api/limits/reset": {"post": _change("Forgive all that a key has used.")},
            "/api/config": _get("The configuration in force, without secrets.", "Config"),
            "/api/reload": {"post": _call("Not supported yet: 501.", {"501": _json("Error")})},
            "/api/drain": {"post": _call(
                "Accept no more, finish what runs, stop.", {"202": _json("Health")})},
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(),
        },
    }


def _get(
    summary: str,
    schema: str | None,
    *,
    many: bool = False,
    query: tuple[tuple[str, str], ...] = (),
    path: tuple[str, ...] = (),
    unready: str = "Error",
    open_to_all: bool = False,
) -> dict[str, Any]:
    text = {"description": "ok", "content": {"text/plain": {"schema": {"type": "string"}}}}
    responses = {"200": _json(schema, many) if schema else text, "503": _json(unready)}
    if query or path:
        responses["400"] = _json("Error")
    if path:
        responses["404"] = _json("Error")
    call = _call(summary, responses)
    parameters = [
        {"name": name, "in": "query", "description": why, "schema": {"type": "string"}}
        for name, why in query
    ] + [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in path
    ]
    if parameters:
        call["parameters"] = parameters
    if open_to_all:
        call["security"] = []
        del call["responses"]["401"]
    return {"get": call}


def _change(summary: str, *, amount: bool = False) -> dict[str, Any]:
    members = {"name": _text(), "key": _text()} | (
        {"amount": {"type": "number"}} if amount else {}
    )
    call = _call(summary, {
        "200": _json("Changed"), "400": _json("Error"), "404": _json("Error"),
        "503": _json("Error"),
    })
    shape = {**_object(members), "required": list(members)}
    call["requestBody"] = {"required": True, "content": {"application/json": {"schema": shape}}}
    return call


def _call(summary: str, responses: dict[str, Any]) -> dict[str, Any]:
    return {"summary": summary, "responses": {**responses, "401": _json("Error")}}


def _json(schema: str, many: bool = False) -> dict[str, Any]:
    one: dict[str, Any] = {"$ref": f"#/components/schemas/{schema}"}
    shape = {"type": "array", "items": one} if many else one
    return {"description": schema, "content": {"application/json": {"schema": shape}}}


def _schemas() -> dict[str, Any]:
    integers = {name: {"type": "integer"} for name in _TOKENS}
    interval = {"type": "array", "prefixItems": [{"type": "integer"}] * 2}
    return {
        "Error": _object({"error": _object({"code": _text(), "message": _text()})}),
        "Health": _object({"status": _text()}),
        "Readiness": _object({"status": _text(), "missing": _list(_text())}),
        "Config": {"type": "object"},
        "UsageRow": _object({
            "requests": _whole(), "attempts": _whole(), "denied": _whole(), **integers,
            "cost_nano_usd": _or_null(_whole()),
            "interval": _object({"input_tokens": interval, "output_tokens": interval}),
        }),
        "LimitRow": _object({
            "id": _text(), "name": _text(), "key": _text(), "unit": _text(),
            "enforced": {"type": "boolean"}, "granted": _whole(),
            **{name: _or_null(_whole()) for name in ("used", "held", "limit", "reset_ms")},
        }),
        "Changed": _object({
            "name": _text(), "key": _text(), "unit": _text(), "before": _whole(),
            "after": _whole(),
        }),
        "Grant": _object({
            "time": _text(), "name": _text(), "key": _list({}), "unit": _text(),
            "admin": _text(), "amount": _or_null(_whole()), "before": _whole(),
            "after": _whole(),
        }),
        "Decision": _object({
            "request_id": _text(), "time": _text(), "verdict": {"enum": ["allow", "deny"]},
            "status": _or_null(_whole()), "dialect": _text(), "operation": _text(),
            "model": _text(), "stream": {"type": "boolean"}, "key": {"type": ["object", "null"]},
            "policy_version": _text(), "code": _or_null(_text()), "reason": _or_null(_text()),
            "change": _or_null(_text()), "rules": _list({"type": "object"}),
            "limits": _list({"type": "object"}), "attempts": _list({"type": "object"}),
            "usage": _object({**integers, "provenance": _text()}),
            "phases_us": {"type": "object", "additionalProperties": _whole()},
        }),
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _text() -> dict[str, Any]:
    return {"type": "string"}


def _whole() -> dict[str, Any]:
    return {"type": "integer"}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "type": [schema["type"], "null"]}
