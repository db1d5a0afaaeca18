"""The first request of a byte string, as h11 and httptools (llhttp) read it.

Both answer (verdict, message): "accept" with (method, target, minor, fields, body), "head" with
the same where the body was not looked at, "more", or "reject".
Names of fields are lower-cased: h11 does that.
"""

import h11
import httptools

from tests.wire.series import read_whole


def read_h11(raw):
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    request, body = None, []
    try:
        connection.receive_data(raw)
        while True:
            event = connection.next_event()
            if event in (h11.NEED_DATA, h11.PAUSED):
                return "more", None
            if isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                fields = [(bytes(n).lower(), bytes(v)) for n, v in request.headers]
                minor = int(request.http_version[-1:])
                target = bytes(request.target)
                return "accept", (bytes(request.method), target, minor, fields, b"".join(body))
            elif isinstance(event, h11.ConnectionClosed):
                return "more", None
    except h11.RemoteProtocolError as error:
        return "reject", str(error)


class _First:
    """Callbacks that keep the first message."""

    def __init__(self):
        self.fields, self.target, self.body, self.done = [], b"", b"", False

    def on_url(self, url):
        if not self.done:
            self.target += url

    def on_header(self, name, value):
        if not self.done:
            self.fields.append((bytes(name).lower(), bytes(value)))

    def on_body(self, body):
        if not self.done:
            self.body += body

    def on_headers_complete(self):
        if not self.done:
            self.method = self.parser.get_method()
            self.minor = int(self.parser.get_http_version()[-1])

    def on_message_complete(self):
        if not self.done:
            self.upgrade = self.parser.should_upgrade()
        self.done = True


def read_httptools(raw):
    first = _First()
    first.parser = httptools.HttpRequestParser(first)
    try:
        first.parser.feed_data(raw)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError as error:
        if not first.done:
            return "reject", str(error)
    if not first.done:
        return "more", None
    message = first.method, first.target, first.minor, first.fields, first.body
    return "head" if first.upgrade else "accept", message


# Where we refuse and the oracle does not: our rule, and why it stands. Nothing else may differ.
STRICTER = {
    "both": {
        "HTTP version not supported": "only 1.0 and 1.1; parsers leave it to their caller",
        "Transfer-Encoding in HTTP/1.0": "RFC 9112 6.1: the framing is faulty",
        "both Transfer-Encoding and Content-Length": "RFC 9112 6.3: may be refused as smuggling",
        "expectation not supported": "RFC 9110 10.1.1: 417 is policy",
        "malformed Host": "RFC 9112 3.2 wants 400; parsers leave it to their caller",
        "more than one Host": "RFC 9112 3.2; llhttp never looks, h11 at the end of the head",
        "malformed authority in request target": "as Host, which it replaces",
        "malformed request target": "RFC 9112 3.2: a known form, of bytes that a URI has",
        "request target too long": "a limit",
        "method not allowed": "CONNECT and TRACE are policy",
        "unknown method": "501 is policy",
        "head too large": "a limit",
        "too many fields": "a limit",
        "underscore in the name of a framing or credential field": "THREATS section 2, field name",
        "malformed Connection": "RFC 9110 7.6.1: a list of tokens; ten nominations at most",
        "malformed Transfer-Encoding": "anything but one final `chunked`",
        "more than one Transfer-Encoding": "llhttp joins them, h11 looks at the end of the head",
        "transfer coding not supported": "anything but one final `chunked`",
        "more than one Content-Length": "even if they agree",
        "malformed Content-Length": "no list, even if its members agree",
        "chunk extension": "RFC 9112 7.1.1 to the letter",
        "chunk overflow": "63 bits; llhttp has 64, h11 no end",
        "chunk too large": "a limit",
    },
    "h11": {
        "folded field line": "obs-fold may be refused, RFC 9112 5.2",
        "line does not end in CRLF": "bare LF is where parsers part ways",
        "malformed field name": "a bare LF before it ended the head for h11",
        "malformed method": "h11 waits for the end of the head",
        "malformed HTTP version": "h11 waits for the end of the head",
        "control character in field value": "h11 refuses only NUL, CR and LF",
        "chunk size": "h11 takes white space behind the size, and waits for a whole line",
        "chunk line end": "h11 takes CR in an extension",
        "chunk trailer": "bare LF",
    },
    "httptools": {
        "malformed HTTP version": "llhttp takes HTTP/0.9, and a line without version",
        "malformed method": "empty lines before the request line: we take one",
        "no Host": "llhttp leaves Host to its caller",
        "line does not end in CRLF": "llhttp skips any CR before the request line",
    },
}

# Where the oracle refuses and we do not. A substring of its message, and why.
LOOSER = {
    "h11": {
        "no request line received": "one empty line before a request: RFC 9112 2.2 SHOULD",
        "Only Transfer-Encoding: chunked is supported": "in a trailer, which we drop",
        "multiple Transfer-Encoding headers": "in a trailer, which we drop",
        "bad Content-Length": "in a trailer, which we drop",
        "conflicting Content-Length headers": "in a trailer, which we drop",
    },
    "httptools": {
        "Content-Length can't be present with Transfer-Encoding": "in a trailer, which we drop",
        "Empty Transfer-Encoding": "in a trailer, which we drop",
        "Invalid `Transfer-Encoding` header value": "in a trailer, which we drop",
        "Request has invalid `Transfer-Encoding`": "HTAB behind `chunked`: RFC 9110 5.5 OWS",
        "Invalid character in chunk extensions": "BWS around ';' and '=': RFC 9112 7.1.1",
    },
}

ORACLES = {"h11": read_h11, "httptools": read_httptools}


def first_of(series):
    """A Series' first message as the oracles put theirs."""
    if not series.messages:
        return ("more" if series.verdict == "more" or series.verdict == "idle" else "reject"), None
    message = series.messages[0]
    method, target, _, _, _, minor = message.line
    fields = [(name.lower(), value) for name, value in message.fields]
    return "accept", (method.encode(), target, minor, fields, message.body)


def _comparable(name, message, ours):
    """The oracle's message without what it is known to leave to its caller."""
    method, target, minor, fields, body = message
    if name == "h11":
        fields = [
            (field, dict(ours[3]).get(field, value) if field == b"transfer-encoding" else value)
            for field, value in fields
        ]
    else:
        fields = [(field, value.rstrip(b" \t")) for field, value in fields[: len(ours[3])]]
    return method, target, minor, fields, body


def _is_unfinished_fault(raw, mine):
    """We judge a line when it ends, so that no cut changes the verdict: end it."""
    return mine == "more" and first_of(read_whole(raw + b"\r\n\r\n"))[0] == "reject"


def unexplained(raw, series, name):
    """What oracle `name` reads otherwise than we did, and no entry above explains; or None."""
    mine, message = first_of(series)
    verdict, theirs = ORACLES[name](raw)
    if mine == "reject":
        known = {**STRICTER["both"], **STRICTER[name]}
        in_body = verdict == "head" and series.error.startswith("chunk ")
        if verdict != "reject" and series.error not in known and not in_body:
            return f"we refuse ({series.error}), {name} does not ({verdict})"
        return None
    if verdict == "reject":
        if any(text in theirs for text in LOOSER[name]) or _is_unfinished_fault(raw, mine):
            return None
        return f"{name} refuses ({theirs}), we do not ({mine})"
    if verdict == "head" and mine == "more":
        return None
    if mine != verdict and verdict != "head":
        return f"we say {mine}, {name} says {verdict}"
    if mine == "accept":
        comparable = _comparable(name, theirs, message)
        looked_at = 5 if verdict == "accept" else 4
        if comparable[:looked_at] != message[:looked_at]:
            return f"we read {message}, {name} reads {comparable}"
    return None


def _h11_response(raw, method):
    """(status, body) of the final response, or the reason of a refusal, or None: more to come."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(raw)
    connection.receive_data(b"")
    status, body = None, b""
    try:
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += event.data
            elif event in (h11.NEED_DATA, h11.PAUSED) or isinstance(event, h11.ConnectionClosed):
                return None
    except h11.RemoteProtocolError as error:
        return str(error)
    return status, bytes(body)


class _Response:
    """Callbacks that keep the body."""

    def __init__(self):
        self.body = b""

    def on_body(self, body):
        self.body += body


def _llhttp_response(raw):
    taken = _Response()
    parser = httptools.HttpResponseParser(taken)
    try:
        parser.feed_data(raw)
    except httptools.HttpParserUpgrade:
        return None
    except httptools.HttpParserError as error:
        return str(error)
    return parser.get_status_code(), taken.body


# As LOOSER, for responses that we take.
LOOSER_RESPONSE = (
    "no response line received",  # one empty line before it: RFC 9112 2.2; llhttp takes it too
    "Only Transfer-Encoding: chunked is supported",  # trailers, which we drop
    "multiple Transfer-Encoding headers",
    "bad Content-Length",
    "conflicting Content-Length headers",
    "Content-Length can't be present with Transfer-Encoding",
    "Invalid `Transfer-Encoding` header value",
    "Empty Transfer-Encoding",
    "Invalid character in chunk extensions",  # BWS
    "Request has invalid `Transfer-Encoding`",  # HTAB behind `chunked`
)


def unexplained_response(raw, series, method):
    """What an oracle reads otherwise than we did in a final response that we take; or None."""
    finals = [message for message in series.messages if message.line[1] >= 200]
    if series.verdict == "until close":
        finals = [series.current]
    if not finals:
        return None
    ours = finals[0].line[1], finals[0].body
    readings = {"h11": _h11_response(raw, method)}
    # llhttp reads on behind the final response, does not know of HEAD, and looks for the body of a
    # 1xx that it has no name for (RFC 9110 15.2: there is none).
    if method == "GET" and not series.ignored and len(series.messages) <= len(finals):
        readings["llhttp"] = _llhttp_response(raw)
    for name, theirs in readings.items():
        explained = isinstance(theirs, str) and any(text in theirs for text in LOOSER_RESPONSE)
        if theirs != ours and not explained:
            return f"we read {ours}, {name} reads {theirs}"
    return None
