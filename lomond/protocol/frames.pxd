cimport cython
cdef class FrameReader:
    cdef public bint between_messages
    cdef public bytes _data
    cdef public Py_ssize_t _position, _missing, _short
    cdef public object _max_payload, _legal
    cdef public int _first
    cpdef feed(self, bytes data)
    @cython.locals(data=bytes, position=Py_ssize_t, start=Py_ssize_t, end=Py_ssize_t, before=Py_ssize_t, first=int, between_messages=bint)
    cpdef read(self, list events, object received_time, Py_ssize_t room)
cpdef bytes build_frame(int first, object payload, bytes key=*)
