"""Phase LIMIT: what a request will probably use and the most that it can, in every unit.

Pace takes the first, caps the second: the input's upper bound and n times the output limit in
force, in money at the dearest candidate that may still be tried. So a cap is not passed whatever
the model writes and wherever a retry goes. Where a cap has less left, the largest output limit
that fits is written into the request: the provider itself stops there, reasoning included.
"""

cimport cython
from libc.stdint cimport uint8_t
from libc.string cimport memset

from fastgw.codes cimport CODE_LIMIT_PRICE_UNKNOWN, CODE_LIMIT_UNBOUNDED
from fastgw.exchange cimport body_of
from fastgw.native.dialect cimport (
    FGW_ASK_MORE_MODELS,
    FGW_ASK_UNBOUNDED,
    FGW_OPERATION_AUDIO,
    FGW_OPERATION_BATCHES,
    FGW_OPERATION_IMAGES,
    FGW_OPERATION_REALTIME,
    FGW_ROUTE_CAPPABLE,
    FGW_ROUTE_METERED,
    FGW_ROUTE_SUB,
    fgw_ask_input_bound,
    fgw_ask_may_cache,
)
from fastgw.native.http1 cimport FGW_M_POST
from fastgw.native.policy cimport fgw_amounts
from fastgw.native.price cimport fgw_price_cost, fgw_price_micro
from fastgw.native.record cimport (
    FGW_TIER_STANDARD,
    FGW_UNIT_COST,
    FGW_UNIT_INPUT_TOKENS,
    FGW_UNIT_OUTPUT_TOKENS,
    FGW_UNIT_REQUESTS,
    FGW_UNIT_TOKENS,
    FGW_UNITS,
    fgw_tokens,
)
from fastgw.native.tier cimport FGW_TIER_UNTOLD
from fastgw.upstream.bounds cimport (
    CHOSEN_UNPRICED,
    PRICED,
    dearest,
    output_most,
    output_within,
    price_of,
    unpriced,
)
from fastgw.upstream.route cimport Candidate, Route

cdef enum Mark:
    CAP = 1
    BY_INPUT = 2     # input that nothing bounds could pass it
    BY_OUTPUT = 4
    BY_PRICE = 8
    DENIES = 16      # what has no bound is refused; else it passes and is recorded

MARKS = {
    "requests": 0, "slots": 0, "input_tokens": BY_INPUT, "output_tokens": BY_OUTPUT,
    "tokens": BY_INPUT | BY_OUTPUT, "cost": BY_INPUT | BY_OUTPUT | BY_PRICE,
}


cdef inline void fill_tokens(fgw_amounts *amounts, uint64_t input, uint64_t output) noexcept:
    memset(amounts, 0, sizeof(fgw_amounts))
    amounts.by_unit[<int>FGW_UNIT_REQUESTS] = 1
    amounts.by_unit[<int>FGW_UNIT_INPUT_TOKENS] = input
    amounts.by_unit[<int>FGW_UNIT_OUTPUT_TOKENS] = output
    amounts.by_unit[<int>FGW_UNIT_TOKENS] = input + output


cdef inline bint makes_unseen(Exchange x) noexcept:
    """It lets the provider generate what no answer here will tell of: a batch, a session."""
    if x.route.operation == FGW_OPERATION_BATCHES:
        return x.head.method == FGW_M_POST and not x.route.flags & FGW_ROUTE_SUB
    return x.route.operation == FGW_OPERATION_REALTIME and (
        x.head.method == FGW_M_POST or not x.route.flags & FGW_ROUTE_SUB
    )


cdef inline uint8_t tier_asked(Exchange x) noexcept:
    return <uint8_t>FGW_TIER_STANDARD if x.ask.tier == FGW_TIER_UNTOLD else x.ask.tier


cdef int missing_bounds(Exchange x) noexcept:
    """What of this request has no bound, as marks of the limits that mind it."""
    cdef int missing = 0
    if x.ask.flags & FGW_ASK_UNBOUNDED:
        missing |= BY_INPUT
    if x.ask.flags & FGW_ASK_MORE_MODELS:
        missing |= BY_PRICE  # who answers is not known
    if makes_unseen(x):
        missing |= BY_INPUT | BY_OUTPUT
    if x.route.flags & FGW_ROUTE_METERED and not x.route.flags & FGW_ROUTE_CAPPABLE and (
        x.route.flags & FGW_ROUTE_SUB
        or x.route.operation in (FGW_OPERATION_IMAGES, FGW_OPERATION_AUDIO)
    ):
        missing |= BY_INPUT | BY_OUTPUT
    return missing


@cython.final
cdef class Ceilings:
    def __init__(self, specs, Limits limits):
        """``specs``: as Limits takes them, with `unbounded`."""
        self.limits = limits
        marks = []
        for spec in specs:
            mark = 0
            if spec["algorithm"] == "cap":
                mark = CAP | MARKS[spec["unit"]]
                mark |= DENIES if spec.get("unbounded", "deny") == "deny" else 0
            marks.append(mark)
        self.marks = bytes(marks)
        self.capped = any(marks)
        self.priced = any(spec["unit"] == "cost" for spec in specs)

    cdef int bound(self, Exchange x) except -1:
        cdef const uint8_t *marks = <const uint8_t *>self.marks
        cdef int missing, mark, wanted = 0, denied = 0, i
        x.bounded = x.route.flags & FGW_ROUTE_CAPPABLE and not x.ask.flags & FGW_ASK_UNBOUNDED
        if not self.capped:
            return 0
        missing = missing_bounds(x)
        for i in range(x.effects.n_demands):
            mark = marks[x.effects.demands[i].limit]
            if not mark & CAP:
                continue
            wanted |= mark
            if not mark & DENIES or not x.effects.demands[i].enforced:
                continue
            denied |= mark
            if mark & missing:
                x.effects.rule = x.effects.demands[i].rule
                return (
                    CODE_LIMIT_UNBOUNDED if mark & missing & (BY_INPUT | BY_OUTPUT)
                    else CODE_LIMIT_PRICE_UNKNOWN
                )
        if wanted & BY_PRICE:
            missing |= self._price(x, denied)
            if x.candidate is None:
                return CODE_LIMIT_PRICE_UNKNOWN
        x.unbounded = wanted & missing & (BY_INPUT | BY_OUTPUT | BY_PRICE) != 0
        x.bounded = x.bounded or wanted & BY_INPUT
        return 0

    cdef int _price(self, Exchange x, int denied) except -1:
        """Candidates without a price: closed, or let pass. No candidate is left: None."""
        cdef int found = unpriced(x, denied & BY_PRICE != 0)
        if found == PRICED:
            return 0
        if not denied & BY_PRICE:
            return BY_PRICE
        if found == CHOSEN_UNPRICED:
            x.candidate = (<Route>x.path).choose(x.route.dialect, &x.passed)
        return 0

    cdef int amounts(self, Exchange x) except -1:
        cdef uint64_t input = x.input_bound
        cdef fgw_tokens tokens
        if x.route.flags & FGW_ROUTE_CAPPABLE and x.output_max == 0:
            x.output_bound = output_most(x, x.output_bound // x.ask.n) * x.ask.n
        if x.output_expected > x.output_bound:
            x.output_expected = x.output_bound
        if x.unbounded:
            input = fgw_ask_input_bound(&x.ask)  # what is in the body; the rest will be overrun
        fill_tokens(&x.expected, x.input_estimate, x.output_expected)
        fill_tokens(&x.ceiling, input, x.output_bound)
        if self.priced:
            memset(&tokens, 0, sizeof(tokens))
            tokens.input = x.input_estimate
            tokens.output = x.output_expected
            x.expected.by_unit[<int>FGW_UNIT_COST] = fgw_price_micro(
                fgw_price_cost(
                    price_of(x, <Candidate>x.candidate), tier_asked(x), &tokens, NULL, 0
                )
            )
            x.ceiling.by_unit[<int>FGW_UNIT_COST] = fgw_price_micro(
                dearest(x, input, x.output_bound, self._writes(x))
            )
        return 0

    cdef bint _writes(self, Exchange x) noexcept:
        return fgw_ask_may_cache(&x.ask, body_of(x), x.body_length)

    cdef Fit shrink(self, Exchange x, uint64_t now_ns) except? FIT_NOTHING:
        cdef uint64_t room[<int>FGW_UNITS]
        cdef uint64_t none = <uint64_t>-1
        cdef uint64_t input = x.ceiling.by_unit[<int>FGW_UNIT_INPUT_TOKENS]
        cdef uint64_t most, each
        if not x.route.flags & FGW_ROUTE_CAPPABLE:
            return FIT_ALREADY  # there is no limit to be lowered
        self.limits.room(&x.effects, now_ns, x.wall_ns, room)
        most = room[<int>FGW_UNIT_OUTPUT_TOKENS]
        if room[<int>FGW_UNIT_REQUESTS] == 0 or room[<int>FGW_UNIT_INPUT_TOKENS] < input:
            return FIT_NOTHING
        if room[<int>FGW_UNIT_TOKENS] != none:
            if room[<int>FGW_UNIT_TOKENS] < input:
                return FIT_NOTHING
            most = min(most, room[<int>FGW_UNIT_TOKENS] - input)
        if room[<int>FGW_UNIT_COST] != none:
            most = min(most, output_within(
                x, input, min(room[<int>FGW_UNIT_COST], none // 1000) * 1000, self._writes(x)
            ))
        each = most // x.ask.n
        if most >= x.output_bound:
            return FIT_ALREADY
        if each == 0:
            return FIT_NOTHING
        self.limit_output(x, each)
        return FIT_SMALLER

    cdef int limit_output(self, Exchange x, uint64_t each) except -1:
        """Puts an output limit of so many tokens an answer in force."""
        x.output_max = each
        x.output_bound = each * x.ask.n
        x.limit_written = True
        return self.amounts(x)
