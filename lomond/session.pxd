from lomond.exchange cimport Exchange
cpdef Exchange _make_exchange(object session, object settings)
