from lomond.events import Binary, Event, Text

def mask(payload: bytes | bytearray | memoryview, key: bytes, /) -> bytes: ...
def build_frame(first: int, payload: bytes | bytearray | memoryview, key: bytes, /) -> bytes: ...
def mask_part(head: bytes, payload: bytes, start: int, stop: int, key: bytes, /) -> bytes: ...
def read_messages(
    data: bytes,
    position: int,
    room: int,
    max_size: int,
    events: list[Event],
    text: tuple[type[Text], object, object],
    binary: tuple[type[Binary], object, object],
    time: float,
    /,
) -> int: ...
