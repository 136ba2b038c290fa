cdef class Transport:
    cdef public object _exit_event, _socket, channel, timings
    cdef public double interval
    cdef public Py_ssize_t _generation
    cdef public bint _is_cancelled
    cpdef bint wait(self, double deadline, bint readable=*, bint writable=*) except *
    cpdef check_process(self)
