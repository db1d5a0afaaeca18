cimport cython
from libc.stdint cimport uint64_t

from fastgw.native.counters cimport fgw_counters
from fastgw.native.segment cimport fgw_segment, fgw_worker_slot


@cython.final
cdef class Segment:
    """The mapping. Pointers into it are good for as long as this object lives."""

    cdef:
        fgw_segment map          # offsets, in private memory
        readonly object path     # None if it came by descriptor
        readonly int fd
        readonly bint readonly
        readonly str reason      # of create: 'new', 'kept', or why an older one was replaced
        public Segment replaced  # of create: the older one, where only its sizes differ
        object __weakref__

    # Checked, never NULL: IndexError for a worker that does not exist.
    cdef fgw_worker_slot *slot(self, Py_ssize_t worker) except NULL
    cdef fgw_worker_slot *owner(self, Py_ssize_t owner) except NULL  # spare ones too
    cdef fgw_counters *counters_of(self, Py_ssize_t worker) except NULL
    cdef int _check_writable(self) except -1
