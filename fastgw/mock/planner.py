"""From a request to its plan: routes it, checks it, applies what x-mock asks."""

import zlib
from collections import Counter
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import orjson

from fastgw.mock import (
    anthropic,
    azure,
    cohere,
    framing,
    gemini,
    media,
    ollama,
    openai_chat,
    openai_other,
    openai_responses,
    vendors,
)
from fastgw.mock.asked import Asked, parse
from fastgw.mock.books import Books
from fastgw.mock.call import Call, read_call, read_gemini
from fastgw.mock.framing import Answer, Frame
from fastgw.mock.plan import MARK, Plan
from fastgw.mock.refusal import Json, Refusal, anthropic_error, openai_error
from fastgw.mock.shape import Shape, shape_of
from fastgw.mock.words import Words

# By the end of the path, the longest first; the prefix is whatever base_url says.
_ROUTES = (
    *ollama.ROUTES, *cohere.ROUTES, *media.ROUTES,
    ("/messages/count_tokens", "count_tokens"), ("/chat/completions", "chat"),
    ("/responses", "responses"), ("/completions", "completions"),
    ("/embeddings", "embeddings"), ("/moderations", "moderations"), ("/messages", "messages"),
)
_ANTHROPIC = ("messages", "count_tokens")
_GEMINI = ("generate", "embed", "count")
_FREE = ("count_tokens", "moderations", "models", "count", "cohere_rerank")
_EMBEDS: dict[str, Any] = {
    "embeddings": openai_other, "embed": gemini, "ollama_embed": ollama, "cohere_embed": cohere,
}  # fmt: skip
_OTHERS: dict[str, Any] = {"ollama": ollama, "cohere": cohere}
_MODELS: dict[str, Any] = {
    "openai": openai_other, "azure": openai_other, "anthropic": anthropic, "gemini": gemini,
    "ollama": ollama,
}  # fmt: skip
_NO_FAULT = Frame("", b"", 0, False)
_DESK = (b"/healthz", b"/books", b"/books/lines")
_JSON = ("content-type", "application/json")
_BODY_MAX = 64 * 1024 * 1024
_PLANS_MAX = 64 * 1024 * 1024


def route(path: str) -> tuple[str, str]:
    """Operation ("" unknown) and the model that a models path names."""
    for ending, operation in _ROUTES:
        if path.endswith(ending):
            return operation, ""
    if path.endswith("/api/tags"):
        return "models", ""
    before, found, name = path.rpartition("/models")
    if found and (not name or (name.startswith("/") and len(name) > 1)):
        return "models", name[1:]
    return "", ""


def _key_in(target: bytes) -> str:
    """The query's `key`, as Google's API takes it."""
    return parse_qs(target.partition(b"?")[2].decode("latin-1")).get("key", [""])[0]


def credential_text(credential: bytes | None) -> str:
    """The key itself, without `Bearer`."""
    text = (credential or b"").decode("latin-1")
    scheme, _, rest = text.partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else text


class Api(NamedTuple):
    """Whose API a request is for; `events`: a stream is to come as events, not as an array."""

    name: str
    events: bool = True

    @property
    def form(self) -> str:
        if self.name == "ollama":
            return "lines"
        if self.name != "gemini":
            return "sse"
        return "crlf" if self.events else "array"


def _api(operation: str, target: bytes, by_anthropic: bool, by_google: bool) -> Api:
    for name, module in _OTHERS.items():
        if operation in module.OPERATIONS:
            return Api(name)
    if azure.place_of(target.partition(b"?")[0].decode("latin-1")):
        return Api("azure")
    shared = operation in ("models", "")
    if shared and b"/api/" in target:
        return Api("ollama")
    if operation in _GEMINI or (shared and (by_google or b"/v1beta" in target)):
        return Api("gemini", b"alt=sse" in target)
    if operation in _ANTHROPIC or (shared and by_anthropic):
        return Api("anthropic")
    return Api("openai")


def _headers(api: Api, stream: bool, model: str = "") -> tuple[tuple[str, str], ...]:
    if api.name == "azure":
        return azure.headers(stream, model)
    if api.name == "gemini":
        return gemini.headers(stream, api.events)
    if api.name in _OTHERS:
        headers: tuple[tuple[str, str], ...] = _OTHERS[api.name].headers(stream)
        return headers
    kind = "text/event-stream; charset=utf-8" if stream else "application/json"
    request_id = "req_" + MARK.decode()
    if api.name == "anthropic":
        return (("content-type", kind), ("request-id", request_id),
                ("anthropic-organization-id", "mock"))
    return (("content-type", kind), ("x-request-id", request_id), ("openai-version", "2020-10-01"),
            ("openai-processing-ms", "12"), ("openai-organization", "mock"))


def _inflated(body: bytes, encoding: bytes | None) -> bytes:
    if not encoding or encoding.lower() == b"identity":
        return body
    if encoding.lower() not in (b"gzip", b"deflate"):
        raise Refusal(415, f"content-encoding {encoding.decode('latin-1')!r} is not supported")
    try:
        return zlib.decompressobj(wbits=47).decompress(body, _BODY_MAX)
    except zlib.error as error:
        raise Refusal(400, f"the body is not what content-encoding says: {error}") from None


# What renders an operation's answers; those that are not here, openai_chat does.
_MODULES: dict[str, Any] = {
    "responses": openai_responses, "messages": anthropic, "generate": gemini,
    **dict.fromkeys(media.OPERATIONS, media), **dict.fromkeys(ollama.OPERATIONS, ollama),
    **dict.fromkeys(cohere.OPERATIONS, cohere),
}  # fmt: skip


def _fault(call: Call, asked: Asked, api: Api) -> Frame:
    """What tells of an error within a stream."""
    message, code = "The mock was asked to fail here.", asked.error or "server_error"
    if api.name == "gemini":
        return gemini.fault(asked.error, api.events)
    if api.name == "ollama":
        return Frame("", orjson.dumps(ollama.error(message)), 0, False)
    if api.name == "cohere":
        return cohere.fault(message)
    if call.operation == "messages":
        told = anthropic_error(529, message, asked.error or "overloaded_error")
        return Frame("error", orjson.dumps(told), 0, False)
    if call.operation == "responses":
        return Frame("error", openai_responses.fault(message, code), 0, False)
    return Frame("", orjson.dumps(openai_error(500, message, code)), 0, False)


class Planner:
    """Makes plans; `keys` restricts credentials, None takes any that is not empty."""

    def __init__(self, defaults: Asked, seed: int, keys: frozenset[str] | None,
                 books: Books) -> None:
        self._defaults = defaults
        self._words = Words(seed)
        self._keys = keys
        self._books = books
        self._calls_by_tag: Counter[bytes] = Counter()
        self._asks: dict[bytes, Asked] = {}
        self._plans: dict[tuple[object, ...], Plan] = {}
        self._plans_size = 0

    def __call__(self, method: bytes, target: bytes, credential: bytes | None, by_anthropic: bool,
                 old: bool, x_mock: bytes | None, tag: bytes | None, encoding: bytes | None,
                 body: bytes | None, by_google: bool = False) -> Plan:
        path = target.partition(b"?")[0].decode("latin-1")
        if path.encode("latin-1") in _DESK:
            return self._desk(method, path, old)
        operation, name, stream = gemini.route(path)
        if not operation:
            operation, name, stream = anthropic.route(path)
        if not operation:
            operation, name = route(path)
        api = _api(operation, target, by_anthropic, by_google)
        key = credential_text(credential) or _key_in(target)
        asked = self._defaults
        call = Call(operation, name, stream)
        try:
            asked = self._asked(x_mock)
            self._admit(method, path, operation, key, asked)
            if api.name == "gemini" and operation in _GEMINI and body is not None:
                call = read_gemini(operation, name, stream, _inflated(body, encoding), asked.tool)
            elif api.name in _OTHERS and operation in _MODULES and body is not None:
                call = _OTHERS[api.name].read(operation, _inflated(body, encoding), asked.tool)
            elif operation != "models" and body is not None and not asked.reset:
                call = self._read(operation, name, stream, path, target,
                                  _inflated(body, encoding), asked)
            asked = self._for_whom(asked, key, call.model, tag)
            # Prompts differ more than their answers do: most plans are known by this.
            made = (call.shape(), None if asked is self._defaults else asked, api, old, key, path)
            return self._plans.get(made) or self._keep(
                made, self._plan(call, asked, api, old, key, path))
        except Refusal as refusal:
            cacheable = not (asked.times or asked.record)
            options = self._options(call, asked, key, path, refusal.status, None)
            options |= {"cacheable": cacheable, "bodiless": method == b"HEAD"}
            return self._refused(refusal, asked, api, old, options)

    def _read(self, operation: str, model: str, stream: bool, path: str, target: bytes,
              raw: bytes, asked: Asked) -> Call:
        place = azure.place_of(path)
        if place is not None:
            azure.check(place, path, target, raw)
        deployment = place.deployment if place else ""
        if operation in media.OPERATIONS:
            return media.read(operation, raw, deployment)
        vendors.check(vendors.vendor_of(path), raw)
        call = read_call(operation, raw, asked.tool, deployment or model)
        if place is None:
            call.vendor = vendors.vendor_of(path)
            call.stream = call.stream or stream
            return call
        call.filter = asked.filter
        if call.filter == "prompt":
            raise azure.filtered()
        return call

    # ---- who may

    def _asked(self, x_mock: bytes | None) -> Asked:
        if not x_mock:
            return self._defaults
        asked = self._asks.get(x_mock)
        if asked is not None:
            return asked
        try:
            asked = parse(x_mock.decode("latin-1"), self._defaults)
            if len(self._asks) < 4096:
                self._asks[x_mock] = asked
            return asked
        except ValueError as error:
            raise Refusal(400, str(error), "invalid_x_mock") from None

    def _admit(self, method: bytes, path: str, operation: str, key: str, asked: Asked) -> None:
        if not key and "/api/" not in path:  # Ollama's server asks for none
            raise Refusal(401, "You didn't provide an API key.", "")
        if self._keys is not None and key and key not in self._keys:
            raise Refusal(401, f"Incorrect API key provided: {key[-4:]!r}.", "")
        if not operation:
            raise Refusal(404, f"Unknown request URL: {path}", "unknown_url")
        if method != (b"GET" if operation == "models" else b"POST"):
            raise Refusal(405, f"Not allowed to {method.decode('latin-1')} on {path}", "method")
        if asked.early:
            raise Refusal(asked.status if asked.status >= 400 else 413, "Answered early.",
                          asked.error)

    def _for_whom(self, asked: Asked, key: str, model: str, tag: bytes | None) -> Asked:
        """The options, or none of them where they are for others."""
        if asked.only_key not in ("", key) or asked.only_model not in ("", model):
            return self._defaults
        if asked.times:
            self._calls_by_tag[tag or b""] += 1
            if self._calls_by_tag[tag or b""] > asked.times:
                return replace(self._defaults, times=asked.times)
        return asked

    # ---- what is said

    def _keep(self, made: tuple[object, ...], plan: Plan) -> Plan:
        if plan.cacheable:
            self._plans_size += len(plan.wire) + 1024
            if self._plans_size > _PLANS_MAX:
                self._plans.clear()
                self._plans_size = len(plan.wire)
            self._plans[made] = plan
        return plan

    def _plan(self, call: Call, asked: Asked, api: Api, old: bool, key: str, path: str) -> Plan:
        if asked.reset:
            options = self._options(call, asked, key, path, 0, None)
            return Plan(b"", [], {**options, "finish": "reset"})
        if asked.status >= 400:
            raise Refusal(asked.status, f"The mock was asked for status {asked.status}.",
                          asked.error)
        if asked.status in (204, 304) or 300 <= asked.status < 400:
            raise Refusal(asked.status, "")
        if call.operation in _FREE:
            shape = None
            answer = self._free(call, api)
        else:
            shape = shape_of(call, asked, self._words)
            answer = self._render(call, shape, asked, api)
        if asked.status:
            answer = answer._replace(status=asked.status)
        options = self._options(call, asked, key, path, answer.status, shape)
        frame = framing.streamed if answer.frames is not None else framing.whole
        return frame(answer, asked, old, options)

    def _free(self, call: Call, api: Api) -> Answer:
        if call.operation == "count":
            body = gemini.count(call)
        elif call.operation == "count_tokens":
            body = orjson.dumps({"input_tokens": call.input_tokens})
        elif call.operation == "cohere_rerank":
            body = cohere.rerank(call)
        elif call.operation == "moderations":
            body = openai_other.moderations(call)
        elif call.model:
            body = orjson.dumps(_MODELS[api.name].model(call.model))
        else:
            body = _MODELS[api.name].models()
        return Answer(200, _headers(api, False), body, None, _NO_FAULT, 0, 0)

    def _render(self, call: Call, shape: Shape, asked: Asked, api: Api) -> Answer:
        frames, body = None, b""
        if call.operation in _EMBEDS:
            shape.output_tokens = shape.reasoning = 0
            body = _EMBEDS[call.operation].embeddings(call, shape, self._words)
        else:
            module = _MODULES.get(call.operation, azure if api.name == "azure" else openai_chat)
            if call.vendor and call.stream:
                frames = vendors.frames(call.vendor, call, shape)
            elif call.vendor:
                body = vendors.body(call.vendor, call, shape)
            elif call.stream:
                frames = module.frames(call, shape)
            else:
                body = module.body(call, shape)
        headers = _headers(api, call.stream, call.model)
        if call.operation in media.OPERATIONS:
            media.bill(call, shape)
            if not call.stream:
                headers = (("content-type", media.content_type(call)), *headers[1:])
        return Answer(200, headers, body, frames,
                      _fault(call, asked, api), shape.output_tokens, shape.reasoning, api.form)

    def _refused(self, refusal: Refusal, asked: Asked, api: Api, old: bool,
                 options: Json) -> Plan:
        empty = refusal.status < 400
        stream = b'"stream":true' in options["line"]
        if empty:
            body = b""
        elif api.name == "gemini":
            body = gemini.refusal_body(refusal, stream and not api.events, asked.retry_after)
        elif api.name in _OTHERS:
            body = orjson.dumps(_OTHERS[api.name].error(str(refusal)))
        elif api.name == "azure":
            body = orjson.dumps(azure.error(refusal))
        else:
            body = refusal.body(api.name == "anthropic")
        # Google calls an error to a stream of events one, too.
        headers = _headers(api, stream and api.name == "gemini")
        answer = Answer(refusal.status, headers, body, None, _NO_FAULT, 0, 0)
        asked = replace(asked, malformed=False) if empty else asked
        return framing.whole(answer, asked, old, options)

    def _options(self, call: Call, asked: Asked, key: str, path: str, status: int,
                 shape: Shape | None) -> Json:
        """What the plan says beside its bytes: timing, tokens, and how the books name it."""
        line = orjson.dumps({"model": call.model, "credential": key, "path": path,
                             "stream": call.stream, "status": status, "billed": shape is not None})
        module = _MODULES.get(call.operation)
        prefix = module.PREFIX if module else openai_chat.PREFIX.get(call.operation, "")
        options = {
            "status": status, "billed": shape is not None, "booked": True,
            "cacheable": not (asked.times or asked.record), "delay": asked.delay,
            "pace": asked.pace, "batch": asked.batch, "drip": asked.bytes,
            "bill_all": asked.bill_all, "id_prefix": prefix.encode(), "line": line[1:-1],
            "book_key": f"{call.model}|{key}".encode("utf-8", "replace"),
        }
        if shape is not None:
            embeds = call.operation in _EMBEDS
            options |= {
                "input_tokens": shape.input_tokens, "cached_tokens": shape.cached,
                "cache_write_tokens": shape.cache_write,
                "reasoning_tokens": 0 if embeds else shape.reasoning,
            }
        return options

    # ---- the mock's own desk

    def _desk(self, method: bytes, path: str, old: bool) -> Plan:
        status, kind, body = 200, _JSON, b'{"status":"ok"}'
        if path == "/books" and method == b"DELETE":
            self._books.reset()
            self._calls_by_tag.clear()
            body = b'{"calls":0,"by":{}}'
        elif method != b"GET":
            status, body = 405, b'{"error":"method"}'
        elif path == "/books":
            body = orjson.dumps(self._books.sums())
        elif path == "/books/lines":
            kind, body = ("content-type", "application/jsonl"), self._books.lines()
        answer = Answer(status, (kind,), body, None, _NO_FAULT, 0, 0)
        return framing.whole(answer, Asked(), old, {"status": status, "cacheable": False})
