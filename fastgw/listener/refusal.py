"""Phase EXPLAIN, for the client: a refusal as bytes, in the shape of the dialect's own API.

Off the hot path: it runs once a refusal, with Python objects.
"""

from __future__ import annotations

import traceback
from http import HTTPStatus

import orjson

from fastgw.dialect import error_body, stream_error
from fastgw.errors import Code
from fastgw.explain.catalogue import CATALOGUE
from fastgw.explain.refusal import Limit, headers_of, message_of

# enum fgw_http1_error -> the catalogue's codes; what is not named is HEAD_MALFORMED.
HEAD_CODES = {
    2: Code.METHOD_NOT_IMPLEMENTED,
    3: Code.METHOD_NOT_ALLOWED,
    5: Code.TARGET_TOO_LONG,
    8: Code.VERSION_NOT_SUPPORTED,
    14: Code.HEAD_TOO_LARGE,
    15: Code.HEAD_TOO_LARGE,
    16: Code.HOST_INVALID,
    17: Code.HOST_INVALID,
    18: Code.HOST_INVALID,
    19: Code.FRAMING_AMBIGUOUS,
    20: Code.FRAMING_AMBIGUOUS,
    21: Code.FRAMING_AMBIGUOUS,
    22: Code.TRANSFER_CODING_UNKNOWN,
    23: Code.FRAMING_AMBIGUOUS,
    24: Code.FRAMING_AMBIGUOUS,
    25: Code.FRAMING_AMBIGUOUS,
    27: Code.EXPECTATION_FAILED,
}
METHODS = {1: "GET", 2: "POST", 4: "DELETE"}
DIALECTS = {0: "openai", 1: "openai", 2: "anthropic"}
NEVER = {Code.LIMIT_NEVER, Code.LIMIT_CAP}
