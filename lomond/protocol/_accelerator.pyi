from lomond.events import Binary, Event, Text

def mask(payload: bytes | bytearray | memoryview, key: bytes, /) -> bytes: ...
def build_frame(first: int, payload: bytes | bytearray | memoryview, key: bytes, /) -> bytes: ...
def read_messages(
    data: bytes,
    position: int,
    room: int,
    max_size: int,
    events: list[Event],
    text: type[Text],
    binary: type[Binary],
    time: float,
    /,
) -> int: ...
