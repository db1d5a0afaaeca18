"""The compiled policy: every rule, limit and key of one configuration, decided without Python.

One ``Policy`` per configuration; it never changes what it decides once built, so a request may
keep the one that admitted it over a reload. ``run`` is the whole of phase POLICY.
"""
cimport cython
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from fastgw.native.cel cimport fgw_cel_program, fgw_cel_run, fgw_cel_source
from fastgw.native.index cimport fgw_index, fgw_index_walk
from fastgw.native.policy cimport fgw_effects, fgw_value
from fastgw.policy.blob cimport Blob
from fastgw.policy.plan cimport Plan, plan_action, plan_part, plan_rule


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
        readonly list patterns          # (name, program, flags) of `detect`, by kind
        readonly list detects           # dict of each `detect` action, by fgw_effects.detects
        readonly list warnings          # ConfigError: what compiles but may not mean what it says
        readonly Blob blob              # the rule index and all programs
        readonly object index           # policy.index.Tallies: how many rules it cannot file, …
        dict _pattern_texts             # name -> the pattern as written
        object _scope
        dict _limit_at                  # LimitSpec -> its index
        dict _parts                     # key id -> PrincipalPart
        dict _names                     # (space, text) -> hash
        list _messages
        int _rule_limits                # the most limits that rules can ask of one request
        Plan _plan
        plan_rule *_rules
        uint32_t _n_rules
        plan_rule *_answer_rules
        uint32_t _n_answer_rules
        const fgw_index *_index         # NULL: so few rules that each is asked
        fgw_index_walk _walk            # of this process, as _run
        const fgw_cel_program **_labels
        uint32_t _n_labels
        fgw_cel_run _run                # of this process: a decision runs to completion

    # Phase POLICY. Reads facts[0 .. n_facts) (those in facts_used) and `source` (NULL: every map of
    # the request is empty); writes all of *effects but the
    # tails of its arrays (it need not be zeroed). `part` is None where no key is asked for.
    cdef void run(self, const fgw_value *facts, const fgw_cel_source *source, PrincipalPart part,
                  fgw_effects *effects) noexcept nogil

    # Label i as text into out[0 .. capacity): its length (cut at a character), 0 where absent.
    cdef uint32_t label(self, uint32_t i, const fgw_value *facts, const fgw_cel_source *source,
                        uint8_t *out, uint32_t capacity) noexcept nogil

    # What random() goes on from: each process has its own.
    cdef void reseed(self, uint64_t seed) noexcept nogil

    # Building, once.
    cdef object _compile(self, object expression, tuple wanted)
    cdef uint64_t _name(self, int space, str text)
    cdef int _limit(self, object spec) except -1
    cdef int _seal(self, list conditions) except -1
    cdef int _build_rule(self, plan_rule *rule, object source, list programs,
                         str phase=*) except -1
    cdef int _build_answer_rules(self, object config) except -1
    cdef int _pattern(self, object rule, str name, str text) except -1
    cdef int _detect(self, object rule, object action, str phase) except -1
    cdef bint _run_rules(self, const fgw_value *facts, fgw_effects *effects) noexcept nogil
    cdef int _build_action(self, plan_action *action, object source, bint enforce) except -1
    cdef int _build_limit(self, plan_action *action, object source) except -1
    cdef dict _render(self, fgw_effects *effects, fgw_value *values)
