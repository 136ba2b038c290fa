cdef class Heartbeat:
    cdef public double _ping_due, _ping_rate, _ping_timeout, _poll, _poll_due, _silence_due, limit_due, next_due
    cpdef bint is_over_limit(self, double now)
    cpdef bint is_timed_out(self, double now)
    cpdef bint take_poll(self, double now)
    cpdef bint take_ping(self, double now, double share=*)
    cpdef _update(self)
