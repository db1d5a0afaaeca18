import cython

from fastgw.native.http1 cimport fgw_head, fgw_http1_limits


@cython.final
cdef class Head:
    cdef:
        fgw_head head       # for Cython code that has one at hand; offsets are into `raw`
        fgw_http1_limits limits
        bytes raw           # the head, once it is complete

    cdef bytes _span(self, unsigned int off, unsigned int length)
