"""The compiled policy: every rule, limit and key of one configuration, decided without Python.

One ``Policy`` per configuration; it never changes what it decides once built, so a request may
keep the one that admitted it over a reload. ``run`` is the whole of phase POLICY.
"""
cimport cython
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from fastgw.native.policy cimport fgw_effects, fgw_said, fgw_value
from fastgw.native.cel cimport fgw_cel_program, fgw_cel_run, fgw_cel_source
from fastgw.native.demand cimport fgw_known_keys
from fastgw.native.index cimport fgw_index, fgw_index_walk
from fastgw.policy.blob cimport Blob
from fastgw.policy.builder cimport Builder, Words
from fastgw.policy.late cimport Late
from fastgw.policy.plan cimport Plan, plan_part, plan_rule


@cython.final
cdef class PrincipalPart:
    """``access`` and ``limits`` of one access key, compiled."""
    cdef:
        readonly str key_id
        Plan _plan              # owns the memory that _part points into
        plan_part *_part

    # May this key be sent to that provider (access.providers)? ROUTE leaves out the candidates
    # for which it is false; `run` refuses only a provider that the client itself pinned.
    cdef bint allows_provider(self, const uint8_t *name, uint32_t length) noexcept nogil


@cython.final
cdef class Policy:
    cdef:
        readonly str version            # Config.version, 16 hex digits
        readonly uint64_t version_hash  # the same as a number: fgw_record_request.policy_version
        readonly uint64_t facts_used    # bit i: facts[i] is read by some rule, limit, key or label
        readonly uint64_t sources_used  # bit i: some rule or label reads map i of a fgw_cel_source
        readonly uint32_t n_facts       # FGW_FACTS_FIXED + len(dynamic_facts) <= FGW_FACTS_MAX
        readonly tuple dynamic_facts    # ('header', 'x-a') | ('tag', 'tier') | ('owner', 'team')
        readonly list limits            # LimitSpec, indexed by fgw_demand.limit; only ever grows
        readonly tuple messages         # bytes (UTF-8); effects.message is an index + 1
        readonly tuple labels           # str: names of usage.labels, at most FGW_LABELS_MAX
        readonly tuple routes           # config.model.RouteTo; effects.route is an index + 1
        readonly tuple removals         # names of fields in lower case, by number
        readonly tuple logs             # (rule, ((name, Words), …)), by number
        readonly object patterns        # policy.patterns.Patterns: what `detect` looks for besides
        readonly list detects           # dict of each `detect` action, by fgw_effects.detects
        readonly list warnings          # ConfigError: what compiles but may not mean what it says
        readonly Blob blob              # the rule index and all programs
        readonly object index           # policy.index.Tallies: how many rules it cannot file, …
        public object tracer            # policy.tracing.Tracer: `policy.traced` runs instead
        dict _sources                   # phase, or kind of rules here -> Rules: for `tracer`
        object _scope
        dict _limit_at                  # LimitSpec -> its index
        dict _parts                     # key id -> PrincipalPart
        dict _compiled                  # text, types, phase, changes -> (Program, tree): building
        dict _names                     # (space, text) -> hash
        int _rule_limits                # the most limits that rules can ask of one request
        readonly bint answers           # it has rules for an answer's head
        readonly bint says              # some rule may say more than a verdict (fastgw.sayings)
        readonly bint ends              # it has rules that read usage
        Late late                       # facts behind the request phase
        Plan _plan
        Builder _builder
        plan_rule *_rules
        uint32_t _n_rules
        plan_rule *_answer_rules        # detect of answers: decided with the request
        uint32_t _n_answer_rules
        const fgw_index *_index         # NULL: so few rules that each is asked
        fgw_index_walk _walk            # of this process, as _run
        plan_rule *_response_rules      # for the answer's head
        uint32_t _n_response_rules
        plan_rule *_end_rules           # of the response phase, but they read usage
        uint32_t _n_end_rules
        uint16_t *_volatile             # facts that a run begins without: vars.*, actions.*
        uint32_t _n_volatile
        fgw_said *_said                 # NULL: no action makes a text
        const fgw_cel_program **_labels
        uint32_t _n_labels
        uint64_t *_reasons              # name hashes of `messages`
        fgw_cel_run _run                # of this process: a decision runs to completion
        fgw_known_keys *_known          # of this process, as _run

    # Phase POLICY. Reads facts[0 .. n_facts) (those in facts_used) and `source` (NULL: every map
    # of the request is empty), writes the facts of variables and results; writes all of *effects
    # but the tails of its arrays (it need not be zeroed). `part` is None: no key is asked for.
    cdef void run(self, fgw_value *facts, const fgw_cel_source *source, PrincipalPart part,
                  fgw_effects *effects) noexcept nogil

    # The rules of the response phase, for the answer's head, or those that read usage at the end.
    # `facts` have what the request phase left there.
    cdef void run_answer(self, fgw_value *facts, const fgw_cel_source *source,
                         fgw_effects *effects) noexcept nogil
    cdef void run_end(self, fgw_value *facts, const fgw_cel_source *source,
                      fgw_effects *effects) noexcept nogil

    # What a log says, with the facts of the run before.
    cdef str say(self, Words words, const fgw_value *facts, const fgw_cel_source *source)

    # Label i as text into out[0 .. capacity): its length (cut at a character), 0 where absent.
    cdef uint32_t label(self, uint32_t i, const fgw_value *facts, const fgw_cel_source *source,
                        uint8_t *out, uint32_t capacity) noexcept nogil

    # Name hash of a denial's words (effects.message, not 0).
    cdef uint64_t reason(self, uint32_t message) noexcept nogil

    # What random() goes on from: each process has its own.
    cpdef void reseed(self, uint64_t seed) noexcept

    cdef void _begin(self, fgw_value *facts, const fgw_cel_source *source,
                     fgw_effects *effects) noexcept nogil

    # Building, once.
    cdef object _compile(self, object expression, tuple wanted)
    cdef uint64_t _name(self, int space, str text)
    cdef int _limit(self, object spec) except -1
    cdef plan_rule *_take_rules(self, Py_ssize_t count) except NULL
    cdef list _build_request(self, object sources)
    cdef int _build_response(self, object sources) except -1
    cdef int _build_answer_rules(self, object config) except -1
    cdef int _finish(self) except -1
    cdef int _seal(self, list conditions) except -1
    cdef int _build_rule(self, plan_rule *rule, object source, list actions, list programs,
                         str phase=*) except -1
    cdef int _detect(self, object rule, object action, str phase) except -1
    cdef bint _run_rules(self, fgw_value *facts, fgw_effects *effects) noexcept nogil
    cdef dict _render(self, fgw_effects *effects, fgw_value *values)
