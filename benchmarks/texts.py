"""Texts that benches read: a request as the OpenAI SDK sends it, an event, answers."""

import json

CHAT = json.dumps({
    "messages": [{"role": "system", "content": "You are a careful assistant."},
                 {"role": "user", "content": "Say in one sentence why a proxy should count."}],
    "model": "gpt-4o", "max_tokens": 256, "stream": True, "temperature": 0.5,
    "user": "u-0123456789abcdefghi",
}).encode()
CHAT_PLAIN = CHAT.replace(b'"stream": true', b'"stream": false')


def sdk_request(body: bytes, key: str = "sk-fgw-0123456789abcdef0123456789abcdef") -> bytes:
    """A request with the 17 header fields that the SDK sends."""
    return sdk_head(len(body), key) + body


def sdk_head(length: int, key: str = "sk-fgw-0123456789abcdef0123456789abcdef") -> bytes:
    return (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n"
        "Accept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\nAccept: application/json\r\n"
        "Content-Type: application/json\r\nUser-Agent: OpenAI/Python 2.54.0\r\n"
        "X-Stainless-Lang: python\r\nX-Stainless-Package-Version: 2.54.0\r\n"
        "X-Stainless-OS: Linux\r\nX-Stainless-Arch: x64\r\nX-Stainless-Runtime: CPython\r\n"
        f"X-Stainless-Runtime-Version: 3.11.7\r\nAuthorization: Bearer {key}\r\n"
        "X-Stainless-Async: false\r\nx-stainless-retry-count: 0\r\n"
        f"x-stainless-read-timeout: 600\r\nContent-Length: {length}\r\n\r\n").encode()


HEAD = sdk_head(len(CHAT))
EVENT = b"data: " + json.dumps({
    "id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6", "object": "chat.completion.chunk",
    "created": 1741570283, "model": "gpt-4o-2024-08-06", "system_fingerprint": "fp_44709d6fcb",
    "choices": [{"index": 0, "delta": {"content": " word"}, "logprobs": None,
                 "finish_reason": None}]}, separators=(",", ":")).encode() + b"\n\n"
CHUNK = b"%x\r\n%s\r\n" % (len(EVENT), EVENT)
ANSWER = json.dumps({
    "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT", "object": "chat.completion",
    "created": 1741569952, "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "message": {
        "role": "assistant", "content": "What is not counted cannot be limited, and what was "
        "not written down cannot be explained to any one else.", "refusal": None},
        "logprobs": None, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 31, "completion_tokens": 19, "total_tokens": 50,
              "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
              "completion_tokens_details": {
                  "reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0,
                  "rejected_prediction_tokens": 0}},
    "service_tier": "default"}, separators=(",", ":")).encode()


def response_head(framing: str, kind: str = "application/json") -> bytes:
    """A head of 8 fields as a provider sends it."""
    return (
        f"HTTP/1.1 200 OK\r\nDate: Sat, 21 Nov 2026 09:00:00 GMT\r\nContent-Type: {kind}\r\n"
        f"{framing}\r\nConnection: keep-alive\r\nopenai-processing-ms: 312\r\n"
        "x-ratelimit-remaining-requests: 9999\r\nx-request-id: req_0123456789abcdef\r\n"
        "Server: cloudflare\r\n\r\n").encode()


RESPONSE_HEAD = response_head(f"Content-Length: {len(ANSWER)}")
RESPONSE = RESPONSE_HEAD + ANSWER
STREAM_HEAD = response_head("Transfer-Encoding: chunked", "text/event-stream")
