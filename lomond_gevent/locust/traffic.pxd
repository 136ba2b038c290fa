from lomond_gevent.locust.inbox cimport Inbox
from lomond_gevent.locust.replies cimport Replies
from lomond_gevent.locust.reply cimport Reply, Request
cdef class Traffic:
    cdef public object _change, _next_rest, connection, rows, user
    cdef public Inbox inbox
    cdef public Replies replies
    cpdef exchange(self, Request request)
    cpdef fire_reply(self, Request request, object exception)
    cpdef take(self, object message)
    cpdef begin(self, Reply reply, seconds)
    cpdef bint transmit(self, object payload) except *
