"""A second corpus: examples that others have published, and look-alikes of everyday text.

Nothing here was used to tune the rules; what is missed or found wrongly is listed by name in
tests/detect/test_examples.py. Numbers and keys are those of test environments, documentation and
registries: none is anybody's.
"""

from __future__ import annotations

import random

# Test cards of payment providers' documentation.
CARDS = (
    "4242424242424242", "4000056655665556", "5555555555554444", "2223003122003222",
    "5200828282828210", "5105105105105100", "378282246310005", "371449635398431",
    "6011111111111117", "6011000990139424", "6011981111111113", "3056930009020004",
    "36227206271667", "6555900000604105", "3566002020360505", "6200000000000005",
    "6205500000000000004", "4111111111111111", "4012888888881881", "4222222222222",
    "5425233430109903", "2222420000001113", "2223000048410010", "374245455400126",
    "378734493671000", "6250941006528599", "30569309025904", "38520000023237",
    "3530111333300000", "4917610000000000", "5019717010103742", "6331101999990016",
    "4000 0035 6000 0008", "5555-5555-5555-4444", "3782 822463 10005", "4988 4388 4388 4305",
    "2222 4107 4036 0010", "5577 0000 5577 0004", "4646 4646 4646 4644", "4000 6400 0000 0005",
)
KEYS = (
    "AKIAIOSFODNN7EXAMPLE", "AKIAI44QH8DHBEXAMPLE", "ASIAIOSFODNN7EXAMPLE",
    "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AWS_SECRET_ACCESS_KEY=je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY",
    "sk_test_4eC39HqLyjWDarjtT1zdp7dc", "sk_test_BQokikJOvBiI2HlWgH4olfQ2",
    "rk_live_51H8xYzKqLmNoPqRsTuVwXyZ0", "whsec_5WbX5kEWLlfzsGNjH64I8lOOqUB6e8FH",
    "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",
    "AIzaSyDaGmWKa4JsXZ-HjGw7ISLn_3namBGewQe", "AIzaSyBOti4mM-6x9WDnZIjIeyEU21OpBXqWBgw",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "gho_16C7e42F292c6912E7710c838347Ae178B4a",
    "github_pat_11ABCDEFG0a1b2c3d4e5f6_g7h8i9j0kLmNoPqRsTuVwXyZ0123456789abcdefghijklmnopqrstu",
    "glpat-9koXpg98eAheJpvBs5tK", "xoxb-263594206564-2343594206574-FGqddMF8t08v8N7Oq4i57vs1",
    "xoxp-1234567890-1234567890-1234567890-1a2b3c4d5e6f7a8b9c0d1e2f3a4b5c6d",
    "npm_7hX2kQ9vB4nM1sD6fG8jK3lP5oI0uY2tR4eW", "hf_abcdEFGHijklMNOPqrstUVWXyzABCDefgh",
    "sk-proj-Zx8kQ2mN7vB4cT1rW9yL5pJ3hG6fD0sAq8eR2tY7uI4oP1aS9dF3gH5jK",
    "sk-ant-api03-R2D2c3poL3iaHanSolo7ChewieYoda9ObiWan4Luke8Vader1Boba6Fett5Ahsoka0-AA",
    "gsk_R7tY2uI9oP4aS1dF6gH3jK8lZ5xC0vB7nM2qW9eR4tY1uI6o",
    "DefaultEndpointsProtocol=https;AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJP"
    "LlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
    "pypi-AgEIcHlwaS5vcmcCJDU3OTM1MjliLWIyYTYtNDEwOC05NzRkLTM0MjNiNmEwNWIzYgACF1sxLFsiZXhhbXBsZS",
)
SSNS = ("078-05-1120", "219-09-9999", "457-55-5462", "123-45-6789", "SSN: 078051120",
        "social security number 219099999", "001-01-0001", "899-99-9999", "536-22-8726")
EMAILS = ("john.doe@example.com", "first.last+tag@sub.example.org", "o'brien@example.ie",
          "user@xn--bcher-kva.example", "a@b.co", "firstname-lastname@example.museum",
          "1234567890@example.com", "_______@example.com", "email@example-one.com",
          "first_last@example.co.jp", "USER@EXAMPLE.COM", "disposable.style@example.travel")
PHONES = ("+1 212-555-0147", "(212) 555-0147", "212-555-0147", "+44 20 7946 0958",
          "+49 30 23125 0", "+33 1 23 45 67 89", "+61 2 5550 1234", "+81 3-1234-5678",
          "+14155552671", "+442071838750", "+551155256325", "1-800-555-0199", "415.555.2671",
          "phone: 4155552671", "+91 98765 43210", "+86 10 6552 9988", "+39 06 698 12345")
# The examples of the IBAN registry.
IBANS = (
    "AD1200012030200359100100", "AE070331234567890123456", "AT611904300234573201",
    "BE68539007547034", "BG80BNBG96611020345678", "CH9300762011623852957",
    "CY17002001280000001200527600", "CZ6508000000192000145399", "DE89370400440532013000",
    "DK5000400440116243", "EE382200221020145685", "ES9121000418450200051332",
    "FI2112345600000785", "FR1420041010050500013M02606", "GB29NWBK60161331926819",
    "GR1601101250000000012300695", "HR1210010051863000160", "HU42117730161111101800000000",
    "IE29AIBK93115212345678", "IL620108000000099999999", "IT60X0542811101000000123456",
    "LT121000011101001000", "LU280019400644750000", "MT84MALT011000012345MTLCAST001S",
    "NL91ABNA0417164300", "NO9386011117947", "PL61109010140000071219812874",
    "PT50000201231234567890154", "SE4550000000058398257466", "SK3112000000198742637541",
    "TR330006100519786457841326", "GB29 NWBK 6016 1331 9268 19", "DE89 3704 0044 0532 0130 00",
)
JWTS = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaW"
    "F0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogIm"
    "h0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
)
PRIVATE = (
    "-----BEGIN RSA PRIVATE KEY-----\n"
    "MIICXQIBAAKBgQDLexampleexampleexampleexampleexampleexampleexample\n"
    "-----END RSA PRIVATE KEY-----",
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtz\n"
    "-----END OPENSSH PRIVATE KEY-----",
)
POSITIVES = {"payment_card": CARDS, "api_key": KEYS, "us_ssn": SSNS, "email": EMAILS,
             "phone": PHONES, "iban": IBANS, "jwt": JWTS, "private_key": PRIVATE}
SENTENCES = ("{}", "Hi, it is {}, can you check?", 'log: {{"value": "{}", "ok": true}}',
             "a;{};c\n", "Before\n{}\nafter")

LOOK_ALIKES = (
    "550e8400-e29b-41d4-a716-446655440000", "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
    "commit 2fd4e1c67a2d28fced849ee1bb76e7391b93eb12", "md5 9e107d9d372bb6826bd81d3542a419d6",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "Amazon order 111-2223333-4445555", "ISBN 978-3-16-148410-0", "ISBN 0-306-40615-2",
    "ISSN 2049-3630", "EAN 4006381333931", "UPC 036000291452", "IMEI 49-015420-323751-8",
    "IMEI 490154203237518", "ICCID 8944110068256270054", "VIN 1HGCM82633A004352",
    "UPS 1Z9999W99999999999", "USPS 9400 1000 0000 0000 0000 00", "FedEx 999999999999",
    "1700000000", "1700000000000", "1700000000000000", "1700000000000000000",
    "2026-11-21T18:22:24.123456Z", "20261121182224", "Sat, 21 Nov 2026 18:22:24 GMT",
    "192.168.100.200", "2001:0db8:85a3:0000:0000:8a2e:0370:7334", "00:1A:2B:3C:4D:5E",
    "DOI 10.1000/182", "arXiv:2106.09685v2", "RFC 9110 section 5.3", "CVE-2021-44228",
    "snowflake 1541815603606036480", "trace 4bf92f3577b34da6a3ce929d0e0e4736",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "pi is 3.14159265358979323846",
    "e is 2.718281828459045", "6.02214076e23", "1,234,567,890.12", "0xdeadbeefcafebabe",
    "chatcmpl-9aBcDeFgHiJkLmNoPqRsTuVwXyZ01", "call_abc123DEF456ghi789JKL012",
    "msg_01XFDUDYJgAACzvnptvVoYEL", "toolu_01A09q90qw90lq917835lq9", "req_011CPZ8kfXyzAbCdEfGhIjK",
    "arn:aws:iam::123456789012:role/Admin", "acct_1032D82eZvKYlo2C",
    "price_1MoBy5LkdIwHu7ixZhnattbh",
    "pk_is_not_secret", "sk-button sk-container", "ask-me-anything-2024-edition-no-3",
    "task-1234567890-subtask-0987654321-done", "desk-00000000000000000000000000000000",
    "@types/node@20.11.5", "react@18.2.0", "git@github.com:org/repo.git", "user@localhost",
    "logo@2x.png", "@john said hi", "a @ b", "SELECT 4111 FROM t WHERE id = 1111",
    "table 4111 1111 222 3", "1-2-3-4-5-6-7-8-9", "100-200-300", "2026-11-21 to 2026-12-31",
    "score 555-1212", "lat 40.712776, long -74.005974", "v1.2.3-rc.4+build.5678",
    "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA\n"
    "-----END PUBLIC KEY-----",
    "-----BEGIN CERTIFICATE-----\nMIIDXTCCAkWgAwIBAgIJAJC1HiIAZAiIMA0GCSqGSIb3DQEB\n"
    "-----END CERTIFICATE-----",
    "GB is a country and 29 a number", "DE000BAY0017", "US0378331005", "CH0012032048",
    "DE123456789", "BIC COBADEFFXXX", "flight LH 441 seat 23A", "room 212, floor 5, 555 people",
    "eyJust a word.eyJust another",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAf",
    "AKIA is a prefix", "AIza", "your-api-key-here", "sk-XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX",
    "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "<YOUR_API_KEY>", "${OPENAI_API_KEY}", "Bearer TOKEN", "password: hunter2",
)


def numbers(digits: int, count: int, seed: int) -> list[str]:
    """Random numbers in plain sentences that say nothing of what they are."""
    draw = random.Random(f"{seed} {digits}")
    return [f"The value is {draw.randint(10**(digits - 1), 10**digits - 1)} here."
            for _ in range(count)]
