"""The admin API: what runs, what was decided, what was spent. Changes limits, and drains."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fastgw.admin import openapi
from fastgw.admin.giving import BucketUnknown, give
from fastgw.admin.metrics import Metrics
from fastgw.admin.refusal import answer, refuse
from fastgw.admin.token import TokenGate
from fastgw.config import canonical_content
from fastgw.errors import FastgwError, LedgerError, ShmError
from fastgw.explain.text import complete
from fastgw.ledger import query
from fastgw.ledger.usage import GroupError
from fastgw.process.directory import read_document, read_instance
from fastgw.process.levels import live_limits
from fastgw.process.moments import between_ns, since_ns
from fastgw.process.orders import OrderError, OrderRefused
from fastgw.usage.families import tell

if TYPE_CHECKING:
    from fastgw.config import Config
    from fastgw.log import Log

ROWS_MAX = 1000


def make_app(config: Config, data_dir: Path, log: Log) -> Starlette:
    """The application of one instance; its supervisor is this process's parent."""
    token = config.admin.token.reveal() if config.admin.token else None
    api = Api(config, data_dir, log)
    return Starlette(
        routes=[Route(path, call, methods=[method]) for method, path, call in api.routes()],
        middleware=[Middleware(TokenGate, token=token)],
        exception_handlers={
            HTTPException: _http_error,
            ValueError: _bad_request,
            GroupError: _bad_request,
            LedgerError: _unavailable,
            ShmError: _unavailable,
            OrderError: _unavailable,
            OrderRefused: _bad_request,
            BucketUnknown: _not_found,
            FastgwError: _bad_request,
            Exception: _defect(log),
        },
    )


class Api:
    """Each method answers one route; those that are no coroutines run in a thread."""

    def __init__(self, config: Config, data_dir: Path, log: Log) -> None:
        self._config = config
        self._home = data_dir
        self._log = log
        self._metrics = Metrics(data_dir)
        self._supervisor = os.getppid()

    def routes(self) -> list[tuple[str, str, Callable[[Request], Any]]]:
        return [
            ("GET", "/healthz", self.healthz),
            ("GET", "/readyz", self.readyz),
            ("GET", "/metrics", self.metrics),
            ("GET", "/api/usage", self.usage),
            ("GET", "/api/decisions", self.decisions),
            ("GET", "/api/decisions/{request_id}", self.decision),
            ("GET", "/api/limits", self.limits),
            ("GET", "/api/limits/grants", self.grants),
            ("POST", "/api/limits/grant", self.grant),
            ("POST", "/api/limits/reset", self.reset),
            ("GET", "/api/config", self.config),
            ("POST", "/api/reload", self.reload),
            ("POST", "/api/drain", self.drain),
            ("GET", "/openapi.json", self.openapi),
        ]

    def healthz(self, request: Request) -> Response:
        return answer({"status": "ok"})

    def readyz(self, request: Request) -> Response:
        """200 when every worker serves and somebody records; else 503 with what is missing."""
        state = read_instance(self._home) or {}
        missing = [
            f"worker {worker['slot']}" for worker in state.get("workers", ())
            if worker["state"] != "ready"
        ]
        if state.get("recorder", {}).get("state") != "ready":
            missing.append("recorder")
        if state.get("state") != "ready":
            missing.append(f"instance is {state.get('state', 'starting')}")
        if missing:
            return answer({"status": "not ready", "missing": missing}, 503)
        return answer({"status": "ready", "workers": len(state["workers"])})

    def metrics(self, request: Request) -> Response:
        return Response(self._metrics.exposition(), headers={"content-type": CONTENT_TYPE_LATEST})

    def usage(self, request: Request) -> Response:
        wanted = request.query_params
        by = [name for name in wanted.get("by", "").split(",") if name]
        labels = (read_document(self._home / "policy.json") or {}).get("labels", ())
        since, until = between_ns(wanted.get("since", "24h"), wanted.get("until"))
        instance = wanted.get("instance")
        return answer(query.usage(self._home, since, until, by, labels, instance=instance))

    def decisions(self, request: Request) -> Response:
        wanted = request.query_params
        verdict = wanted.get("verdict")
        if verdict not in (None, "allow", "deny"):
            raise ValueError("verdict is allow or deny")
        limit = int(wanted.get("limit", 100))
        if not 1 <= limit <= ROWS_MAX:
            raise ValueError(f"limit is 1 to {ROWS_MAX}")
        since = since_ns(wanted.get("since", "1h"))
        found = query.decisions(self._home, verdict=verdict, since_ns=since, limit=limit)
        return answer([complete(tell(one)) for one in found])

    def decision(self, request: Request) -> Response:
        request_id = request.path_params["request_id"]
        instance = request.query_params.get("instance")
        found = query.wait_for_decision(self._home, request_id, instance=instance)
        if found is None:
            return refuse(404, "not_found", f"no request {request_id} in the ledger")
        return answer(complete(tell(found)))

    def limits(self, request: Request) -> Response:
        wanted = request.query_params
        return answer(live_limits(self._home, name=wanted.get("name"), key=wanted.get("key")))

    def grants(self, request: Request) -> Response:
        with query.Ledger(self._home) as ledger:
            return answer(ledger.grants())

    async def grant(self, request: Request) -> Response:
        """``{"name", "key", "amount"}``: so much of what the key has used is forgiven."""
        wanted = await _members(request, "name", "key", "amount")
        if wanted["amount"] is None:
            raise ValueError("amount: null is no number; a reset forgives all")
        return await self._give(request, wanted["amount"], wanted)

    async def reset(self, request: Request) -> Response:
        """``{"name", "key"}``: all that the key has used is forgiven."""
        return await self._give(request, None, await _members(request, "name", "key"))

    async def _give(
        self, request: Request, amount: object, wanted: dict[str, Any]
    ) -> Response:
        by = f"admin port, {request.client.host if request.client else 'unknown address'}"
        name, key = wanted["name"], _key_text(wanted["key"])
        return answer(await run_in_threadpool(give, self._home, name, key, amount, by))

    def config(self, request: Request) -> Response:
        content = canonical_content(self._config)
        return answer({"file": self._config.file, "version": self._config.version, **content})

    def reload(self, request: Request) -> Response:
        return refuse(501, "not_supported", "reload is not supported yet: restart the instance")

    def drain(self, request: Request) -> Response:
        """The supervisor is asked as by TERM; this process ends last."""
        if os.getppid() != self._supervisor:
            return refuse(503, "unavailable", "the supervisor is gone; its processes are ending")
        self._log.note("drain asked for over the admin port")
        os.kill(self._supervisor, signal.SIGTERM)
        return answer({"status": "draining"}, 202)

    def openapi(self, request: Request) -> Response:
        return answer(openapi.document())


async def _members(request: Request, *names: str) -> dict[str, Any]:
    """The members of a JSON body, which must be these. Raises ValueError."""
    if not request.headers.get("content-type", "").startswith("application/json"):
        # A page in a browser on this machine can send anything else without being asked.
        raise ValueError("send content-type: application/json")
    try:
        wanted = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        raise ValueError("the body is no JSON") from None
    if not isinstance(wanted, dict) or sorted(wanted) != sorted(names):
        raise ValueError(f"the body is a JSON object of {', '.join(names)}")
    if not isinstance(wanted["name"], str):
        raise ValueError("name is a text")
    return wanted


def _key_text(key: object) -> str:
    """A key as people type it; as JSON it may also be the array itself."""
    return key if isinstance(key, str) else orjson.dumps(key).decode()


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "refused")
    message = f"{request.method} {request.url.path}: {error.detail}"
    refused = refuse(error.status_code, code, message)
    refused.headers.update(error.headers or {})
    return refused


async def _bad_request(request: Request, error: Exception) -> Response:
    return refuse(400, "invalid", str(error))


async def _not_found(request: Request, error: Exception) -> Response:
    return refuse(404, "not_found", str(error))


async def _unavailable(request: Request, error: Exception) -> Response:
    return refuse(503, "unavailable", str(error))


def _defect(log: Log) -> Callable[[Request, Exception], Any]:
    async def defect(request: Request, error: Exception) -> Response:
        log.error("admin request failed", path=request.url.path, error=repr(error))
        return refuse(500, "internal", "a defect of the gateway; its log says more")

    return defect
