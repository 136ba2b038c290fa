cdef class SocketChannel:
    cdef public bint is_ready
    cdef public object _socket, _unread
    cpdef receive(self, missing=*)
    cpdef send(self, data)
    cpdef bint flush(self) except *
