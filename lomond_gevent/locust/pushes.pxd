cdef class Count:
    cdef public object _pushes, name
    cdef public Py_ssize_t bytes, messages
