# The gateway's own paths on the data port.

from fastgw.exchange cimport Exchange
from fastgw.waiting cimport Waiting


cdef class Own(Waiting):
    cdef object asker            # process.holders.Asker; None: nobody to ask

    cdef int _own(self, Exchange x) except -1
    cdef int _who(self, Exchange x) except -1
    cdef int _ask(self, Exchange x, str what, str query) except -1
    cdef int _say(self, Exchange x, bytes answer) except -1
