cdef class Outgoing:
    cdef public list frames
    cdef public bint _is_ended, gives_pieces, is_congested
    cdef public Py_ssize_t messages, bytes_queued
    cdef public object _latest_pong, _long, deflater
    cpdef add(self, int first, object payload)
    cpdef add_message(self, int first, object payload, bint compress)
    cpdef bytes take(self)
