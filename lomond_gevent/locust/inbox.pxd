from lomond_gevent.locust.pushes cimport Count
cdef class Inbox:
    cdef public Count _count
    cdef public object _name, _on_message, _push_name, _rows, _sent_at, _user, unread
    cdef public bint has_left
    cpdef take(self, object message)
