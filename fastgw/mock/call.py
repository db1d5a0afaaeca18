"""A request as a provider understands it: what is asked, of which model, how much it weighs."""

from dataclasses import dataclass, field

import orjson

from fastgw.mock.refusal import Json, Refusal

# Where text stands in messages, content parts, tool results and items of any dialect.
_TEXT_KEYS = ("text", "content", "input", "arguments", "output", "thinking", "parts", "args",
              "functionCall", "functionResponse", "response", "result")  # fmt: skip
_LIMITS = {
    "chat": ("max_completion_tokens", "max_tokens"),
    "completions": ("max_tokens",),
    "responses": ("max_output_tokens",),
    "messages": ("max_tokens",),
}


@dataclass(slots=True)
class Call:
    """`limit`: output tokens for each choice, None without; `tool`: the tool to call, or None."""

    operation: str
    model: str
    stream: bool = False
    choices: int = 1
    limit: int | None = None
    include_usage: bool = False
    input_tokens: int = 0
    tool: Json | None = None
    inputs: int = 1
    dimensions: int = 256
    base64: bool = False
    vendor: str = ""  # whose habits the answer has
    filter: str = ""  # what Azure's content filter does
    echoed: Json = field(default_factory=dict)

    def shape(self) -> tuple[object, ...]:
        """Calls of one shape get the same answer but for id and date."""
        return (self.operation, self.model, self.stream, self.choices, self.limit,
                self.include_usage, self.input_tokens, self.inputs, self.dimensions,
                self.base64, self.vendor,
                orjson.dumps([self.tool, self.echoed]) if self.tool or self.echoed else b"")


def text_bytes(value: object) -> int:
    """UTF-8 bytes of all text in a message, a part, an item, or a list of them."""
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, list):
        return sum(text_bytes(item) for item in value)
    if isinstance(value, dict):
        return sum(text_bytes(value[key]) for key in _TEXT_KEYS if key in value)
    return 0


def message_tokens(messages: object, system: object, tools: object) -> int:
    """3 a message, and a quarter of the bytes of all text and of the tools' JSON."""
    count = len(messages) if isinstance(messages, list) else 1
    size = text_bytes(messages) + text_bytes(system)
    size += len(orjson.dumps(tools)) if isinstance(tools, list) and tools else 0
    return 3 * count + -(-size // 4)


def input_tokens(value: object) -> int:
    """Of a prompt or an embedding's input: text, token numbers, or a list of either."""
    if isinstance(value, str):
        return max(1, -(-text_bytes(value) // 4))
    if isinstance(value, list):
        return sum(1 if isinstance(item, int) else input_tokens(item) for item in value)
    return 0


def _int(body: Json, name: str, low: int, high: int) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise Refusal(400, f"Invalid value for '{name}': {value!r}.", "invalid_value", name)
    return value


def limit_of(body: Json, *names: str) -> int | None:
    """The smallest of these members that is given."""
    given = [_int(body, name, 1, 10**9) for name in names]
    return min((limit for limit in given if limit is not None), default=None)


def _wants_tool(body: Json, turns: object) -> bool:
    """A tool is called where the request insists, or its last turn says `tool=1`."""
    choice = body.get("tool_choice")
    if choice in ("required", "REQUIRED") or (
            isinstance(choice, dict) and choice.get("type") not in ("auto", "none")):
        return True
    last = turns[-1] if isinstance(turns, list) and turns else turns
    return b"tool=1" in orjson.dumps(last)


def tool_of(body: Json, turns: object, forced: bool) -> Json | None:
    """The first tool as {name, schema}, if the answer is to be a call of it."""
    tools = body.get("tools")
    if not isinstance(tools, list) or not (forced or _wants_tool(body, turns)):
        return None
    for tool in tools:
        inner = tool.get("function", tool) if isinstance(tool, dict) else {}
        if isinstance(inner, dict) and isinstance(inner.get("name"), str):
            names = ("parameters", "input_schema", "parametersJsonSchema",
                     "parameters_json_schema")
            schema: object = next((inner[name] for name in names if inner.get(name)), {})
            return {"name": inner["name"], "schema": schema}
    return None


def _field(body: Json, name: str, kinds: type | tuple[type, ...]) -> object:
    if not isinstance(body.get(name), kinds):
        raise Refusal(400, f"Missing or invalid parameter: '{name}'.", "", name)
    return body[name]


def _read_turns(call: Call, body: Json, forced_tool: bool) -> None:
    if call.operation == "responses":
        turns = _field(body, "input", (str, list))
        call.input_tokens = message_tokens(turns, body.get("instructions"), body.get("tools"))
        call.echoed = {name: body.get(name) for name in ("instructions", "metadata", "user")}
        call.echoed["tools"] = body.get("tools") or []
    elif call.operation == "chat":
        turns = _field(body, "messages", list)
        call.input_tokens = message_tokens(turns, None, body.get("tools"))
    else:
        turns = _field(body, "messages", list)
        call.input_tokens = message_tokens(turns, body.get("system"), body.get("tools"))
    call.tool = tool_of(body, turns, forced_tool)


def body_object(raw: bytes) -> Json:
    """The body as a JSON object; Refusal(400) if it is none."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Refusal(400, f"We could not parse the JSON body of your request: {error}") from None
    if not isinstance(body, dict):
        raise Refusal(400, "The body of your request is not a JSON object.")
    return body


def read_call(operation: str, raw: bytes, forced_tool: bool, deployment: str = "") -> Call:
    """Refusal(400) where a provider would refuse the body. ``deployment``: the model, whatever
    the body says."""
    body = body_object(raw)
    model: object = deployment
    if not deployment:
        model = body.get("model", "") if operation == "moderations" else _field(body, "model", str)
    call = Call(operation, str(model or "omni-moderation-latest"))
    call.stream = body.get("stream") is True and operation in _LIMITS
    call.limit = limit_of(body, *_LIMITS.get(operation, ()))
    if operation in ("chat", "completions"):
        call.choices = _int(body, "n", 1, 128) or 1
        options = body.get("stream_options")
        call.include_usage = isinstance(options, dict) and options.get("include_usage") is True
    if operation == "messages" and call.limit is None:
        raise Refusal(400, "max_tokens: Field required")
    if operation in ("chat", "responses", "messages", "count_tokens"):
        _read_turns(call, body, forced_tool)
    else:
        name = "prompt" if operation == "completions" else "input"
        given = _field(body, name, (str, list))
        call.input_tokens = input_tokens(given)
        several = isinstance(given, list) and not (given and isinstance(given[0], int))
        call.inputs = len(given) if several and isinstance(given, list) else 1
        call.dimensions = _int(body, "dimensions", 1, 4096) or 256
        call.base64 = body.get("encoding_format") == "base64"
    if operation == "completions":
        call.choices *= call.inputs
    return call


def _either(body: Json, camel: str, snake: str) -> object:
    """A member of proto-JSON, which has two names."""
    return body[camel] if camel in body else body.get(snake)


def _declared(body: Json, forced: bool) -> Json | None:
    config = _either(body, "toolConfig", "tool_config")
    calling = _either(config, "functionCallingConfig", "function_calling_config") if isinstance(
        config, dict) else None
    insists = isinstance(calling, dict) and calling.get("mode") == "ANY"
    tools = body.get("tools")
    for tool in tools if isinstance(tools, list) else []:
        declared = _either(tool, "functionDeclarations", "function_declarations")
        if isinstance(declared, list) and declared:
            choice = "required" if insists else "auto"
            asked = {"tools": declared, "tool_choice": choice}
            return tool_of(asked, body.get("contents"), forced)
    return None


def _read_contents(call: Call, body: Json, forced_tool: bool) -> None:
    config = _either(body, "generationConfig", "generation_config") or {}
    if not isinstance(config, dict):
        raise Refusal(400, "Invalid JSON payload received: generation_config", "")
    call.limit = limit_of(config, "maxOutputTokens", "max_output_tokens")
    call.choices = _int(config, "candidateCount", 1, 8) or 1
    system = _either(body, "systemInstruction", "system_instruction")
    call.input_tokens = message_tokens(body.get("contents"), system, body.get("tools"))
    call.tool = _declared(body, forced_tool)


def read_gemini(operation: str, model: str, stream: bool, raw: bytes, forced_tool: bool) -> Call:
    """A call of Google's API. Refusal(400) where it would refuse the body."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Refusal(400, f"Invalid JSON payload received. {error}") from None
    if not isinstance(body, dict):
        raise Refusal(400, "Invalid JSON payload received. Not an object.")
    call = Call(operation, model, stream)
    if operation == "embed":
        requests = body.get("requests")
        several = isinstance(requests, list)
        parts = requests if isinstance(requests, list) else [body]
        if several and any(one.get("model") != f"models/{model}" for one in parts):
            raise Refusal(400, "* BatchEmbedContentsRequest.requests[0].model: not the model")
        call.inputs, call.echoed = len(parts), {"batch": several}
        call.input_tokens = sum(max(1, -(-text_bytes(one.get("content")) // 4)) for one in parts)
        call.dimensions = _int(parts[0], "outputDimensionality", 1, 4096) or 256 if parts else 256
        return call
    inner = body.get("generateContentRequest")
    body = inner if operation == "count" and isinstance(inner, dict) else body
    if not isinstance(body.get("contents"), (list, dict)):
        raise Refusal(400, "* GenerateContentRequest.contents: contents is not specified")
    _read_contents(call, body, forced_tool)
    return call
