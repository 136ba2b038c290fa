cpdef bytes make_key()
