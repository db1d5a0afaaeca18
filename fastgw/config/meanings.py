"""What each key of a configuration is for: what editors show beside the form of its value."""

from __future__ import annotations

from typing import Any

# By the end of the key's path, an action's type before its own keys; the longest that fits.
MEANINGS = {
    "listen": "The data port: where clients connect",
    "listen.workers": "Worker processes; auto is one a core",
    "listen.half_close": "What a client's FIN behind its request means: it has gone (close), or "
                         "it still reads (allow)",
    "address": "Where to bind",
    "port": "TCP port; 0 takes a free one",
    "admin": "The admin port: metrics, decisions, usage, orders",
    "admin.token": "Bearer token of the admin port; needed where it is not loopback",
    "data_dir": "Where the ledger and the instance's own files live",
    "shm_dir": "Where shared memory lives: a tmpfs",
    "store": "What keeps the ledger: sqlite, or a URL of Postgres",
    "retention": "How long what is kept",
    "decisions": "Requests one by one, with all that explain shows",
    "minutely": "Sums of usage by the minute; then by the hour",
    "hourly": "Sums of usage by the hour; then by the day",
    "daily": "Sums of usage by the day; then they go",
    "export": "Where attempts are sent, one by one",
    "url": "Where attempts are posted, signed with the secret",
    "brokers": "Kafka's, host:port",
    "topic": "Of Kafka",
    "tls": "Encrypt",
    "mechanism": "How Kafka takes the login",
    "username": "Who logs in",
    "password": "Of that user",
    "on_ledger_full": "When the ledger cannot be written: refuse requests, or count what is lost",
    "limits": "The most that the gateway takes in",
    "limits.body": "The longest body of a request",
    "limits.head": "The longest head of a request",
    "limits.connections": "The most connections of clients",
    "limits.buckets": "How many buckets of limits may live at once",
    "usage": "What usage is told apart by",
    "usage.labels": "Up to 4 expressions whose text stands in every record",
    "prices": "Prices over the shipped table",
    "file": "Path, from this file's directory",
    "cluster": "Limits that hold over several nodes",
    "redis": "The store that nodes share",
    "prefix": "What all keys in the store begin with",
    "alerts": "Who hears of caps that are nearly spent",
    "webhook": "Where alerts are posted",
    "secret": "Signs what is posted",
    "auth": "none: clients without keys, on purpose",
    "models_strict": "Refuse models that `models` does not name",
    "providers": "Where requests go to",
    "providers.id": "Its name here: `id/model` and /providers/id/… pin it",
    "dialect": "The API that it speaks, or the vendor of an OpenAI-like one",
    "api_version": "Azure: asks its dated paths by this version; left out: v1",
    "base_url": "What its own SDK takes as base_url",
    "providers.keys": "Credentials of this provider; by weight",
    "providers.keys.value": "The credential, best from the environment",
    "providers.keys.id": "Its name in records",
    "weight": "Its share beside the others",
    "timeouts": "How long to wait for it",
    "timeouts.connect": "For the connection", "timeouts.first_byte": "For the answer to begin",
    "timeouts.idle": "Between two pieces of the answer", "timeouts.total": "For all of it",
    "retries": "Other attempts before the first byte",
    "retries.max": "The most for one request", "retries.budget": "The most of all requests",
    "retries.on": "After what: connect, or these statuses",
    "models": "What clients may ask for, and who serves it",
    "models.id": "What clients ask for",
    "candidates": "Who serves it, by weight", "fallback": "Who is asked when no candidate can",
    "provider": "An id of `providers`", "model": "The model's name there",
    "max_output": "The most output tokens that it can make", "context": "Its window in tokens",
    "keys": "Access keys of clients",
    "keys.id": "Its name in rules and records",
    "hash": "SHA-256 of the key, so that it stands nowhere", "value": "The key itself",
    "owner": "Whose it is: key.owner.* in rules", "tags": "key.tags.* in rules",
    "access": "What the key may ask for; left out: everything",
    "access.models": "Models, * for any text", "access.providers": "Providers",
    "access.operations": "Operations",
    "keys.limits": "Limits of this key alone",
    "keys.limits.requests": "Requests per time", "keys.limits.tokens": "Tokens per time",
    "keys.limits.input_tokens": "Input tokens per time",
    "keys.limits.output_tokens": "Output tokens per time",
    "keys.limits.cost": "Dollars per time", "keys.limits.concurrency": "Requests at once",
    "expires": "From when on it is refused",
    "policy": "Rules, in order; phase by phase",
    "on_http_request": "Before a provider is asked",
    "on_http_response": "When the answer's head is there; what reads usage runs at its end",
    "on_event_stream_message": "On the events of a streamed answer",
    "name": "What records and errors call it; a limit's name is its identity",
    "expressions": "CEL; all must hold. Left out: every request matches",
    "actions": "What a matching rule does, in order",
    "enforce": "false: a shadow, which is evaluated and recorded but never acts",
    "type": "What the action does", "config": "How it does it",
    "message": "What the client is told; `${…}` is an expression's value",
    "status_code": "Status of the answer",
    "body": "Body of the answer; `${…}` is an expression's value",
    "headers": "Header fields by name; `${…}` is an expression's value",
    "remove-headers.headers": "Names of fields that are not passed on",
    "restrict-models.allow": "Only these, * for any text",
    "restrict-models.deny": "Never these; stronger than allow",
    "restrict-ips.allow": "Only addresses in these blocks",
    "restrict-ips.deny": "None in these blocks; the narrowest block decides",
    "max_input_tokens": "The longest input, by its estimate; longer is answered with 413",
    "max_output_tokens": "The ceiling that is written into the request",
    "unit": "What is counted",
    "algorithm": "How a pace is kept",
    "capacity": "So much in every `per`", "per": "Over what time", "rate": "The same as `per`",
    "usage-cap.limit": "So much in a window; dollars for cost",
    "concurrency-limit.limit": "So many requests at once",
    "window": "The calendar window, in time_zone", "time_zone": "Whose days and months",
    "bucket_key": "Expressions: each combination of values has a bucket of its own",
    "alert_at": "Fractions of the cap that are told", "unbounded": "Inputs that nothing bounds",
    "on_worker_lost": "What a request of a dead worker counts as",
    "on_store_loss": "What holds while the fleet's store is away",
    "usage-cap.cluster": "Over all nodes, or each for itself",
    "rate-limit.cluster": "Over all nodes, or each for itself",
    "queue": "Who finds no slot waits",
    "queue.max": "The most that wait", "queue.timeout": "The longest wait",
    "kinds": "What is looked for", "patterns": "Named patterns of your own, in RE2's syntax",
    "detect.then": "What is done with what is found",
    "on-abort.then": "When the client has gone: cut the provider off, or read on",
    "max_tokens": "The most that a drain reads; of an answer that is no stream, 4 KiB each",
    "max_seconds": "The longest drain",
    "max_concurrent": "The most drains at once",
    "vars": "vars.* for later rules; a whole `${…}` keeps its type",
    "metadata": "What the log line and the record say; `${…}` is an expression's value",
}
_LISTS = ("oneOf", "anyOf")


def annotate(schema: dict[str, Any], path: tuple[str, ...] = ()) -> None:
    """Puts the meaning of every property before what its description says of its form."""
    for name, below in schema.get("properties", {}).items():
        at = (*path, name)
        if below.get("not") is None and (meaning := meaning_of(at)):
            form = below.get("description")
            below["description"] = f"{meaning}: {form}" if form else meaning
        annotate(below, at)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            annotate(schema[key], path)
    for key in _LISTS:
        for one in schema.get(key, ()):
            kind = one.get("properties", {}).get("type", {}).get("const")
            annotate(one, (*path, kind) if kind else path)


def meaning_of(path: tuple[str, ...]) -> str:
    """Of the key at ``path``; "" where there is none. `config` stands in no name."""
    names = [name for i, name in enumerate(path) if name != "config" or i == len(path) - 1]
    for start in range(len(names)):
        found = MEANINGS.get(".".join(names[start:]))
        if found:
            return found
    return ""
