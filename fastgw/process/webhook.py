"""A POST to somebody's webhook: signed, with a time-out, and silent about the URL.

The path of a webhook's URL is often its password, so only the host may be logged.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import ssl
import time
from urllib.parse import unquote, urlsplit

from fastgw import __version__

TIMEOUT_S = 5.0
SIGNATURE = "x-fastgw-signature"


class Hook:
    """One URL. ``secret`` signs what is sent."""

    def __init__(self, url: str, secret: str | None, *, timeout_s: float = TIMEOUT_S) -> None:
        self._url = urlsplit(url)
        self._secret = secret.encode() if secret is not None else None
        self._timeout_s = timeout_s

    @property
    def host(self) -> str:
        return self._url.hostname or ""

    def post(self, content: bytes) -> str | None:
        """JSON. None, or why it was not taken."""
        target = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
        fields = {"content-type": "application/json", "user-agent": f"fastgw/{__version__}"}
        if self._url.username is not None:
            fields["authorization"] = _basic(self._url.username, self._url.password or "")
        if self._secret is not None:
            fields[SIGNATURE] = sign(self._secret, int(time.time()), content)
        try:
            connection = self._connect()
            try:
                connection.request("POST", target, content, fields)
                status = connection.getresponse().status
            finally:
                connection.close()
        except (OSError, http.client.HTTPException, ValueError) as error:
            return type(error).__name__
        return None if 200 <= status < 300 else f"status {status}"

    def _connect(self) -> http.client.HTTPConnection:
        if self._url.scheme == "https":
            trust = ssl.create_default_context()
            return http.client.HTTPSConnection(
                self.host, self._url.port, timeout=self._timeout_s, context=trust
            )
        return http.client.HTTPConnection(self.host, self._url.port, timeout=self._timeout_s)


def _basic(username: str, password: str) -> str:
    """Of a URL's user part (RFC 7617)."""
    pair = f"{unquote(username)}:{unquote(password)}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


def sign(secret: bytes, timestamp_s: int, content: bytes) -> str:
    """``t=<seconds since 1970>,v1=<HMAC-SHA256 of "<t>.<body>", hexadecimal>``: who checks it
    also refuses what is old, so that nothing recorded can be played again."""
    signed = b"%d." % timestamp_s + content
    return f"t={timestamp_s},v1={hmac.new(secret, signed, hashlib.sha256).hexdigest()}"
