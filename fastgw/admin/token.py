"""Who may ask the admin port: the holder of the token, where there is one.

Where there is none it is bound to loopback, and whoever is on this machine may ask. A browser on
it is asked by pages from anywhere: they send their `Origin`, or make a name of their own mean this
machine (then `Host` is that name). Both are refused.
"""

import hmac
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from fastgw.admin.refusal import refuse

OPEN_PATHS = frozenset({"/healthz", "/readyz"})  # probes carry no secret and get none


class TokenGate:
    """Lets a request through if it carries ``Authorization: Bearer <token>``; without a token, if
    it was sent to this machine under a name that is its own, by no page of somebody else's."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app = app
        self._token = token.encode() if token is not None else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS or self._admits(scope):
            await self._app(scope, receive, send)
            return
        if self._token is None:
            await refuse(403, "from_elsewhere", "without admin.token only localhost may be asked, "
                         "and by no other site's page")(scope, receive, send)
            return
        answer = refuse(401, "token_required", "send Authorization: Bearer <admin.token>")
        answer.headers["www-authenticate"] = "Bearer"
        await answer(scope, receive, send)

    def _admits(self, scope: Scope) -> bool:
        if self._token is None:
            return _from_here(scope)
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(given) != 1:
            return False
        scheme, _, token = given[0].partition(b" ")
        # Compared in constant time, so that the answer's time does not spell the token.
        return hmac.compare_digest(token.strip(), self._token) and scheme.lower() == b"bearer"


def _from_here(scope: Scope) -> bool:
    hosts, origins = (
        [value.decode("latin-1").lower() for name, value in scope["headers"] if name == wanted]
        for wanted in (b"host", b"origin")
    )
    return all(map(_is_loopback, hosts)) and all(
        origin.partition("://")[2] in hosts for origin in origins
    )


def _is_loopback(host: str) -> bool:
    """Whether a `Host` field names this machine."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or name.endswith(".localhost") or ip_address(name).is_loopback
    except ValueError:
        return False
