# An exchange as Python objects, for whoever renders its refusal.
from fastgw.exchange cimport Exchange

cdef object view_of(Exchange x, int code)
