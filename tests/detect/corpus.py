"""Texts of our own making in which it is known what stands where.

`positives` makes values of each kind in the shapes people and programs write them, each in a
carrier; `negatives` makes what only looks dangerous, by class. All from one seed.
"""

from __future__ import annotations

import base64
import random
import string
import uuid
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

ALNUM = string.ascii_letters + string.digits
BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
CARRIERS = (
    "{}", "My value is {}.", "({})", '"{}"', "x: {}\n", "value={}", "Please use {}, thanks!",
    "- {}\n- other", "| {} |", "<b>{}</b>", "`{}`", "const a = '{}';", "{}\nnext line",
    "\\n{}\\n", "日本語：{}。", "{} ", "see:{}", "[{}]",
)


def chars(draw: random.Random, alphabet: str, count: int) -> str:
    return "".join(draw.choices(alphabet, k=count))


def mixed(draw: random.Random, alphabet: str, count: int) -> str:
    """With digits and letters, as a random key of that length surely has."""
    while True:
        text = chars(draw, alphabet, count)
        if any(c.isdigit() for c in text) and any(c.isalpha() for c in text):
            return text


def checksummed(draw: random.Random, prefix: str) -> str:
    """GitHub's and npm's form: 30 characters and their CRC-32 in base 62."""
    body = mixed(draw, ALNUM, 30)
    crc, tail = zlib.crc32(body.encode()), ""
    for _ in range(6):
        crc, digit = divmod(crc, 62)
        tail = BASE62[digit] + tail
    return prefix + body + tail


def api_key(draw: random.Random) -> str:
    token, hexa = ALNUM + "-_", "0123456789abcdef"
    makers: list[Callable[[], str]] = [
        lambda: "sk-" + mixed(draw, ALNUM, 20) + "T3BlbkFJ" + mixed(draw, ALNUM, 20),
        lambda: "sk-proj-" + mixed(draw, token, 120) + "A",
        lambda: "sk-svcacct-" + mixed(draw, token, 60) + "b",
        lambda: "sk-ant-api03-" + mixed(draw, token, 93) + "AA",
        lambda: "sk-or-v1-" + mixed(draw, hexa, 64),
        lambda: "sk-" + mixed(draw, hexa, 32),
        lambda: draw.choice(["AKIA", "ASIA"]) + chars(draw, string.ascii_uppercase + "234567", 16),
        lambda: "aws_secret_access_key=" + mixed(draw, ALNUM + "/+", 40),
        lambda: "AIza" + mixed(draw, token, 34) + "x",
        lambda: checksummed(draw, draw.choice(["ghp_", "gho_", "ghs_", "ghu_"])),
        lambda: "ghp_" + mixed(draw, ALNUM, 36),
        lambda: "github_pat_" + mixed(draw, ALNUM, 22) + "_" + mixed(draw, ALNUM, 59),
        lambda: "glpat-" + mixed(draw, token, 19) + "z",
        lambda: "xoxb-" + chars(draw, string.digits, 12) + "-" + chars(draw, string.digits, 13)
        + "-" + mixed(draw, ALNUM, 24),
        lambda: "xoxp-" + chars(draw, string.digits, 12) + "-" + mixed(draw, ALNUM, 40),
        lambda: draw.choice(["sk_live_", "rk_live_"]) + mixed(draw, ALNUM, 24),
        lambda: checksummed(draw, "npm_"),
        lambda: "pypi-AgEIcHlwaS5vcmc" + mixed(draw, token, 120) + "Q",
        lambda: "hf_" + chars(draw, string.ascii_letters, 34),
        lambda: "SG." + mixed(draw, token, 22) + "." + mixed(draw, token, 43),
        lambda: "SK" + mixed(draw, hexa, 32),
        lambda: "gsk_" + mixed(draw, ALNUM, 52),
        lambda: "AccountKey=" + mixed(draw, ALNUM + "/+", 86) + "==",
    ]
    return draw.choice(makers)()


def private_key(draw: random.Random) -> str:
    label = draw.choice(["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED ", "DSA "])
    newline = draw.choice(["\n", "\n", "\r\n", "\\n"])
    body = base64.b64encode(draw.randbytes(draw.randint(90, 1700))).decode()
    lines = [body[i:i + 64] for i in range(0, len(body), 64)]
    if label == "RSA " and draw.random() < 0.3:
        lines = ["Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-128-CBC,0123456789ABCDEF", "", *lines]
    head, tail = f"-----BEGIN {label}PRIVATE KEY-----", f"-----END {label}PRIVATE KEY-----"
    return newline.join([head, *lines, tail])


def luhn_digit(digits: str) -> str:
    total = 0
    for i, c in enumerate(reversed(digits)):
        value = int(c) * (2 if i % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def payment_card(draw: random.Random) -> str:
    prefix, length = draw.choice([
        ("4", 16), ("4", 16), ("4", 19), ("51", 16), ("55", 16), ("2221", 16), ("2720", 16),
        ("34", 15), ("37", 15), ("6011", 16), ("65", 16), ("3530", 16), ("36", 14), ("62", 16)])
    digits = prefix + chars(draw, string.digits, length - 1 - len(prefix))
    digits += luhn_digit(digits)
    separator = draw.choice(["", "", " ", "-"])
    if length in (14, 15):
        return separator.join([digits[:4], digits[4:10], digits[10:]])
    return separator.join(digits[i:i + 4] for i in range(0, length, 4))


def us_ssn(draw: random.Random) -> str:
    area = draw.choice([n for n in range(1, 900) if n != 666])
    parts = f"{area:03d}", f"{draw.randint(1, 99):02d}", f"{draw.randint(1, 9999):04d}"
    return draw.choice(["-".join(parts), "-".join(parts), " ".join(parts),
                        "SSN " + "".join(parts), "social security number: " + "".join(parts)])


def email(draw: random.Random) -> str:
    name = draw.choice(["john.doe", "j", "mary+tag", "info", "a_b-c", "x%y", "user123", "O.Neil"])
    host = draw.choice(["example.com", "mail.example.co.uk", "uni-hamburg.de", "a.io",
                        "web.museum", "xn--bcher-kva.example", "sub.domain.company.technology"])
    return f"{name}@{host}"


def phone(draw: random.Random) -> str:
    area = draw.choice([n for n in range(201, 990) if n % 100 != 11 and n // 10 % 10 != 9])
    exchange = draw.choice([n for n in range(200, 1000) if n % 100 != 11])
    line = f"{draw.randint(0, 9999):04d}"
    return draw.choice([
        f"({area}) {exchange}-{line}", f"{area}-{exchange}-{line}", f"{area}.{exchange}.{line}",
        f"+1{area}{exchange}{line}", f"+1 {area} {exchange} {line}", f"1-{area}-{exchange}-{line}",
        f"+1 ({area}) {exchange}-{line}", f"phone {area} {exchange} {line}",
        f"call {area}{exchange}{line}", f"+44 20 7946 0{line[1:]}", f"+49 30 1234{line}",
        f"+33 1 42 68 {line[:2]} {line[2:]}", f"+81-3-1234-{line}", f"+4915112345{line}"])


def iban(draw: random.Random) -> str:
    country, body = draw.choice([
        ("DE", chars(draw, string.digits, 18)), ("FR", chars(draw, string.digits, 23)),
        ("GB", chars(draw, string.ascii_uppercase, 4) + chars(draw, string.digits, 14)),
        ("NL", chars(draw, string.ascii_uppercase, 4) + chars(draw, string.digits, 10)),
        ("ES", chars(draw, string.digits, 20)), ("NO", chars(draw, string.digits, 11))])
    number = int("".join(str(int(c, 36)) for c in body + country + "00"))
    whole = f"{country}{98 - number % 97:02d}{body}"
    return whole if draw.random() < 0.5 else \
        " ".join(whole[i:i + 4] for i in range(0, len(whole), 4))


def jwt(draw: random.Random) -> str:
    def part(text: str) -> str:
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
    return ".".join([part('{"alg":"HS256","typ":"JWT"}'),
                     part('{"sub":"' + chars(draw, ALNUM, 30) + '","iat":1516239022}'),
                     chars(draw, ALNUM + "-_", 43)])


MAKERS: dict[str, Callable[[random.Random], str]] = {
    "api_key": api_key, "private_key": private_key, "payment_card": payment_card,
    "us_ssn": us_ssn, "email": email, "phone": phone, "iban": iban, "jwt": jwt,
}


def positives(kind: str, count: int, seed: int) -> Iterator[str]:
    """Texts with one value of the kind in each."""
    draw = random.Random(f"{seed} {kind}")
    for _ in range(count):
        yield draw.choice(CARRIERS).replace("{}", MAKERS[kind](draw))


def _code(draw: random.Random) -> str:
    return draw.choice([
        "for i in range(10):\n    total += prices[i] * 1.19  # 19 % VAT\n",
        "@app.route('/users/<int:id>')\ndef show(id): return db.get(id)\n",
        "npm install react@18.2.0 lodash@4.17.21 @types/node@20.11.5\n",
        "git clone git@github.com:org/project.git && cd project\n",
        "color: #ff8800; margin: 0 12px 24px 36px; width: calc(100% - 240px);\n",
        "if (a[i] != b[j] || x->y == 0x7fff5fbff8c0) return -1;\n",
        "SELECT id, 1234567890123456 AS big FROM t WHERE ts > 1700000000000;\n",
        "sk-learn's sk-container-id-1 div.sk-toggleable__content pre { color: black; }\n",
        "logo@2x.png icon@3x.jpg\n", "ssh-keygen -t ed25519 -C 'key'  # BEGIN PRIVATE KEY?\n",
        "-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBaMQswCQYDVQ\n"
        "-----END CERTIFICATE-----\n",
        "export API_KEY=your-api-key-here SECRET=sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n",
    ])


def _isbn(draw: random.Random) -> str:
    return "978-" + "-".join([str(draw.randint(0, 9)), f"{draw.randint(10, 999)}",
                              f"{draw.randint(10000, 99999)}", str(draw.randint(0, 9))])


def _time(draw: random.Random) -> str:
    at = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=draw.randint(0, 2 * 10**8))
    return draw.choice([at.isoformat(), at.strftime("%Y%m%d%H%M%S"), str(int(at.timestamp())),
                        str(int(at.timestamp() * 1000)), str(int(at.timestamp() * 10**6)),
                        at.strftime("%d/%m/%Y %H:%M"), at.strftime("%a, %d %b %Y %H:%M:%S +0000")])


NEGATIVES: dict[str, Callable[[random.Random], str]] = {
    "uuid": lambda draw: str(uuid.UUID(int=draw.getrandbits(128), version=4)),
    "sha1": lambda draw: draw.randbytes(20).hex(),
    "sha256": lambda draw: draw.randbytes(32).hex(),
    "sri hash": lambda draw: "sha512-" + base64.b64encode(draw.randbytes(64)).decode(),
    "order number": lambda draw: f"order {draw.randint(10**7, 10**12)}",
    "sixteen digits": lambda draw: f"ref {draw.randint(10**15, 10**16 - 1)}",
    "version": lambda draw: "v" + ".".join(str(draw.randint(0, 999)) for _ in range(4)),
    "ip address": lambda draw: ".".join(str(draw.randint(0, 255)) for _ in range(4)),
    "base64 image": lambda draw: base64.b64encode(draw.randbytes(600)).decode(),
    "nine digits": lambda draw: f"item {draw.randint(10**8, 10**9 - 1)}",
    "ten digits": lambda draw: f"id {draw.randint(10**9, 10**10 - 1)}",
    "table row": lambda draw: " ".join(str(draw.randint(100, 99999)) for _ in range(6)),
    "isbn": _isbn,
    "time": _time,
    "code": _code,
    "number": lambda draw: f"{draw.uniform(0, 10**6):,.6f}",
    "handle": lambda draw: f"@{chars(draw, string.ascii_lowercase, 8)} says hi at 10:30",
    "slug": lambda draw: "-".join(chars(draw, string.ascii_lowercase, 7) for _ in range(5)),
    "hex colour": lambda draw: "#" + draw.randbytes(3).hex(),
    "prose": lambda draw: "The internationalization of 2024 was characteristically "
                          "straightforward: 12 of 350 people came, 3.5 % more than in 1999.",
}


def negatives(name: str, count: int, seed: int) -> Iterator[str]:
    draw = random.Random(f"{seed} {name}")
    for _ in range(count):
        yield draw.choice(CARRIERS).replace("{}", NEGATIVES[name](draw))
