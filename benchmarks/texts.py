"""Texts that benches read: a request as the OpenAI SDK sends it, an event, answers, writings."""

import argparse
import base64
import json
import random
import subprocess
import typing
from pathlib import Path

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

HERE = Path(__file__).resolve().parent
CHINESE = ("我们 的 数据 中心 服务器 请求 模型 回答 问题 时候 可以 需要 计算 费用 用户 密钥 "
           "限制 每天 系统 因为 所以 如果 但是 已经 没有 一个 这些 那些 非常 重要 工作 时间 "
           "发展 经济 社会 文化 历史 研究 方法 结果 表明 通过 使用 提供 支持 管理 安全 网络 "
           "信息 技术 人工 智能 学习 语言 处理 文本 分析 城市 生活 孩子 老师 学校 朋友 今天 "
           "明天 昨天 天气 喜欢 吃饭 苹果 电脑 手机 公司 市场 价格 产品 质量 提高 降低 错误 "
           "日志 配置 文件 目录 进程 线程 内存 缓存 磁盘 延迟 吞吐 队列 流量 带宽 证书 域名 "
           "端口 协议").split()
RUSSIAN = ("мы наши данные сервер запрос ответ модель вопрос время можно нужно считать "
           "стоимость ключ предел каждый день система потому если однако уже нет один эти "
           "очень важно работа развитие общество история исследование метод результат "
           "показал через использование поддержка управление безопасность сеть информация "
           "технология обучение язык обработка текст анализ город жизнь ребёнок учитель "
           "школа друг сегодня завтра погода любить компьютер телефон рынок цена качество "
           "ошибка журнал настройка файл каталог процесс поток память очередь задержка "
           "пропускная").split()
JAPANESE = ("私たちは データを サーバーへ 送ります モデルが 質問に 答えます 時間と "
            "費用を 計算する 毎日 制限の 鍵 システム しかし なぜなら すべての "
            "重要な 仕事 歴史 研究では 方法 結果 使用して 管理 安全な "
            "ネットワーク 情報 技術 学習 言語を 処理する 文書 都市 生活 先生 "
            "学校へ 友だち 今日は 明日 天気が よい コンピューター 市場 価格 品質 "
            "エラー ログを 設定ファイル プロセス メモリー 遅延 かもしれません").split()


def _sentences(words: list[str], gap: str, stops: str, choice: random.Random) -> str:
    return "".join(
        gap.join(choice.choices(words, k=choice.randrange(3, 14))) + choice.choice(stops)
        for _ in range(3000))


def writings() -> dict[str, str]:
    """What tokenizers read, some 50 to 300 KB each; other languages are words by chance."""
    choice = random.Random(1)
    letters = "abcdefghijklmnopqrstuvwxyz"
    rows = [{"id": f"req_{choice.getrandbits(64):x}", "model": "gpt-4o", "stream": True,
             "tokens": choice.randrange(90_000), "cost": choice.random(), "user": None,
             "labels": {"team": choice.choice(["search", "billing", "ops"])}} for _ in range(800)]
    return {
        "prose (ARCHITECTURE.md)": (HERE.parent / "ARCHITECTURE.md").read_text(),
        "Python (argparse, typing …)": "".join(
            Path(str(module.__file__)).read_text() for module in (argparse, typing, subprocess)),
        "JSON": json.dumps(rows),
        "C (csrc)": "".join(
            path.read_text() for path in sorted(HERE.parent.glob("csrc/*.c"))[:30]),
        "Chinese": _sentences(CHINESE, "", "，。！？\n", choice),
        "Japanese": _sentences(JAPANESE, "", "、。！？\n", choice),
        "Russian": _sentences(RUSSIAN, " ", ".,!\n", choice),
        "hexadecimal": choice.randbytes(40_000).hex(),
        "base64": base64.b64encode(choice.randbytes(60_000)).decode(),
        "30 letters by chance, a space": " ".join(
            "".join(choice.choices(letters, k=30)) for _ in range(2000)),
        "words of one letter": " ".join(
            choice.choice(letters) * choice.randrange(3, 200) for _ in range(500)),
        "60,000 of one letter": "a" * 60_000,
        "60,000 letters by chance": "".join(choice.choices(letters, k=60_000)),
        "60,000 spaces": " " * 60_000,
        "emoji": "".join(choice.choices("😀😁😂🤣😃😄👍🎉❤🚀", k=20_000)),
    }
