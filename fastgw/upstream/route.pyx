"""Phase ROUTE: which providers may serve this request, in which order.

Candidates share requests by weight (smooth weighted round robin, so that 9:1 is nine and one in
any ten, not on average); the fallbacks follow in the order written. A candidate that speaks
another dialect than the request is passed over.
"""

cimport cython
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy

from fastgw.native.demand cimport fgw_name_hash
from fastgw.native.dialect cimport FGW_DIALECT_AZURE, FGW_DIALECTS, fgw_dialect_wire

cdef enum:
    CANDIDATES_MAX = 64    # a bit each in Exchange.passed


@cython.final
cdef class Candidate:
    """``price``: what ``model`` costs there, as ``usage.prices.Price.pack`` has it; b"":
    unknown."""

    def __init__(self, Provider provider, bytes model=b"", int weight=1,
                 uint64_t model_hash=0, bytes price=b""):
        self.provider = provider
        self.model = model
        self.weight = <uint32_t>weight
        self.model_hash = model_hash
        self.priced = len(price) != 0
        if self.priced:
            if <size_t>len(price) != sizeof(fgw_price):
                raise ValueError(f"a price has {sizeof(fgw_price)} bytes, not {len(price)}")
            memcpy(&self.price, <const char *>price, sizeof(fgw_price))
        if model:
            self.answer_line = b"x-fastgw-model: " + model + b"\r\n"


@cython.final
cdef class Route:
    """The candidates of one model."""

    def __init__(self, list candidates, object fallback=()):
        if len(candidates) + len(fallback) > CANDIDATES_MAX:
            raise ValueError(f"a model has at most {CANDIDATES_MAX} candidates")
        self.candidates = candidates
        self.fallback = list(fallback)

    cdef Candidate choose(self, uint8_t dialect, uint64_t *passed):
        """The next candidate by weight, else the next fallback, of those not ``passed``."""
        cdef Candidate candidate, best = None
        cdef int64_t total = 0
        cdef int i, at = 0
        cdef int weighted = <int>len(self.candidates)
        dialect = fgw_dialect_wire(dialect)
        for i in range(weighted):
            candidate = <Candidate>self.candidates[i]
            if candidate.provider.dialect != dialect or passed[0] >> i & 1:
                continue
            candidate.current += candidate.weight
            total += candidate.weight
            if best is None or candidate.current > best.current:
                best = candidate
                at = i
        if best is not None:
            best.current -= total
            passed[0] |= <uint64_t>1 << at
            return best
        for i in range(<int>len(self.fallback)):
            candidate = <Candidate>self.fallback[i]
            at = weighted + i
            if candidate.provider.dialect == dialect and not passed[0] >> at & 1:
                passed[0] |= <uint64_t>1 << at
                return candidate
        return None


@cython.final
cdef class Routes:
    """All routes of a policy version.

    ``models`` maps a model's name to its Route. Unless ``strict``, a model that stands nowhere
    goes under its own name to the first provider of the request's dialect (of Azure's: else to the
    first that speaks OpenAI's).
    """

    def __cinit__(self, list providers, dict models, bint strict=False):
        cdef uint32_t size = 16
        cdef uint32_t at
        cdef uint64_t key
        cdef Provider provider
        while size < 2 * len(models):
            size *= 2
        self._slots = <RouteSlot *>calloc(size, sizeof(RouteSlot))
        if self._slots == NULL:
            raise MemoryError()
        self._mask = size - 1
        self._routes = []
        self._defaults = [None] * <int>FGW_DIALECTS
        self.strict = strict
        self.providers = {}
        for provider in providers:
            self.providers[provider.id.encode()] = Route([Candidate(provider)])
            if self._defaults[provider.dialect] is None:
                self._defaults[provider.dialect] = self.providers[provider.id.encode()]
            if provider.azure and self._defaults[<int>FGW_DIALECT_AZURE] is None:
                self._defaults[<int>FGW_DIALECT_AZURE] = self.providers[provider.id.encode()]
        if self._defaults[<int>FGW_DIALECT_AZURE] is None:
            self._defaults[<int>FGW_DIALECT_AZURE] = \
                self._defaults[<int>fgw_dialect_wire(FGW_DIALECT_AZURE)]
        for name, route in models.items():
            key = fgw_name_hash(name.encode(), len(name.encode()))
            at = <uint32_t>key & self._mask
            while self._slots[at].number:
                at = (at + 1) & self._mask
            self._routes.append((name.encode(), <Route?>route))
            self._slots[at].hash = key
            self._slots[at].number = <uint32_t>len(self._routes)

    def __dealloc__(self):
        free(self._slots)

    cdef Route find(self, uint64_t hash, const uint8_t *model, size_t length):
        """The route of a model that ``models`` names, or None. ``hash``: its name hash."""
        cdef uint32_t at = <uint32_t>hash & self._mask
        cdef tuple entry
        cdef bytes name
        while self._slots[at].number:
            if self._slots[at].hash == hash:
                entry = <tuple>self._routes[self._slots[at].number - 1]
                name = <bytes>entry[0]
                if <size_t>len(name) == length and memcmp(<const char *>name, model, length) == 0:
                    return <Route>entry[1]
            at = (at + 1) & self._mask
        return None

    cdef Route named(self, bytes model):
        """The route of a configured model, for who asks once; None: there is no such model."""
        for name, route in self._routes:
            if name == model:
                return route
        return None

    def of_model(self, bytes model):
        """The same, for who builds a plan."""
        return self.named(model)

    cdef Route pinned(self, const uint8_t *provider, size_t length):
        """The route to a provider by its id, or None."""
        return self.providers.get(provider[:length])

    cdef Route default(self, uint8_t dialect):
        """Where a model goes that `models` does not name."""
        return None if self.strict else <Route>self._defaults[dialect]

    cdef Route any_of(self, uint8_t dialect):
        """Where a request goes that names no model (a list of models, a file)."""
        return <Route>self._defaults[dialect]
