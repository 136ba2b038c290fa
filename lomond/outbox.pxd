from lomond.protocol.outgoing cimport Outgoing

cdef class Turn:
    cdef public bint is_taken
    cdef public object _queue
cdef class Outbox(Turn):
    cdef public Outgoing _outgoing
    cdef public object _rest
    cpdef bint flush(self, object channel) except *
