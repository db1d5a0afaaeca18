"""Phase ROUTE: the most that a request can come to, wherever it may still be sent.

A retry may go to any candidate that was not tried, so what is held for a request is what it costs
at the dearest of them: failover never passes a cap.
"""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.string cimport strlen

from fastgw.native.demand cimport fgw_name_hash
from fastgw.native.dialect cimport (
    FGW_OPERATION_RERANK,
    fgw_ask_default_model,
    fgw_dialect_wire,
)
from fastgw.native.price cimport (
    fgw_price_ceiling,
    fgw_price_has,
    fgw_price_output_within,
)
from fastgw.upstream.route cimport Route

cdef enum:
    SPLIT_MARK = 0x9E3779B1    # a name and what stands behind its "/" are looked up apart


cdef const uint8_t *model_of(Exchange x, Candidate candidate, size_t *length) noexcept:
    cdef const char *unnamed = NULL
    if candidate.model:
        length[0] = <size_t>len(candidate.model)
        return <const uint8_t *>PyBytes_AS_STRING(candidate.model)
    if candidate.provider.openai:
        unnamed = fgw_ask_default_model(&x.ask)
    if unnamed != NULL:
        length[0] = strlen(unnamed)
        return <const uint8_t *>unnamed
    length[0] = x.ask.model_bytes - x.split_model
    return <const uint8_t *>x.ask.model + x.split_model


cdef const fgw_price *price_of(Exchange x, Candidate candidate) noexcept:
    cdef const uint8_t *model
    cdef size_t length
    if candidate.model:
        return &candidate.price if candidate.priced else NULL
    if candidate.provider.prices is None:
        return NULL
    if x.ask.model_bytes == 0:
        model = model_of(x, candidate, &length)
        if length == 0:
            return NULL
        return candidate.provider.prices.find(fgw_name_hash(model, length), model, length)
    return candidate.provider.prices.find(
        x.model_hash ^ x.split_model * <uint64_t>SPLIT_MARK,
        <const uint8_t *>x.ask.model + x.split_model, x.ask.model_bytes - x.split_model,
    )


cdef Candidate next_left(Exchange x, int *at):
    """The next candidate behind ``at`` that the request may be sent to yet, or None."""
    cdef Route route = <Route>x.path
    cdef Candidate candidate
    cdef int weighted = <int>len(route.candidates)
    cdef int count = weighted + <int>len(route.fallback)
    while at[0] + 1 < count:
        at[0] += 1
        candidate = <Candidate>(
            route.candidates[at[0]] if at[0] < weighted else route.fallback[at[0] - weighted]
        )
        if candidate is x.candidate or not (
            candidate.provider.dialect != fgw_dialect_wire(x.route.dialect)
            or x.passed >> at[0] & 1
        ):
            return candidate
    return None


cdef inline uint64_t searches_most(Exchange x) noexcept:
    """A search unit is a query over 100 pieces of documents, of 500 tokens or less each: a piece
    is three bytes of the body at least. (Searches that models make by themselves have no bound,
    which is asked of the request: FGW_ASK_UNBOUNDED.)"""
    return 1 + x.ask.body_bytes // 256 if x.route.operation == FGW_OPERATION_RERANK else 0


cdef uint64_t output_most(Exchange x, uint64_t otherwise) noexcept:
    cdef const fgw_price *price
    cdef Candidate candidate
    cdef uint64_t most = 0
    cdef int at = -1
    while True:
        candidate = next_left(x, &at)
        if candidate is None:
            break
        price = price_of(x, candidate)
        if price == NULL or price.output_max == 0:
            return otherwise
        if price.output_max > most:
            most = price.output_max
    return most or otherwise


cdef int64_t dearest(Exchange x, uint64_t input, uint64_t output, bint writes) noexcept:
    cdef Candidate candidate
    cdef int64_t cost, most = 0
    cdef int at = -1
    while True:
        candidate = next_left(x, &at)
        if candidate is None:
            break
        cost = fgw_price_ceiling(
            price_of(x, candidate), x.ask.tiers, input, output, searches_most(x), writes
        )
        if cost > most:
            most = cost
    return most


cdef uint64_t output_within(
    Exchange x, uint64_t input, uint64_t room_nano, bint writes
) noexcept:
    cdef const fgw_price *price
    cdef Candidate candidate
    cdef uint64_t output, least = <uint64_t>-1
    cdef int at = -1
    while True:
        candidate = next_left(x, &at)
        if candidate is None:
            break
        price = price_of(x, candidate)
        if price == NULL or price.rows == 0:
            continue  # a cap that lets it pass cannot bound it
        output = fgw_price_output_within(
            price, x.ask.tiers, input, searches_most(x), room_nano, writes
        )
        if output < least:
            least = output
    return least


cdef Unpriced unpriced(Exchange x, bint close) noexcept:
    cdef const fgw_price *price
    cdef Candidate candidate
    cdef Unpriced found = PRICED
    cdef int at = -1
    while True:
        candidate = next_left(x, &at)
        if candidate is None:
            break
        price = price_of(x, candidate)
        if fgw_price_has(price, x.ask.tier):
            continue
        found = CHOSEN_UNPRICED if candidate is x.candidate or found == CHOSEN_UNPRICED \
            else OTHER_UNPRICED
        if close:
            x.passed |= <uint64_t>1 << at
    return found
