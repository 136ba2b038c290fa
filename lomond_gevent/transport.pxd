from lomond.transport cimport Transport
cdef class _Sleeper:
    cdef public object greenlet, watcher, _timer
    cdef public double timer_due, interval
    cdef public bint is_time
    cpdef wake(self)
cdef class GeventTransport(Transport):
    cdef public object _flusher, _hub, _sender_sleepers
    cdef public bint _is_closed
    cdef public _Sleeper _sleeper
    cpdef _wait_for(self, int conditions, double deadline, _Sleeper sleeper)
    cpdef bint wait(self, double deadline, bint readable=*, bint writable=*) except *
