"""Texts that benches read: a request as the OpenAI SDK sends it, an event, answers."""

import json

CHAT = json.dumps({
    "messages": [{"role": "system", "content": "You are a careful assistant."},
                 {"role": "user", "content": "Say in one sentence why a proxy should count."}],
    "model": "gpt-4o", "max_tokens": 256, "stream": True, "temperature": 0.5, "user": "u-123",
}).encode()
HEAD = (
    "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n"
    "Accept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\nAccept: application/json\r\n"
    "Content-Type: application/json\r\nUser-Agent: OpenAI/Python 2.54.0\r\n"
    "X-Stainless-Lang: python\r\nX-Stainless-Package-Version: 2.54.0\r\nX-Stainless-OS: Linux\r\n"
    "X-Stainless-Arch: x64\r\nX-Stainless-Runtime: CPython\r\n"
    "X-Stainless-Runtime-Version: 3.11.7\r\n"
    "Authorization: Bearer sk-fgw-0123456789abcdef0123456789abcdef\r\n"
    "X-Stainless-Async: false\r\nx-stainless-retry-count: 0\r\nx-stainless-read-timeout: 600\r\n"
    f"Content-Length: {len(CHAT)}\r\n\r\n").encode()
EVENT = b"data: " + json.dumps({
    "id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6", "object": "chat.completion.chunk",
    "created": 1741570283, "model": "gpt-4o-2024-08-06", "system_fingerprint": "fp_44709d6fcb",
    "choices": [{"index": 0, "delta": {"content": " word"}, "logprobs": None,
                 "finish_reason": None}]}, separators=(",", ":")).encode() + b"\n\n"
CHUNK = b"%x\r\n%s\r\n" % (len(EVENT), EVENT)
RESPONSE_HEAD = (
    b"HTTP/1.1 200 OK\r\nDate: Sat, 21 Nov 2026 09:00:00 GMT\r\nContent-Type: application/json\r\n"
    b"Content-Length: 635\r\nConnection: keep-alive\r\nopenai-processing-ms: 312\r\n"
    b"x-ratelimit-remaining-requests: 9999\r\nx-request-id: req_0123456789abcdef\r\n"
    b"Server: cloudflare\r\n\r\n")
