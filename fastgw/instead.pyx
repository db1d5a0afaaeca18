"""Phase LIMIT, for the refusal: another model that this key may use and whose limits have room.

The policy decides for the other name exactly as it did for the one that was asked for, so nothing
is offered that a rule, the key's scope or a limit would refuse. Tried are a few of the configured
models, and only where some limit looks at the model at all: elsewhere another name changes
nothing, and a refusal costs no more than it must.
"""

cimport cython
from libc.stdint cimport uint8_t, uint32_t

from fastgw.identity.keys cimport Principal
from fastgw.native.dialect cimport (
    FGW_ASK_MORE_MODELS,
    FGW_OPERATION_CHAT,
    FGW_OPERATION_GENERATE,
    FGW_OPERATION_MESSAGES,
    FGW_OPERATION_RESPONSES,
    fgw_dialect_wire,
)
from fastgw.native.policy cimport FGW_FACT_AI_MODEL, fgw_value
from fastgw.native.record cimport FGW_UNIT_COST
from fastgw.upstream.route cimport Candidate

from fastgw.explain.refusal import escaped

cdef enum:
    TRIED_MAX = 3            # a policy run each
    NAME_MAX = 256           # bytes; a longer model's name no client can ask for


@cython.final
cdef class Instead:
    def __init__(self, Policy policy, Routes routes, names):
        """``names``: of configured models; none where no limit looks at the model."""
        cdef bytes name
        cdef Route route
        self.policy = policy
        self.routes = routes
        self.models = []
        for text in names:
            name = text.encode()
            route = routes.named(name)
            if len(name) <= NAME_MAX:
                self.models.append((name, route, escaped(text)))

    cdef bytes find(self, Exchange x, Facts facts, Limits limits, uint64_t now_ns):
        cdef PrincipalPart part = <PrincipalPart>(<Principal>x.principal).part
        cdef fgw_value asked
        cdef fgw_value *model = &facts.values[<int>FGW_FACT_AI_MODEL]
        cdef bytes name, found = None
        cdef int tried = 0
        if not self.models or not speaks(x):
            return None
        if x.parked_until_ns:
            facts.fill(x, x.client.address_text)  # others have been decided on meanwhile
        asked = facts.values[<int>FGW_FACT_AI_MODEL]
        for entry in self.models:
            name = <bytes>(<tuple>entry)[0]
            if name == x.ask.model[:x.ask.model_bytes]:
                continue
            if not self.serves(x, <Route>(<tuple>entry)[1], part):
                continue
            if tried == TRIED_MAX:
                break
            tried += 1
            model.bytes = <const uint8_t *>name
            model.length = <uint32_t>len(name)
            self.policy.run(facts.values, &facts.source, part, &self.effects)
            if self.effects.denied or self.effects.route or counts_cost(
                self.effects.n_demands, limits, self
            ):
                continue
            if limits.fit(&self.effects, &x.expected, &x.ceiling, now_ns, x.wall_ns):
                found = <bytes>(<tuple>entry)[2]
                break
        model[0] = asked
        return found

    cdef bint serves(self, Exchange x, Route route, PrincipalPart part) except -1:
        """A candidate in this dialect, open to the key, that is known to generate text and to
        have room for the prompt."""
        cdef Candidate candidate
        for entry in route.candidates:
            candidate = <Candidate>entry
            if (
                candidate.provider.dialect == fgw_dialect_wire(x.route.dialect)
                and candidate.price.output_max
                and (candidate.price.window == 0 or x.input_estimate < candidate.price.window)
                and (part is None or part.allows_provider(
                    candidate.provider.id_text, <uint32_t>len(candidate.provider.id_text)
                ))
            ):
                return True
        return False


cdef inline bint speaks(Exchange x) noexcept:
    """Operations that any model for text takes, asked for by the model's own name."""
    cdef int operation = x.route.operation
    if x.pinned_length or x.split_model or x.ask.flags & FGW_ASK_MORE_MODELS:
        return False
    return (
        operation == FGW_OPERATION_CHAT or operation == FGW_OPERATION_RESPONSES
        or operation == FGW_OPERATION_MESSAGES or operation == FGW_OPERATION_GENERATE
    )


cdef inline bint counts_cost(int n, Limits limits, Instead instead) noexcept:
    """What another model would cost is not what this one would: not known here."""
    cdef int i
    for i in range(n):
        if limits._limits.specs[instead.effects.demands[i].limit].unit == FGW_UNIT_COST:
            return True
    return False
