"""OpenAI's pictures and sound (WIRE.md 1.3): told in tokens, by the second, or not at all.

Pictures of gpt-image-* have usage, those of dall-e-* have none; gpt-4o-*-transcribe tells tokens,
whisper-1 seconds. Output tokens are those of the shape (`events`), whatever is made of them.
"""

import base64
from email import policy
from email.parser import BytesParser

import orjson

from fastgw.mock.call import Call, body_object, input_tokens
from fastgw.mock.framing import Frame
from fastgw.mock.refusal import Json, Refusal
from fastgw.mock.shape import Shape

ROUTES = (
    ("/images/generations", "images"), ("/images/edits", "image_edits"),
    ("/audio/transcriptions", "transcriptions"), ("/audio/translations", "translations"),
    ("/audio/speech", "speech"),
)  # fmt: skip
OPERATIONS = tuple(operation for _, operation in ROUTES)
PREFIX = ""
_PICTURE = base64.b64encode(b"\x89PNG mock").decode()
_SOUND = base64.b64encode(b"ID3 mock").decode()
SOUND_TOKENS = 7  # of every recording: it is not listened to


def form_of(raw: bytes) -> Json:
    """The fields of a form; of several of one name, and of files, a list."""
    boundary = raw[2 : raw.find(b"\r\n")]
    head = b"content-type: multipart/form-data; boundary=" + boundary + b"\r\n\r\n"
    found: Json = {}
    for part in BytesParser(policy=policy.HTTP).parsebytes(head + raw).iter_parts():
        name = str(part.get_param("name", header="content-disposition"))
        value = part.get_payload(decode=True)
        assert isinstance(value, bytes)
        if part.get_filename() is not None:
            found.setdefault(name.removesuffix("[]"), []).append(value)
        else:
            found[name] = value.decode("utf-8", "replace")
    return found


def read(operation: str, raw: bytes, deployment: str = "") -> Call:
    """Refusal(400) where OpenAI would refuse the body."""
    body = form_of(raw) if raw[:2] == b"--" else body_object(raw)
    model = deployment or body.get("model") or ("dall-e-2" if "image" in operation else "")
    if not isinstance(model, str) or not model:
        raise Refusal(400, "you must provide a model parameter", "", "model")
    needed = {"images": "prompt", "image_edits": "image", "speech": "input"}.get(operation, "file")
    if not body.get(needed):
        raise Refusal(400, f"Missing required parameter: '{needed}'.", "", needed)
    call = Call(operation, model, str(body.get("stream")).lower() == "true")
    call.stream = call.stream or body.get("stream_format") == "sse"
    call.inputs = int(body.get("n") or 1)
    pictures = body.get("image", [])
    files = len(pictures) if isinstance(pictures, list) else 1
    call.echoed = {"files": files if operation == "image_edits" else 0,
                   "format": body.get("response_format")}
    text = str(body.get("prompt") or body.get("input") or "")
    call.input_tokens = (input_tokens(text) if text else 0) + 50 * call.echoed["files"]
    if operation in ("transcriptions", "translations"):
        call.input_tokens += SOUND_TOKENS
    return call


def bill(call: Call, shape: Shape) -> None:
    """What stands in no token's books."""
    if call.model.startswith(("dall-e", "whisper", "tts-1")):
        shape.input_tokens = shape.output_tokens = shape.cached = 0


def usage(call: Call, shape: Shape, output: int) -> Json | None:
    """None: nothing is told."""
    if shape.usage == "none" or call.model.startswith(("dall-e", "tts-1")):
        return None
    if call.model.startswith("whisper"):
        return {"type": "duration", "seconds": 9}
    told: Json = {"input_tokens": shape.input_tokens, "output_tokens": output,
                  "total_tokens": shape.input_tokens + output}
    if "image" in call.operation:
        pictures = min(50 * call.echoed["files"], shape.input_tokens)
        told["input_tokens_details"] = {"image_tokens": pictures,
                                        "text_tokens": shape.input_tokens - pictures}
    elif call.operation != "speech":
        sound = min(SOUND_TOKENS, shape.input_tokens)
        told |= {"type": "tokens", "input_token_details": {
            "audio_tokens": sound, "text_tokens": shape.input_tokens - sound}}
    return told


def content_type(call: Call) -> str:
    """Of an answer that is not streamed."""
    if call.operation == "speech":
        return "audio/mpeg"
    return "text/plain" if call.echoed.get("format") in ("text", "srt", "vtt") \
        else "application/json"


def body(call: Call, shape: Shape) -> bytes:
    text = shape.text(0)
    if call.operation == "speech":
        return b"ID3" + bytes(shape.output_tokens)
    if content_type(call) == "text/plain":
        return text.encode()
    told = usage(call, shape, shape.output_tokens)
    if "image" in call.operation:
        document: Json = {"created": 1715367049, "data": [{"b64_json": _PICTURE}] * call.inputs}
    else:
        document = {"text": text}
    return orjson.dumps({**document, "usage": told} if told else document)


def _event(document: Json, output: int, content: bool, named: bool = True) -> Frame:
    return Frame(document["type"] if named else "", orjson.dumps(document), output, content)


def frames(call: Call, shape: Shape) -> tuple[Frame, ...]:
    pictures, speech = "image" in call.operation, call.operation == "speech"
    base = "image_edit" if call.operation == "image_edits" else "image_generation"
    told, output = [], 0
    for at, (text, tokens) in enumerate(shape.pieces[0]):
        output += tokens
        if pictures:
            event: Json = {"type": f"{base}.partial_image", "b64_json": _PICTURE,
                           "partial_image_index": at}
        elif speech:
            event = {"type": "speech.audio.delta", "audio": _SOUND}
        else:
            event = {"type": "transcript.text.delta", "delta": text}
        told.append(_event(event, output, True, pictures))
    kind = f"{base}.completed" if pictures else \
        "speech.audio.done" if speech else "transcript.text.done"
    last: Json = {"type": kind, "usage": usage(call, shape, output)}
    last |= {"b64_json": _PICTURE} if pictures else {} if speech else {"text": shape.text(0)}
    told.append(_event(last, output, False, pictures))
    if not pictures and not speech:
        told.append(Frame("", b"[DONE]", output, False))
    return tuple(told)
