cimport cython
@cython.locals(text=str)
cpdef Py_ssize_t length_of(object message) except -1
cdef class Reply:
    cdef public object began, deadline, error, greenlet, message, name, raised, rule, seconds, start_time
    cdef public bint is_late, stays_late
cdef class Request(Reply):
    cdef public object _failure, _traffic, payload, seconds_to_wait
    cdef public bint _is_entered, _is_success
