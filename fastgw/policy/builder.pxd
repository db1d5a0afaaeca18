# Phase POLICY, at load: actions as csrc/fgw_action.h has them.
cimport cython
from libc.stdint cimport int64_t, uint32_t

from fastgw.native.action cimport (
    fgw_action, fgw_limit_keys, fgw_made_fields, fgw_template, fgw_words,
)
from fastgw.native.cel cimport fgw_cel_run
from fastgw.policy.plan cimport Plan


@cython.final
cdef class Words:
    # A text with `${…}` that is written at the end of a request.
    cdef:
        Plan _plan              # owns what _template points into
        fgw_template *_template

    cdef str say(self, fgw_cel_run *run)


@cython.final
cdef class Builder:
    cdef:
        Plan _plan
        object _compile         # Expression, types wanted -> (Program, tree)
        object _pieces          # Expression, typed -> [bytes | Program]
        object _limit           # LimitSpec -> its index
        object _set_var         # name, type: it may be read from here on
        list _reads             # (fact's name, address of the place that gets its number, size)
        readonly list messages  # bytes: what denials say, without `${…}`
        readonly list routes    # config.model.RouteTo
        readonly list removals  # tuples of names in lower case (bytes)
        readonly list logs      # (rule, ((name, Words), …))
        dict _known             # (id of a row above, what stands in it) -> its place
        uint32_t _drains        # on-abort actions that drain, so far
        readonly bint speaks    # some action makes a text
        readonly bint shadows   # some action is not enforced
        readonly bint counts_input  # some action is a cap-input

    cdef int action(self, fgw_action *action, object source, bint enforce, str rule) except -1
    cdef int bind(self, dict places) except -1
    cdef const void *_more(self, fgw_action *action, object source) except? NULL
    cdef const void *_limit_keys(self, fgw_action *action, object source) except NULL
    cdef const void *_models(self, object source) except NULL
    cdef const void *_addresses(self, object source) except NULL
    cdef const void *_drain(self, object source) except NULL
    cdef const void *_answer(self, object source) except NULL
    cdef const void *_names(self, fgw_action *action, object source) except NULL
    cdef const void *_vars(self, object source) except NULL
    cdef const void *_route(self, fgw_action *action, object source) except NULL
    cdef const void *_deny(self, fgw_action *action, object source) except? NULL
    cdef int _log(self, fgw_action *action, object source, str rule) except -1
    cdef int _fields(self, fgw_made_fields *fields, object headers) except -1
    cdef int _template(self, fgw_template *template, list pieces) except -1
