from lomond.protocol.client cimport ClientProtocol
from lomond.outbox cimport Outbox
from lomond.transport cimport Transport
cdef class Exchange:
    cdef public list _ahead
    cdef public Py_ssize_t _ahead_kept, _ahead_limit
    cdef public object _failure, _lock, _make_gate
    cdef public bint _is_reading, is_abandoned
    cdef public double _send_timeout
    cdef public Outbox _outbox
    cdef public ClientProtocol protocol
    cdef public Transport transport
    cpdef list read(self)
    cpdef _admit_reader(self)
    cpdef list _take_batch(self, bint is_time)
    cpdef list _next_batch(self, bint is_time)
    cpdef list _read_step(self, bint is_time=*)
    cpdef bint _delegate(self, object _step, tuple _args) except *
    cpdef bint _flush(self) except *
    cpdef _flush_quietly(self)
