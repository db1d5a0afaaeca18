"""Phase USAGE: tokens by class, with provenance.

The provider's own final number is the truth. Where it was not read here (the client left, the
stream broke, the provider reports none) the count is an interval that the provider's books lie in:

    input   [0 or what the provider said at the start, bound of the body; its text by the
             model's own tokenizer where that is known (csrc/fgw_dialect_prompt.h), else by bytes]
    output  [delivered: at least one token for each event that bore text, limit in force]

The point between them is estimated (`fastgw.usage.tokenizers`): what is counted, by the ratio of
the model's family, and `input_basis` and `output_basis` say how. It moves no end of the interval.

What runs in the background (`background: true`) goes on when its answer has come, or its client is
gone: where its end was not seen, the point is the limit in force.

At the edge of a cap, output is what was delivered, counted as that model counts, or as the nearest
known one does (then the interval begins at what is certain), or what the provider has told by then
if that is more: it had already generated the event that was not passed on.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memset

from fastgw.codes cimport CODE_CUT_BY_CAP, CODE_CUT_BY_DETECT
from fastgw.native.dialect cimport (
    FGW_ASK_BACKGROUND,
    FGW_DIALECT_OPENAI,
    FGW_OPERATION_AUDIO,
    FGW_OPERATION_IMAGES,
    fgw_dialect_wire,
)
from fastgw.native.dialect_meter cimport (
    FGW_EVENT_DONE,
    FGW_EVENT_ERROR,
    FGW_REPORT_TOTAL,
    FGW_USAGE_BILLED,
    FGW_USAGE_NO_INPUT,
    FGW_USAGE_OTHER_MODEL,
    FGW_USAGE_PARTIAL,
    FGW_USAGE_PROVIDER,
    fgw_meter_told_output,
    fgw_meter_usage,
    fgw_usage,
    fgw_usage_report,
)
from fastgw.native.policy cimport fgw_amounts
from fastgw.native.price cimport fgw_price_cost, fgw_price_micro
from fastgw.native.record cimport (
    FGW_BASIS_CERTAIN,
    FGW_BASIS_COUNTED,
    FGW_BASIS_LEARNED,
    FGW_BASIS_LIMIT,
    FGW_PROVENANCE_COUNTED,
    FGW_PROVENANCE_ESTIMATED,
    FGW_PROVENANCE_NONE,
    FGW_PROVENANCE_PROVIDER,
    FGW_UNIT_COST,
    FGW_UNIT_INPUT_TOKENS,
    FGW_UNIT_OUTPUT_TOKENS,
    FGW_UNIT_REQUESTS,
    FGW_UNIT_TOKENS,
    FGW_TIER_STANDARD,
    FGW_UNITS,
    fgw_tokens,
    fgw_units,
)
from fastgw.native.tier cimport FGW_TIER_UNTOLD, fgw_tier_of

cdef enum:
    MADE_MOST = 131072    # tokens of a picture, or of sound, whose number nobody tells: no bound


cdef inline bint makes_no_text(Exchange x) noexcept:
    """Pictures and sound: nothing of them can be counted here, and some cost no tokens at all."""
    return x.route.operation == FGW_OPERATION_IMAGES or x.route.operation == FGW_OPERATION_AUDIO


cdef void estimate_output(Exchange x, fgw_record_close *close) noexcept:
    """Output without the provider's last word on it: its interval, and a first point."""
    cdef uint64_t low = 0, point = 0
    close.output_high = x.output_bound
    if makes_no_text(x):
        close.output_high = max(close.output_high, <uint64_t>MADE_MOST * x.ask.n)
    if x.code == CODE_CUT_BY_CAP:
        low = x.output_certain
        point = max(x.output_delivered, fgw_meter_told_output(&x.meter))
        if close.output_high < point:
            close.output_high = point
    elif x.metered:
        low = x.meter.text_events
        if low == 0 and x.meter.output_bytes:
            low = 1
        if makes_no_text(x) and not x.meter.streaming:
            low = 0  # a transcript may have been billed by the second
    if close.output_high < low:
        close.output_high = low
    close.output_low = low
    close.output_provenance = FGW_PROVENANCE_ESTIMATED
    if x.code != CODE_CUT_BY_CAP:
        point_output(x, close, 0, FGW_BASIS_CERTAIN)
        return
    if x.meter.voices != NULL and x.meter.voices.known:
        close.output_provenance = FGW_PROVENANCE_COUNTED
    point_output(x, close, point, FGW_BASIS_COUNTED)


cdef void point_output(
    Exchange x, fgw_record_close *close, uint64_t point, uint8_t basis
) noexcept:
    close.output_basis = basis
    point = max(point, close.output_low)
    if x.metered:
        point = max(point, fgw_meter_told_output(&x.meter))
    if point > close.output_high:
        point = close.output_high
    if x.ask.flags & FGW_ASK_BACKGROUND and (x.upstream_status or x.client_gone):
        point = close.output_high  # it goes on without us, and nobody tells how far
        close.output_basis = FGW_BASIS_LIMIT
    close.tokens.output = point


cdef void account_cost(Exchange x, fgw_record_close *close, unsigned int flags) noexcept:
    """Fill in what the tokens cost."""
    close.dims.tier = tier_of(x) if close.provenance != FGW_PROVENANCE_NONE else 0
    close.overrun_tokens = 0
    close.overrun_nano_usd = 0
    if close.provenance == FGW_PROVENANCE_NONE or (
        x.upstream_status == 0 and input_of(close) + output_of(close) == 0
    ):
        close.cost_nano_usd = 0  # whatever the price; also of what was never answered
        return
    if makes_no_text(x) and close.provenance == FGW_PROVENANCE_ESTIMATED:
        by_units(x, close)
        return
    if x.price != NULL and not flags & FGW_USAGE_OTHER_MODEL:
        close.price_version = x.price.version
        close.cost_nano_usd = cost_of(x, close, flags)
    add_overrun(x, close)


cdef void by_units(Exchange x, fgw_record_close *close) noexcept:
    """Pictures and sound of which no tokens were told: where they are paid by the piece, the
    second or the character, they cost that and no tokens; else nobody knows what they cost."""
    cdef fgw_tokens none
    cdef int64_t cost
    memset(&none, 0, sizeof(none))
    if x.price == NULL or not (
        close.units.images or close.units.audio_ms or close.units.characters
    ):
        return
    cost = fgw_price_cost(x.price, close.dims.tier, &none, &close.units, x.ask.picture)
    if cost < 0:
        return
    close.price_version = x.price.version
    close.cost_nano_usd = cost
    close.tokens = none
    close.input_low = close.input_high = close.output_low = close.output_high = 0
    close.input_basis = close.output_basis = 0
    close.provenance = FGW_PROVENANCE_PROVIDER
    close.input_provenance = FGW_PROVENANCE_PROVIDER
    close.output_provenance = FGW_PROVENANCE_PROVIDER


cdef inline uint8_t tier_of(Exchange x) noexcept:
    """At whose price: what the answer says, else what was asked for."""
    cdef uint8_t tier = FGW_TIER_UNTOLD
    if x.metered:
        tier = fgw_tier_of(&x.meter.said)
    if tier == FGW_TIER_UNTOLD:
        tier = x.ask.tier
    return <uint8_t>FGW_TIER_STANDARD if tier == FGW_TIER_UNTOLD else tier


cdef int64_t cost_of(Exchange x, const fgw_record_close *close, unsigned int flags) noexcept:
    cdef fgw_usage usage
    cdef fgw_tokens billed
    cdef fgw_units units
    if not flags & FGW_USAGE_BILLED or close.provenance != FGW_PROVENANCE_PROVIDER:
        return fgw_price_cost(x.price, close.dims.tier, &close.tokens, &close.units, x.ask.picture)
    fgw_meter_usage(&x.meter, &usage)
    memset(&billed, 0, sizeof(billed))
    billed.input = usage.billed_input
    billed.output = usage.billed_output
    units = close.units
    units.image_input = units.image_output = 0  # they are in what is billed
    return fgw_price_cost(x.price, close.dims.tier, &billed, &units, x.ask.picture)


cdef void add_overrun(Exchange x, fgw_record_close *close) noexcept:
    """What the provider billed beyond the ceiling: spent all the same, so it is booked."""
    cdef fgw_tokens beyond
    cdef int64_t cost
    cdef bint told = close.provenance == FGW_PROVENANCE_PROVIDER or x.code == CODE_CUT_BY_CAP
    if not x.bounded or not told:
        return
    memset(&beyond, 0, sizeof(beyond))
    beyond.input = above(input_of(close), x.ceiling.by_unit[<int>FGW_UNIT_INPUT_TOKENS])
    beyond.output = above(
        output_of(close), x.ceiling.by_unit[<int>FGW_UNIT_OUTPUT_TOKENS]
    )
    if beyond.input + beyond.output == 0:
        return
    close.overrun_tokens = <uint32_t>min(beyond.input + beyond.output, <uint64_t>0xffffffff)
    cost = -1
    if close.cost_nano_usd >= 0:
        cost = fgw_price_cost(x.price, close.dims.tier, &beyond, NULL, 0)
    close.overrun_nano_usd = <uint64_t>cost if cost > 0 else 0


cdef inline uint64_t above(uint64_t used, uint64_t ceiling) noexcept:
    return used - ceiling if used > ceiling else 0


cdef inline void take_units(fgw_record_close *close, const fgw_usage *usage) noexcept:
    close.units.images = usage.images
    close.units.audio_ms = usage.audio_ms
    close.units.characters = usage.characters
    close.units.searches = usage.searches


cdef bint goes_on(Exchange x, const fgw_usage *usage, bint whole) noexcept:
    """Whether more was, or will be, generated than the provider's last number says."""
    if x.code in (CODE_CUT_BY_CAP, CODE_CUT_BY_DETECT):
        return True  # one of several answers had ended, the rest had not
    if x.ask.flags & FGW_ASK_BACKGROUND and usage.output + usage.reasoning == 0:
        return True  # it has only begun
    return (
        # vLLM tells of each answer as it goes: one of several had ended.
        x.ask.n > 1 and not whole and x.meter.streaming
        and fgw_dialect_wire(x.route.dialect) == FGW_DIALECT_OPENAI
        and not x.meter.ever & (FGW_EVENT_DONE | FGW_EVENT_ERROR)
    )


cdef void estimate_input(Exchange x, fgw_record_close *close) noexcept:
    close.input_basis = x.input_basis if x.input_basis else <uint8_t>FGW_BASIS_LEARNED
    close.tokens.input = x.input_counted if x.input_basis else x.input_estimate


cdef unsigned int count_tokens(
    Exchange x, fgw_record_close *close, bint asked, bint whole
) noexcept:
    """Fill in tokens, intervals and provenance."""
    cdef fgw_usage usage
    cdef fgw_tokens *tokens = &close.tokens
    cdef unsigned int flags = 0
    memset(tokens, 0, sizeof(fgw_tokens))
    close.input_low = close.input_high = close.output_low = close.output_high = 0
    close.provenance = FGW_PROVENANCE_NONE
    close.input_basis = close.output_basis = 0
    close.input_provenance = FGW_PROVENANCE_NONE
    close.output_provenance = FGW_PROVENANCE_NONE
    if not asked or x.upstream_status >= 300 or not x.generates:
        # Not asked, refused by the provider, or nothing that costs tokens.
        return 0
    if x.metered:
        flags = fgw_meter_usage(&x.meter, &usage)
        if flags & FGW_USAGE_PROVIDER and goes_on(x, &usage, whole):
            flags = flags & ~FGW_USAGE_PROVIDER | FGW_USAGE_PARTIAL
        take_units(close, &usage)
        if not flags and x.upstream_status:
            close.units.characters = x.ask.characters
    if flags & (FGW_USAGE_PROVIDER | FGW_USAGE_PARTIAL):
        tokens.input = usage.input
        tokens.cached_input = usage.cached_input
        tokens.cache_write = usage.cache_write
        tokens.cache_write_1h = usage.cache_write_1h
        tokens.audio_input = usage.audio_input
        close.units.image_input = usage.image_input
        close.input_provenance = FGW_PROVENANCE_PROVIDER
        close.input_low = close.input_high = input_of(close)
    if flags & FGW_USAGE_NO_INPUT:
        estimate_input(x, close)
        close.input_provenance = FGW_PROVENANCE_ESTIMATED
        close.input_low = 0
        close.input_high = x.input_bound
    if flags & FGW_USAGE_PROVIDER:
        tokens.output = usage.output
        tokens.reasoning = usage.reasoning
        tokens.audio_output = usage.audio_output
        close.units.image_output = usage.image_output
        close.output_provenance = FGW_PROVENANCE_PROVIDER
        close.output_low = close.output_high = output_of(close)
        close.provenance = close.input_provenance
        return flags
    close.provenance = FGW_PROVENANCE_ESTIMATED
    if flags & FGW_USAGE_PARTIAL:
        # What Anthropic says at the start is a lower bound where its servers run tools.
        if close.input_high < x.input_bound and not whole:
            close.input_high = x.input_bound
    else:
        if x.upstream_status or x.client_gone:
            estimate_input(x, close)  # else: asked, never answered; most bill nothing
        close.input_provenance = FGW_PROVENANCE_ESTIMATED
        close.input_high = x.input_bound - x.input_saved
        if tokens.input > close.input_high:
            tokens.input = close.input_high
    estimate_output(x, close)
    return flags


cdef void of_attempt(Exchange x, const fgw_record_close *close, fgw_amounts *actual) noexcept:
    memset(actual, 0, sizeof(fgw_amounts))
    actual.by_unit[<int>FGW_UNIT_INPUT_TOKENS] = input_of(close)
    actual.by_unit[<int>FGW_UNIT_OUTPUT_TOKENS] = output_of(close)
    actual.by_unit[<int>FGW_UNIT_TOKENS] = (
        actual.by_unit[<int>FGW_UNIT_INPUT_TOKENS] + actual.by_unit[<int>FGW_UNIT_OUTPUT_TOKENS]
    )
    # What has no price is charged as it was held: a cap must not take it for nothing.
    actual.by_unit[<int>FGW_UNIT_COST] = (
        fgw_price_micro(close.cost_nano_usd) if close.cost_nano_usd >= 0
        else x.ceiling.by_unit[<int>FGW_UNIT_COST]
    )


cdef void amounts(Exchange x, const fgw_record_close *close, fgw_amounts *actual) noexcept:
    cdef int unit
    of_attempt(x, close, actual)
    actual.by_unit[<int>FGW_UNIT_REQUESTS] = 1
    if x.attempt > 1:
        for unit in range(<int>FGW_UNITS):
            actual.by_unit[unit] += x.earlier.by_unit[unit]


cdef bint total_differs(Exchange x, const fgw_record_close *close) noexcept:
    cdef const fgw_usage_report *report = &x.meter.report
    return (
        x.metered and close.provenance == FGW_PROVENANCE_PROVIDER
        and report.present >> FGW_REPORT_TOTAL & 1
        and report.value[<int>FGW_REPORT_TOTAL] != input_of(close) + output_of(close)
    )


cdef void add_earlier(Exchange x, const fgw_record_close *close) noexcept:
    cdef fgw_amounts used
    cdef int unit
    of_attempt(x, close, &used)
    for unit in range(<int>FGW_UNITS):
        x.earlier.by_unit[unit] += used.by_unit[unit]
