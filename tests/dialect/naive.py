"""What answers cost, read the plain way: straight from WIRE.md, with libraries' parsers.

Nothing here knows of the meters. An answer is a list of JSON documents; each dialect's rule of
section 1 and the table of section 2 are a few lines of Python over them.
"""

import json

from botocore.eventstream import EventStreamBuffer


def sse(body: bytes) -> list:
    """Data of the events, by the WHATWG rules; one that the body's end cuts off counts too."""
    text = body.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    found, lines = [], []
    for line in [*text.split(b"\n"), b""]:
        name, _, value = line.partition(b":")
        if not line and lines:
            found.append(b"\n".join(lines))
            lines = []
        elif name == b"data":
            lines.append(value.removeprefix(b" "))
    return found


def documents(body: bytes, kind: str) -> list:
    """Every JSON document of an answer, in order; what is none is left out."""
    if kind == "sse":
        parts = sse(body)
    elif kind == "ndjson":
        parts = body.split(b"\n")
    elif kind == "array":
        return json.loads(body)
    elif kind == "frames":
        buffer = EventStreamBuffer()
        buffer.add_data(body)
        parts = [event.payload for event in buffer]
    else:
        parts = [body]
    found = []
    for part in parts:
        try:
            found.append(json.loads(part))
        except ValueError:
            continue
    return found


def count(value) -> int:
    """A number of tokens; whatever is none is 0."""
    return int(value) if isinstance(value, int | float) and value > 0 else 0


def part(of, *names: str):
    """The first of these members that is a number."""
    for name in names:
        if isinstance(of.get(name), int | float):
            return of[name]
    return None


def inside(of, *names: str) -> dict:
    for name in names:
        if isinstance(of.get(name), dict):
            return of[name]
    return {}


def openai_usages(document: dict) -> list:
    """Every usage object of a document, the one that counts last."""
    places = [inside(document, "x_groq").get("usage"), document.get("usage"),
              inside(document, "response").get("usage")]  # fmt: skip
    return [one for one in places if isinstance(one, dict) and one]


def openai(documents: list) -> dict | None:
    """The last whole object that says anything (fact 1); zeros after numbers are filling."""
    last = None
    for document in documents:
        for usage in openai_usages(document) if isinstance(document, dict) else ():
            said = [part(usage, "prompt_tokens", "input_tokens"),
                    part(usage, "completion_tokens", "output_tokens"),
                    part(usage, "total_tokens")]  # fmt: skip
            if any(number is not None for number in said) and (last is None or any(said)):
                last = usage
    if last is None:
        return None
    read = inside(last, "prompt_tokens_details", "input_tokens_details")
    wrote = inside(last, "completion_tokens_details", "output_tokens_details")
    put = count(part(last, "prompt_tokens", "input_tokens"))
    out = count(part(last, "completion_tokens", "output_tokens"))
    beyond = max(0, count(part(last, "total_tokens")) - put - out)
    reasoning = count(wrote.get("reasoning_tokens"))
    cached = part(read, "cached_tokens")
    if cached is None:
        cached = part(last, "prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens")
    if part(last, "prompt_audio_seconds") is not None:
        put += beyond  # Mistral: sound is in the total alone
    else:
        out += beyond  # xAI: reasoning; Gemini's compatible API: thoughts
    if "market_cost" in last and reasoning > out:
        out += reasoning  # Vercel, of Gemini's models
    return {"input": put, "output": out, "cached": min(count(cached), put),
            "reasoning": min(reasoning, out)}  # fmt: skip


def anthropic(documents: list) -> dict | None:
    """Field by field: message_start, then message_delta (fact 2); iterations beside (fact 3)."""
    merged, iterations = {}, []
    for document in documents:
        if not isinstance(document, dict):
            continue
        for usage in (inside(document, "message").get("usage"), document.get("usage")):
            if not isinstance(usage, dict):
                continue
            merged.update({name: value for name, value in usage.items() if value is not None})
            if isinstance(usage.get("iterations"), list):
                iterations = usage["iterations"]
    if not merged:
        return None
    parts = [merged] + [one for one in iterations
                        if one.get("type") not in ("message", "fallback_message")]
    cached = sum(count(one.get("cache_read_input_tokens")) for one in parts)
    written = sum(count(one.get("cache_creation_input_tokens")) for one in parts)
    return {"input": sum(count(one.get("input_tokens")) for one in parts) + cached + written,
            "output": sum(count(one.get("output_tokens")) for one in parts),
            "cached": cached,
            "reasoning": count(inside(merged, "output_tokens_details").get("thinking_tokens"))}


def gemini(documents: list) -> dict | None:
    """The last whole object; thoughts beside the candidates' tokens (fact 4)."""
    last = None
    for document in documents:
        usage = document.get("usageMetadata") if isinstance(document, dict) else None
        if isinstance(usage, dict) and any(name.endswith("TokenCount") for name in usage):
            last = usage
    if last is None:
        return None
    thoughts = count(last.get("thoughtsTokenCount"))
    prompt = count(last.get("promptTokenCount"))
    return {"input": prompt + count(last.get("toolUsePromptTokenCount")),
            "output": count(last.get("candidatesTokenCount")) + thoughts,
            "cached": min(count(last.get("cachedContentTokenCount")), prompt),
            "reasoning": thoughts}  # fmt: skip


def cohere(documents: list) -> dict | None:
    last = None
    for document in documents:
        if not isinstance(document, dict):
            continue
        for place in (document, inside(document, "delta"), inside(document, "response")):
            usage = inside(place, "usage", "meta")
            if inside(usage, "tokens") or inside(usage, "billed_units"):
                last = usage
    if last is None:
        return None
    tokens, billed = inside(last, "tokens"), inside(last, "billed_units")
    read = part(tokens, "input_tokens")
    read = count(part(billed, "input_tokens") if read is None else read)
    wrote = part(tokens, "output_tokens")
    wrote = count(part(billed, "output_tokens") if wrote is None else wrote)
    pictures = count(part(tokens, "image_tokens"))
    return {"input": read + pictures, "output": wrote,
            "cached": min(count(last.get("cached_tokens")), read),
            "reasoning": min(count(tokens.get("reasoning_tokens")), wrote)}  # fmt: skip


def ollama(documents: list) -> dict | None:
    last = None
    for document in documents:
        if isinstance(document, dict) and part(document, "eval_count", "prompt_eval_count"):
            last = document
    if last is None:
        return None
    read = count(last.get("prompt_eval_count"))
    return {"input": read, "output": count(last.get("eval_count")),
            "cached": min(count(last.get("prompt_eval_cached_count")), read), "reasoning": 0}


RULES = {"openai": openai, "anthropic": anthropic, "gemini": gemini, "cohere": cohere,
         "ollama": ollama}  # fmt: skip
