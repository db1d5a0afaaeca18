"""Phase SETTLE: what an exchange leaves in the ledger."""

from libc.stdint cimport uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from fastgw.exchange cimport LIMIT, STREAM, UPSTREAM
from fastgw.native.dialect cimport FGW_ASK_TOOLS
from fastgw.native.hold cimport fgw_hold_amount, fgw_hold_limit
from fastgw.native.quotes cimport FGW_QUOTE_PLACES, fgw_quote
from fastgw.native.record cimport (
    FGW_CLOSE_ASKED,
    FGW_LIMIT_TAKEN,
    FGW_REQUEST_FITTED,
    FGW_REQUEST_UNBOUNDED,
    FGW_UNIT_INPUT_TOKENS,
    fgw_record_held,
    fgw_record_request,
)
from fastgw.native.table cimport FGW_CELL_CAP


cdef void fill_request(Exchange x, fgw_record_request *record, uint64_t policy,
                       const uint8_t *address, uint64_t now_ns) noexcept:
    memset(record, 0, sizeof(fgw_record_request))
    record.head.id = x.id
    record.head.wall_ns = x.wall_ns
    record.head.flags = <uint16_t>(
        (FGW_REQUEST_FITTED if x.fitted else 0) | (FGW_REQUEST_UNBOUNDED if x.unbounded else 0)
    )
    record.dims = x.dims
    record.policy_version = policy
    record.client_request_id = x.client_request_id
    memcpy(record.client_ip, address, 16)
    record.input_bytes = <unsigned int>x.body_length
    record.input_estimate = <unsigned int>x.input_estimate
    # (Cast, or the literal is an object to Cython, and so is what it is compared with.)
    record.output_max = <uint32_t>min(x.output_max, <uint64_t>0xffffffff)
    record.phase = <uint8_t>x.phase
    record.n_rules = x.effects.n_rules
    record.n_limits = x.n_traces
    record.rules_total = x.effects.rules_total
    record.rule = x.effects.rule
    record.tools = (x.ask.flags & FGW_ASK_TOOLS) != 0
    record.phase_us[<int>LIMIT] = <unsigned int>((now_ns - x.began_ns) // 1000)
    if x.n_traces:
        record.answers = x.ask.n
        record.input_high = x.ceiling.by_unit[<int>FGW_UNIT_INPUT_TOKENS]


cdef int post_request(Exchange x, Journal journal, uint64_t policy, const uint8_t *address,
                      uint64_t now_ns) noexcept:
    cdef int room = 0
    cdef fgw_record_request *record = journal.begin_request(
        x.effects.n_rules, x.n_traces, &room
    )
    if record != NULL:
        fill_request(x, record, policy, address, now_ns)
        journal.end_request(record, x.effects.rules, x.traces)
    return room


cdef bint post_refusal(Exchange x, Journal journal, uint64_t policy, const uint8_t *address,
                       uint64_t reason, uint64_t now_ns) noexcept:
    cdef fgw_record_request record
    fill_request(x, &record, policy, address, now_ns)
    record.status = x.status
    record.code = x.code
    record.reason = reason
    return journal.refuse(&record, x.effects.rules, x.traces, now_ns)


cdef int post_open(Exchange x, Journal journal, uint64_t key_hash, int room) noexcept:
    cdef fgw_record_open record
    cdef int i, n = 0
    # Not what is held: n_held says how much of that there is.
    memset(&record, 0, <size_t>(<char *>record.held - <char *>&record))
    record.head.id = x.id
    record.head.wall_ns = x.attempt_wall_ns
    record.dims = x.dims
    record.provider_key = key_hash
    record.input_high = x.input_bound
    record.output_high = x.output_bound
    record.attempt = <uint8_t>x.attempt
    for i in range(x.n_traces):
        if x.traces[i].verdict != FGW_LIMIT_TAKEN:
            continue  # a shadow that would have refused: nothing is held, and nothing will be used
        record.held[n].identity[0] = x.traces[i].identity[0]
        record.held[n].identity[1] = x.traces[i].identity[1]
        record.held[n].amount = x.traces[i].taken
        n += 1
    record.n_held = <uint8_t>n
    return journal.open(&record, room)


cdef void post_held(Exchange x, Journal journal, int room, uint64_t wall_ns) noexcept:
    cdef fgw_record_held record
    cdef const fgw_hold_limit *limit
    cdef int i, n = 0
    memset(&record, 0, sizeof(record))
    record.head.id = x.id
    record.head.wall_ns = wall_ns
    record.output_high = x.output_bound
    record.attempt = <uint8_t>x.attempt
    for i in range(x.hold.n_limits):
        limit = &x.hold.limits[i]
        if limit.cell != FGW_CELL_CAP:
            continue
        record.held[n].identity[0] = limit.identity[0]
        record.held[n].identity[1] = limit.identity[1]
        record.held[n].amount = fgw_hold_amount(limit)
        n += 1
    record.n_held = <uint8_t>n
    journal.held(&record, room)


cdef void post_quotes(Exchange x, Journal journal, uint64_t wall_ns) noexcept:
    cdef const fgw_quote *quote
    cdef int place
    if not x.metered or x.meter.quotes == NULL:
        return
    for place in range(<int>FGW_QUOTE_PLACES):
        quote = &x.meter.quotes.quote[place]
        if quote.length:
            journal.quote(&x.id, x.attempt, place, quote.bytes, quote.length, wall_ns)


cdef void fill_close(Exchange x, fgw_record_close *close, int fate, bint final,
                     uint64_t now_ns, uint64_t wall_ns) noexcept:
    close.head.id = x.id
    close.head.flags = FGW_CLOSE_ASKED if x.asked else 0
    close.head.wall_ns = wall_ns
    close.dims = x.dims
    close.cost_nano_usd = -1
    close.status = x.status
    close.code = x.code
    close.fate = <uint8_t>fate
    close.attempt = <uint8_t>x.attempt
    close.final = final
    close.events = <unsigned int>x.meter.text_events if x.metered else 0
    close.bytes_in = x.sent_bytes
    close.bytes_out = x.body_sent
    close.started_ns = x.attempt_wall_ns
    close.phase_us[<int>LIMIT] = <unsigned int>((x.decided_ns - x.began_ns) // 1000)
    if x.first_byte_ns:
        close.phase_us[<int>UPSTREAM] = <unsigned int>((x.first_byte_ns - x.decided_ns) // 1000)
        close.phase_us[<int>STREAM] = <unsigned int>((now_ns - x.first_byte_ns) // 1000)
    else:
        close.phase_us[<int>UPSTREAM] = <unsigned int>((now_ns - x.decided_ns) // 1000)
