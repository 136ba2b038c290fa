from lomond.protocol.outgoing cimport Outgoing
from lomond.protocol.heartbeat cimport Heartbeat
cdef class Connection:
    cdef public object _settings, ending
    cdef public int _state
    cdef public bint awaits_acknowledgement, has_more, is_finished
    cdef public Outgoing outgoing
    cdef public Heartbeat heartbeat
    cpdef send_text(self, str text, bint compress=*)
    cpdef send_binary(self, bytes data, bint compress=*)
