"""Where a provider's key goes on the way out, and what else its API wants in every request."""

ANTHROPIC_VERSION = "2023-06-01"

# Fields in which a client may bring its own credential: none of them ever reaches a provider.
CLIENT_FIELDS = ("authorization", "x-api-key", "x-goog-api-key", "api-key")


def provider_fields(
    dialect: str, key: str, *, client_sent_version: bool = False
) -> tuple[tuple[str, str], ...]:
    """The header fields that authenticate a request to a provider of ``dialect``.

    A client's own `anthropic-version` is kept; only where it sent none, ours is added.
    """
    if any(not "!" <= character <= "~" for character in key):
        raise ValueError("a provider key has characters that no header can carry")
    if dialect == "anthropic":
        version = () if client_sent_version else (("anthropic-version", ANTHROPIC_VERSION),)
        return (("x-api-key", key), *version)
    return (("authorization", f"Bearer {key}"),)
