"""What a request asks for, for Python: the thin top of fgw_dialect_route, _ask and _edit.

The journey calls the C itself; this serves tests, `fastgw policy simulate` and everything else
that has a request as bytes and time to spare.
"""

import cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t

from fastgw.native.dialect cimport (
    FGW_ASK_INCLUDE_USAGE,
    FGW_ASK_MORE_MODELS,
    FGW_ASK_STREAM,
    FGW_ASK_TOOLS,
    FGW_ASK_UNBOUNDED,
    FGW_ROUTE_BODY,
    FGW_ROUTE_CAPPABLE,
    FGW_ROUTE_FORM,
    FGW_ROUTE_IN_PATH,
    FGW_ROUTE_METERED,
    FGW_ROUTE_MODEL,
    FGW_ROUTE_STREAM,
    FGW_ROUTE_SUB,
    fgw_ask,
    fgw_ask_input_bound,
    fgw_ask_input_guess,
    fgw_ask_may_cache,
    fgw_ask_pictures,
    fgw_ask_take_path,
    fgw_ask_begin,
    fgw_ask_finish,
    fgw_edits,
    fgw_edits_copy,
    fgw_edits_plan,
    fgw_route,
    fgw_route_find,
    fgw_want,
)
from fastgw.native.dialect_form cimport fgw_ask_form, fgw_ask_is_form
from fastgw.native.estimate cimport fgw_estimate_input
from fastgw.native.json cimport fgw_json, fgw_json_feed

from fastgw.dialect.names import ASK_ERRORS, DIALECTS, OPERATIONS


@cython.final
cdef class Route:
    """Where a method and a path lead. ``status`` is 0, 404 or 405; the rest holds for 0. ``told``:
    the dialect that the request's fields speak of."""

    cdef fgw_route _route
    cdef bytes _path

    def __init__(self, str method, str path, *, str told=""):
        cdef bytes verb = method.encode()
        self._path = path.encode()
        fgw_route_find(
            verb, len(verb), self._path, len(self._path), DIALECTS.index(told), &self._route
        )

    @property
    def dialect(self):
        return DIALECTS[self._route.dialect]

    @property
    def operation(self):
        return OPERATIONS[self._route.operation]

    @property
    def status(self):
        return self._route.status

    @property
    def methods(self):
        """With 405: the methods that are allowed."""
        return tuple(
            name for bit, name in enumerate(("GET", "POST", "DELETE"))
            if self._route.methods >> bit & 1
        )

    @property
    def flags(self):
        cdef int bits = self._route.flags
        names = (
            (FGW_ROUTE_BODY, "body"), (FGW_ROUTE_MODEL, "model"), (FGW_ROUTE_METERED, "metered"),
            (FGW_ROUTE_SUB, "sub"), (FGW_ROUTE_CAPPABLE, "cappable"), (FGW_ROUTE_STREAM, "stream"),
            (FGW_ROUTE_IN_PATH, "in_path"), (FGW_ROUTE_FORM, "form"),
        )
        return frozenset(name for bit, name in names if bits & bit)

    @property
    def tail(self):
        """The operation's own path, for the APIs that are like OpenAI's."""
        return self._path[self._route.tail_at:].decode()

    @property
    def name(self):
        """The model that the path names, as it stands there."""
        cdef int at = self._route.name_at
        return self._path[at:at + self._route.name_bytes].decode()


@cython.final
cdef class Ask:
    """What a body asks for; ``error`` says why it is refused ('' if it is not). ``type``: its
    Content-Type, which says whether it is a form; else it is JSON."""

    cdef fgw_ask _ask
    cdef bytes _body

    def __init__(self, Route route, *pieces, str type=""):
        cdef bytes kind = type.encode()
        self._body = b"".join(pieces)
        if fgw_ask_is_form(kind, len(kind)):
            failed = fgw_ask_form(
                &self._ask, &route._route, kind, len(kind),
                <const uint8_t *>PyBytes_AS_STRING(self._body), len(self._body))
        else:
            failed = self._scan(route, pieces)
        if not failed and route._route.flags & FGW_ROUTE_IN_PATH:
            fgw_ask_take_path(&self._ask, &route._route, route._path)

    cdef int _scan(self, Route route, tuple pieces):
        cdef fgw_json json
        cdef bytes piece
        fgw_ask_begin(&json, route._route.dialect, route._route.operation)
        for piece in pieces:
            fgw_json_feed(&json, <const uint8_t *>PyBytes_AS_STRING(piece),
                          PyBytes_GET_SIZE(piece))
        return fgw_ask_finish(&self._ask, &json, &route._route)

    @property
    def error(self):
        return ASK_ERRORS[self._ask.error][0]

    @property
    def error_number(self):
        return self._ask.error

    @property
    def model(self):
        return self._ask.model[:self._ask.model_bytes].decode()

    @property
    def user(self):
        return self._ask.user[:self._ask.user_bytes].decode(errors="ignore")

    @property
    def stream(self):
        return bool(self._ask.flags & FGW_ASK_STREAM)

    @property
    def tools(self):
        return bool(self._ask.flags & FGW_ASK_TOOLS)

    @property
    def include_usage(self):
        return bool(self._ask.flags & FGW_ASK_INCLUDE_USAGE)

    @property
    def unbounded(self):
        """Some input is fetched or made by the provider: the bound does not hold."""
        return bool(self._ask.flags & FGW_ASK_UNBOUNDED)

    @property
    def more_models(self):
        """The body names models besides ``model``."""
        return bool(self._ask.flags & FGW_ASK_MORE_MODELS)

    @property
    def n(self):
        return self._ask.n

    @property
    def output_limit(self):
        """Tokens per answer, or None."""
        return None if self._ask.output_limit < 0 else self._ask.output_limit

    @property
    def messages(self):
        return self._ask.messages

    @property
    def picture(self):
        """`fastgw.usage.prices.kind_of` its pictures; 0: asks for none."""
        return self._ask.picture

    @property
    def sizes(self):
        """Bytes of text, of tools, of base64; how many binaries and references there are."""
        return {
            "text": self._ask.text_bytes,
            "tools": self._ask.tools_bytes,
            "binary": self._ask.binary_bytes,
            "binaries": self._ask.binaries,
            "remotes": self._ask.remotes,
        }

    @property
    def input_estimate(self):
        """Before anything was learned of the model."""
        return fgw_estimate_input(
            NULL, fgw_ask_input_guess(&self._ask), fgw_ask_pictures(&self._ask))

    @property
    def may_cache(self):
        return fgw_ask_may_cache(
            &self._ask, <const uint8_t *>PyBytes_AS_STRING(self._body),
            PyBytes_GET_SIZE(self._body))

    @property
    def input_bound(self):
        return fgw_ask_input_bound(&self._ask)

    def edited(self, *, int output_limit=0, str model=None, bint include_usage=False,
               bint old_limit_name=False, bint model_in_body=False):
        """The body with these wishes put in, and whether the usage chunk is to be hidden then."""
        cdef fgw_edits edits
        cdef fgw_want want
        cdef bytes name, out
        cdef Py_ssize_t length = len(self._body)
        want.output_limit = output_limit
        want.include_usage = include_usage
        want.old_limit_name = old_limit_name
        want.model_in_body = model_in_body
        want.model = NULL
        want.model_bytes = 0
        if model is not None:
            name = model.encode()
            if len(name) > 256:
                raise ValueError("a model name has at most 256 bytes")
            want.model = name
            want.model_bytes = len(name)
        fgw_edits_plan(&edits, &self._ask, &want)
        out = PyBytes_FromStringAndSize(NULL, length + edits.length_change)
        used = fgw_edits_copy(
            &edits, <const uint8_t *>PyBytes_AS_STRING(self._body), length,
            <uint8_t *>PyBytes_AS_STRING(out),
        )
        assert used == len(out)
        return out, bool(edits.hide_usage)
