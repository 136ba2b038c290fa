from lomond.protocol.connection cimport Connection
from lomond.protocol.inbound cimport InboundStream
cdef class ClientProtocol(Connection):
    cdef public object _answer, _random, extensions, ready_time, request, subprotocol
    cdef public double _asked_since, _last_received
    cdef public object _received_time
    cdef public Py_ssize_t bytes_missing, bytes_received
    cdef public InboundStream _inbound
    cpdef list receive(self, bytes data, object received_time, double now)
    cpdef list receive_more(self, double now)
