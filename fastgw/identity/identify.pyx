"""Phases DIALECT, AUTHENTICATE and IDENTIFY: what the bytes of a request mean."""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.string cimport memcmp, memset

from fastgw.codes cimport (
    CODE_CONTENT_CODING,
    CODE_FORM_AMBIGUOUS,
    CODE_JSON_DUPLICATE,
    CODE_JSON_INVALID,
    CODE_JSON_NOT_OBJECT,
    CODE_KEY_AMBIGUOUS,
    CODE_KEY_EXPIRED,
    CODE_KEY_MISSING,
    CODE_KEY_UNKNOWN,
    CODE_LENGTH_REQUIRED,
    CODE_MEDIA_TYPE,
    CODE_METHOD_NOT_ALLOWED,
    CODE_MODEL_INVALID,
    CODE_MODEL_MISSING,
    CODE_N_INVALID,
    CODE_OUTPUT_LIMIT_INVALID,
    CODE_PROVIDER_UNKNOWN,
    CODE_ROUTE_UNKNOWN,
    CODE_STREAM_INVALID,
)
from fastgw.exchange cimport Client, body_of
from fastgw.identity.keys cimport Principal
from fastgw.native.dialect cimport (
    FGW_ASK_DUPLICATE,
    FGW_ASK_FORM_INVALID,
    FGW_ASK_LIMIT_INVALID,
    FGW_ASK_MODEL_INVALID,
    FGW_ASK_MODEL_MISSING,
    FGW_ASK_NOT_JSON,
    FGW_ASK_NOT_OBJECT,
    FGW_ASK_N_INVALID,
    FGW_ASK_STREAM_INVALID,
    FGW_ASK_UNBOUNDED,
    FGW_DIALECT_ANTHROPIC,
    FGW_DIALECT_AZURE,
    FGW_DIALECT_GEMINI,
    FGW_DIALECT_NONE,
    FGW_ROUTE_BODY,
    FGW_ROUTE_CAPPABLE,
    FGW_ROUTE_FORM,
    FGW_ROUTE_IN_PATH,
    fgw_ask_clear,
    fgw_ask_input_bound,
    fgw_ask_input_guess,
    fgw_ask_scan,
    fgw_ask_take_path,
    fgw_route_find,
)
from fastgw.native.dialect_form cimport fgw_ask_form, fgw_ask_is_form
from fastgw.native.hash cimport fgw_equal_constant_time
from fastgw.native.http1 cimport (
    FGW_FRAMING_NONE,
    FGW_H_ANTHROPIC_VERSION,
    FGW_H_API_KEY,
    FGW_H_AUTHORIZATION,
    FGW_H_CONTENT_ENCODING,
    FGW_H_CONTENT_TYPE,
    FGW_H_X_API_KEY,
    FGW_H_X_GOOG_API_KEY,
    fgw_http1_find,
)

cdef enum:
    PREFIX_LENGTH = 11             # "/providers/"
    CREDENTIAL_KEPT = 256          # bytes of a credential that a connection remembers
    SEVERAL = 65536                # more than a query has
    TOKENS_MAX = 1099511627776     # a limit above this is none: sums stay within 64 bits
    OUTPUT_CEILING = 131072        # no model writes more in one answer (the largest: 128 Ki)
    INPUT_CEILING = 2097152        # no model reads more (the largest context window: 2 Mi)

cdef const char *PREFIX = b"/providers/"


cdef size_t field(Exchange x, uint8_t id, const uint8_t **value) noexcept:
    cdef int at = fgw_http1_find(&x.head, id)
    if at < 0:
        return 0
    value[0] = x.bytes + x.head.headers[at].value_off
    return x.head.headers[at].value_len


cdef int find_route(Exchange x) noexcept:
    """Phase DIALECT: the API and the operation that method and path name.

    Reads     head
    Writes    route, path, pinned
    Explains  404, 405
    """
    cdef size_t at = x.head.path.off
    cdef size_t length = x.head.path.len
    cdef size_t i
    cdef uint8_t told = FGW_DIALECT_NONE
    x.pinned_length = 0
    if length > PREFIX_LENGTH and memcmp(x.bytes + at, PREFIX, PREFIX_LENGTH) == 0:
        i = PREFIX_LENGTH
        while i < length and x.bytes[at + i] != c"/":
            i += 1
        x.pinned_at = at + PREFIX_LENGTH
        x.pinned_length = i - PREFIX_LENGTH
        if x.pinned_length == 0 or i == length:
            return CODE_PROVIDER_UNKNOWN
        at += i
        length -= i
    x.path_at = at
    x.path_length = length
    if (
        fgw_http1_find(&x.head, FGW_H_ANTHROPIC_VERSION) >= 0
        or fgw_http1_find(&x.head, FGW_H_X_API_KEY) >= 0
    ):
        told = FGW_DIALECT_ANTHROPIC
    elif fgw_http1_find(&x.head, FGW_H_X_GOOG_API_KEY) >= 0:
        told = FGW_DIALECT_GEMINI
    if fgw_route_find(
        <const char *>x.bytes + x.head.method_text.off, x.head.method_text.len,
        <const char *>x.bytes + at, length, told, &x.route,
    ) < 0:
        return CODE_METHOD_NOT_ALLOWED if x.route.status == 405 else CODE_ROUTE_UNKNOWN
    return 0


cdef Principal recall(Client client, KeyTable keys, const uint8_t *credential, size_t length):
    """Whose credential this is, or None. A connection's requests carry the same one nearly always,
    and comparing costs less than hashing. (In constant time: what comes in between may serve many
    clients over one connection.)"""
    cdef Principal principal
    if (
        client.key_table is keys and <size_t>len(client.credential) == length
        and fgw_equal_constant_time(
            <const uint8_t *>PyBytes_AS_STRING(client.credential), credential, length
        )
    ):
        return <Principal>client.principal
    principal = keys.find(credential, length)
    if principal is not None and length <= CREDENTIAL_KEPT:
        client.credential = credential[:length]
        client.principal = principal
        client.key_table = keys
    return principal


cdef int authenticate(Exchange x, KeyTable keys):
    """Phase AUTHENTICATE: the credential's principal.

    Reads     head, route.dialect
    Writes    principal
    Explains  401
    """
    cdef const uint8_t *value = NULL
    cdef const uint8_t *queried = NULL
    cdef size_t length = 0, in_query = 0
    cdef Principal principal
    cdef uint64_t fields = (
        (<uint64_t>1 << FGW_H_AUTHORIZATION) | (<uint64_t>1 << FGW_H_X_API_KEY)
        | (<uint64_t>1 << FGW_H_X_GOOG_API_KEY) | (<uint64_t>1 << FGW_H_API_KEY)
    )
    if x.head.repeated & fields:
        return CODE_KEY_AMBIGUOUS
    if x.route.dialect == FGW_DIALECT_ANTHROPIC:
        length = field(x, FGW_H_X_API_KEY, &value)
    elif x.route.dialect == FGW_DIALECT_GEMINI:
        length = field(x, FGW_H_X_GOOG_API_KEY, &value)
        in_query = key_in_query(x, &queried)
        if in_query == SEVERAL:
            return CODE_KEY_AMBIGUOUS
        if length == 0:
            value = queried
            length = in_query
    elif x.route.dialect == FGW_DIALECT_AZURE:
        length = field(x, FGW_H_API_KEY, &value)
    if length == 0:
        length = bearer(x, &value)
    if length == 0:
        if keys.anonymous is None:
            return CODE_KEY_MISSING
        x.principal = keys.anonymous
        return 0
    principal = recall(x.client, keys, value, length)
    if in_query:
        # Rules, logs and the ledger may show the query: the key is not in it any more.
        memset(<void *>queried, c"x", in_query)
    if principal is None:
        if keys.anonymous is None:
            return CODE_KEY_UNKNOWN
        principal = keys.anonymous
    if principal.expires_wall_ns and principal.expires_wall_ns <= x.wall_ns:
        return CODE_KEY_EXPIRED
    x.principal = principal
    return 0


cdef inline int nibble(uint8_t digit) noexcept nogil:
    if 48 <= digit <= 57:
        return digit - 48
    digit |= 0x20
    return digit - 87 if 97 <= digit <= 102 else -1


cdef bint is_key(const uint8_t *name, size_t length) noexcept nogil:
    """Whether it is `key` once its percent-encoding is undone."""
    cdef const char *word = b"key"
    cdef size_t at = 0
    cdef int i, byte
    for i in range(3):
        if at >= length:
            return False
        byte = name[at]
        if byte == c"%" and length - at > 2:
            byte = nibble(name[at + 1]) * 16 + nibble(name[at + 2])
            at += 2
        if byte != word[i]:
            return False
        at += 1
    return at == length


cdef size_t key_in_query(Exchange x, const uint8_t **value) noexcept:
    """The value of the query's `key`, as Google's APIs have it: its length, 0 if none, SEVERAL.

    One whose name is written with escapes is told as several: it is nobody's way to write it,
    and who looks for `key=` would pass it on."""
    cdef const uint8_t *query = x.bytes + x.head.query.off
    cdef size_t at = 0, end, name, found = 0, length = x.head.query.len
    while at < length:
        end = name = at
        while end < length and query[end] != c"&":
            end += 1
        while name < end and query[name] != c"=":
            name += 1
        if is_key(query + at, name - at):
            if found or name - at > 3:
                found = SEVERAL
            elif name + 1 < end:
                value[0] = query + name + 1
                found = end - name - 1
        at = end + 1
    return found


cdef size_t bearer(Exchange x, const uint8_t **value) noexcept:
    """The token of ``Authorization: Bearer …`` (RFC 6750 section 2.1): its length, 0 if none."""
    cdef size_t length = field(x, FGW_H_AUTHORIZATION, value)
    cdef const uint8_t *at = value[0]
    cdef const char *word = b"bearer "
    cdef int i
    if length <= 7:
        return 0
    for i in range(6):
        if at[i] | 0x20 != <uint8_t>word[i]:
            return 0
    if at[6] != c" ":
        return 0
    at += 7
    length -= 7
    while length and at[0] == c" ":
        at += 1
        length -= 1
    value[0] = at
    return length


cdef int identify(Exchange x, fgw_json *scan) noexcept:
    """Phase IDENTIFY: model, stream, n, limits and sizes, in one pass over the body.

    Reads     route, the body
    Writes    ask, input_guess, input_bound, output_bound
    Explains  400, 415
    """
    cdef const uint8_t *coding
    cdef uint64_t limit
    cdef int code
    x.input_guess = 0
    x.input_bound = 0
    x.output_bound = 0
    if not x.route.flags & FGW_ROUTE_BODY:
        fgw_ask_clear(&x.ask, &x.route)
        return take_path(x)
    if field(x, FGW_H_CONTENT_ENCODING, &coding):
        # What cannot be read cannot be governed: the client is told to send it plain.
        return CODE_CONTENT_CODING
    if x.head.framing == FGW_FRAMING_NONE and x.head.content_length < 0:
        return CODE_LENGTH_REQUIRED
    code = read_body(x, scan)
    if code:
        return code
    if take_path(x):
        return CODE_MODEL_INVALID
    x.input_guess = fgw_ask_input_guess(&x.ask)
    x.input_bound = fgw_ask_input_bound(&x.ask)
    if x.ask.flags & FGW_ASK_UNBOUNDED:
        x.input_bound = INPUT_CEILING
    if x.route.flags & FGW_ROUTE_CAPPABLE:
        if x.ask.output_limit >= 0:
            limit = <uint64_t>x.ask.output_limit
            x.output_bound = (limit if limit < TOKENS_MAX else TOKENS_MAX) * x.ask.n
        else:
            x.output_bound = OUTPUT_CEILING * <uint64_t>x.ask.n
    return 0


cdef int take_path(Exchange x) noexcept:
    """The model of a path that names one."""
    if x.route.flags & FGW_ROUTE_IN_PATH and fgw_ask_take_path(
        &x.ask, &x.route, <const char *>x.bytes + x.path_at
    ) < 0:
        return ask_code(x.ask.error)
    return 0


cdef int identify_again(Exchange x, fgw_json *scan) noexcept:
    return read_body(x, scan) or take_path(x)


cdef int read_body(Exchange x, fgw_json *scan) noexcept:
    """JSON, whatever it calls itself; but what calls itself a form is read as one or not at all: a
    provider could find other members in it than we do."""
    cdef const uint8_t *type = NULL
    cdef size_t length = field(x, FGW_H_CONTENT_TYPE, &type)
    cdef int failed
    if length >= 33 and same_word(type, b"application/x-www-form-urlencoded", 33):
        return CODE_MEDIA_TYPE
    if not fgw_ask_is_form(type, length):
        failed = fgw_ask_scan(&x.ask, scan, &x.route, body_of(x), x.body_length)
    elif not x.route.flags & FGW_ROUTE_FORM or (
        x.head.repeated & (<uint64_t>1 << FGW_H_CONTENT_TYPE)
    ):
        return CODE_MEDIA_TYPE
    else:
        failed = fgw_ask_form(
            &x.ask, &x.route, type, length, body_of(x), x.body_length
        )
    return ask_code(x.ask.error) if failed else 0


cdef bint same_word(const uint8_t *text, const char *lower, size_t length) noexcept:
    cdef size_t i
    for i in range(length):
        if text[i] != <uint8_t>lower[i] and text[i] | 0x20 != <uint8_t>lower[i]:
            return False
    return True


cdef int ask_code(int error) noexcept:
    if error == FGW_ASK_NOT_JSON:
        return CODE_JSON_INVALID
    if error == FGW_ASK_NOT_OBJECT:
        return CODE_JSON_NOT_OBJECT
    if error == FGW_ASK_DUPLICATE:
        return CODE_JSON_DUPLICATE
    if error == FGW_ASK_MODEL_MISSING:
        return CODE_MODEL_MISSING
    if error == FGW_ASK_MODEL_INVALID:
        return CODE_MODEL_INVALID
    if error == FGW_ASK_STREAM_INVALID:
        return CODE_STREAM_INVALID
    if error == FGW_ASK_N_INVALID:
        return CODE_N_INVALID
    if error == FGW_ASK_FORM_INVALID:
        return CODE_FORM_AMBIGUOUS
    if error == FGW_ASK_LIMIT_INVALID:
        return CODE_OUTPUT_LIMIT_INVALID
    return CODE_JSON_INVALID
