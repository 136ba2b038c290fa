from lomond_gevent.locust.reply cimport Reply
cdef class Replies:
    cdef public object _alarm, _asked, _hub
    cdef public double _alarm_due
    cdef public dict _rules
    cdef public bint _has_woken
    cpdef Reply find(self, object message)
    cpdef ask(self, Reply reply)
    cpdef wait(self, Reply reply)
    cpdef _wake(self, Reply reply)
