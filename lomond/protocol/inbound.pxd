from lomond.protocol.frames cimport FrameReader
from lomond.protocol.outgoing cimport Outgoing
cdef class InboundStream:
    cdef public FrameReader _reader
    cdef public object _builder, _inflater, _max_fragments, _max_size, _received_time, _unread, bytes_missing, end
    cdef public Outgoing _pongs
    cdef public bint has_more
    cdef public Py_ssize_t messages
    cpdef feed(self, bytes data, object received_time)
    cpdef list read(self)
