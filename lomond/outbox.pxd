from lomond.protocol.outgoing cimport Outgoing

cdef class Outbox:
    cdef public Outgoing _outgoing
    cdef public object _rest
    cpdef bint flush(self, object channel) except *
cdef class Turn:
    cdef public bint is_taken
    cdef public object _queue
