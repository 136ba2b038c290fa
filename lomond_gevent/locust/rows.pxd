cdef class Rows:
    cdef public object _fails_interrupted, _fire, _user
