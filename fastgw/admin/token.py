"""Who may ask the admin port: the holder of the token, where there is one."""

import hmac

from starlette.types import ASGIApp, Receive, Scope, Send

from fastgw.admin.refusal import refuse

OPEN_PATHS = frozenset({"/healthz", "/readyz"})  # probes carry no secret and get none


class TokenGate:
    """Lets a request through if it carries ``Authorization: Bearer <token>``."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app = app
        self._token = token.encode() if token is not None else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS or self._admits(scope):
            await self._app(scope, receive, send)
            return
        answer = refuse(401, "token_required", "send Authorization: Bearer <admin.token>")
        answer.headers["www-authenticate"] = "Bearer"
        await answer(scope, receive, send)

    def _admits(self, scope: Scope) -> bool:
        if self._token is None:
            return True
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(given) != 1:
            return False
        scheme, _, token = given[0].partition(b" ")
        # Compared in constant time, so that the answer's time does not spell the token.
        return hmac.compare_digest(token.strip(), self._token) and scheme.lower() == b"bearer"
