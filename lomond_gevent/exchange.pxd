from lomond.exchange cimport Exchange
cdef class HubExchange(Exchange):
    cdef public object _hub
    cdef public Py_ssize_t _generation
    cpdef _admit_reader(self)
    cpdef bint _delegate(self, object step, tuple args) except *
    cpdef list _take_batch(self, bint is_time)
