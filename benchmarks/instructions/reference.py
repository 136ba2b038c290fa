"""The loop that everything is compared with; changing it changes every limit."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

_unpack_header = Struct("!BBH").unpack_from
_RECORD = b"\x81\x7e\x00\x20" + b"thirty-two bytes of text, ASCII."
_DATA = _RECORD * 4


class _Record:
    __slots__ = ("kind", "size", "text")

    def __init__(self, kind: int, size: int, text: str) -> None:
        self.kind = kind
        self.size = size
        self.text = text


class _Tally:
    __slots__ = ("_is_open", "bytes", "last_kind", "last_size", "records")

    def __init__(self) -> None:
        self._is_open = True
        self.bytes = 0
        self.records = 0
        self.last_kind = 0
        self.last_size = 0

    def note(self, kind: int, size: int = 0) -> bool:
        if self._is_open:
            self.last_kind = kind
            self.last_size = size
        return self._is_open

    def add(self, record: _Record) -> int:
        if not self._is_open or record.kind != 0x81:
            raise ValueError(f"record {record.kind} does not count")
        self.records += 1
        self.bytes += record.size
        return self.records


def run_reference(turns: int) -> None:
    """Do what a protocol in Python consists of, `turns` times, and nothing of this project's.

    Calls, attributes, slices, lists, small objects, a generator: a Python that is faster or
    slower at the one is so at the other. Two builds of one version (with and without profile
    guided optimisation) disagree most about slices and objects, least about calls: the mix is
    such that they agree on the ratios as well as they can.
    """
    tally = _Tally()
    for _turn in range(turns):
        batch = _cut(_DATA)
        for record in _hand_out(batch):
            tally.note(record.kind)
            tally.add(record)
            tally.note(record.kind, record.size)
    assert tally.records == 4 * turns


def _cut(data: bytes) -> list[_Record]:
    batch: list[_Record] = []
    position, end = 0, len(data)
    while position < end:
        kind, _mark, size = _unpack_header(data, position)
        position += 4
        payload = data[position : position + size]
        position += size
        try:
            text = payload.decode()
        finally:
            size = len(payload)
        batch.append(_Record(kind, size, text))
    return batch


def _hand_out(batch: list[_Record]) -> Iterator[_Record]:
    for record in batch:
        if isinstance(record, _Record):
            yield record
