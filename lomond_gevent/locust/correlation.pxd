cpdef look_up(object document, tuple path)
cpdef decode(object message)
