"""What is compiled gives what Python gives, bit for bit, leaks nothing, and may be missing.

RFC 6455 §5.2: "The length of the payload data, in bytes: if 0-125, that is the payload length. If
126, the following 2 bytes […]. If 127, the following 8 bytes […]". That every way to mask gives
the same octets is in `test_masking`.
"""

from __future__ import annotations

import importlib.util
import os
import pickle
import shutil
import sys
import sysconfig
from collections import deque
from copy import copy as copied
from itertools import repeat
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lomond.errors import CriticalProtocolError, FrameBuildError, ProtocolError
from lomond.events import Binary, Event, Text
from lomond.protocol import compiled, frames
from tests.helpers.frames import server_frame
from tests.helpers.modules import load_copy

KEY = bytes.fromhex("37fa213d")
# On both sides of where the length is written in another way, and of whole groups of octets.
LENGTHS = [*range(71), 125, 126, 127, 65_535, 65_536, 65_537]
A_MILLION = 1_000_000
TEXT = (Text, *attrgetter("text", "received_time")(Text))
BINARY = (Binary, *attrgetter("data", "received_time")(Binary))


def why_not_built() -> str:
    """Return why nothing can be compiled here, "" if it can."""
    compiler = str(sysconfig.get_config_var("CC") or "none").split()[0]
    if sys.implementation.name != "cpython":
        return "the accelerator is for CPython only"
    if shutil.which(compiler) is None:
        return f"there is no compiler ({compiler})"
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        return "there is no Python.h"
    return ""


def load_pure_frames() -> ModuleType:
    """Load `frames` once more, without the accelerator."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(compiled.VARIABLE, "none")
        patch.setitem(sys.modules, compiled.__name__, load_copy(compiled))
        return load_copy(frames)


PURE_FRAMES = load_pure_frames()


@pytest.fixture
def accelerator() -> ModuleType:
    """Return the compiled module; without one there is nothing to test."""
    if compiled.accelerator is None:
        pytest.skip(f"no accelerator: {why_not_built() or 'not built, or not wanted'}")
    return compiled.accelerator


def expected_frame(first: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        length = bytes((0x80 | size,))
    elif size < 65_536:
        length = b"\xfe" + size.to_bytes(2, "big")
    else:
        length = b"\xff" + size.to_bytes(8, "big")
    masked = bytes(octet ^ KEY[index % 4] for index, octet in enumerate(payload))
    return bytes((first,)) + length + KEY + masked


# ---- which are there --------------------------------------------------------------------------


@pytest.mark.skipif(bool(why_not_built()), reason=why_not_built())
def test_where_there_is_a_compiler_the_accelerator_is_built() -> None:
    built = importlib.util.find_spec("lomond.protocol._accelerator")
    assert built is not None, "it is built by: python -m pip install -e ."


@pytest.mark.parametrize(
    ("choice", "ruled_out"), [("wsaccel", {"accelerator"}), ("none", {"accelerator", "wsaccel"})]
)
def test_the_environment_rules_out_what_is_compiled(
    monkeypatch: pytest.MonkeyPatch, choice: str, ruled_out: set[str]
) -> None:
    monkeypatch.setenv(compiled.VARIABLE, choice)
    copy = load_copy(compiled)
    assert {name for name in ruled_out if getattr(copy, name) is not None} == set()


def test_a_choice_that_there_is_not_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(compiled.VARIABLE, "fast")
    with pytest.raises(ValueError, match="LOMOND_ACCELERATOR is 'fast': set it to 'wsaccel'"):
        load_copy(compiled)


def test_what_cannot_be_imported_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(compiled.VARIABLE, raising=False)
    monkeypatch.setitem(sys.modules, "lomond.protocol._accelerator", None)
    monkeypatch.setitem(sys.modules, "wsaccel.xormask", None)
    copy = load_copy(compiled)
    assert (copy.accelerator, copy.wsaccel) == (None, None)


def test_what_can_be_imported_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(compiled.VARIABLE, raising=False)
    ours, theirs = ModuleType("ours"), ModuleType("theirs")
    monkeypatch.setitem(sys.modules, "lomond.protocol._accelerator", ours)
    monkeypatch.setitem(sys.modules, "wsaccel.xormask", theirs)
    copy = load_copy(compiled)
    assert (copy.accelerator, copy.wsaccel) == (ours, theirs)


# ---- frames -----------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [0x00, 0x02, 0x81, 0xC1])
def test_a_frame_is_the_same_with_and_without(first: int) -> None:
    for length in LENGTHS:
        payload = os.urandom(length)
        expected = expected_frame(first, payload)
        assert frames.build_frame(first, payload, KEY) == expected
        assert PURE_FRAMES.build_frame(first, payload, KEY) == expected


@given(first=st.sampled_from([0x01, 0x82]), payload=st.binary(max_size=300))
@example(first=0x81, payload=b"\xff" * 125)
@example(first=0x81, payload=b"\xff" * 126)
def test_any_frame_is_built_as_written_in_the_rfc(first: int, payload: bytes) -> None:
    assert frames.build_frame(first, payload, KEY) == expected_frame(first, payload)


def test_without_the_accelerator_a_control_frame_is_no_longer() -> None:
    with pytest.raises(FrameBuildError, match="control frame of 126 bytes is longer than 125"):
        PURE_FRAMES.build_frame(0x89, bytes(126))


# ---- messages ---------------------------------------------------------------------------------


# Heads of all kinds, the bytes of a text that is cut, and of none: what Python has to look at.
PIECES = st.one_of(
    st.builds(server_frame, st.sampled_from([0x81, 0x82]), st.binary(max_size=140)),
    st.builds(server_frame, st.just(0x81), st.text(max_size=70).map(str.encode)),
    st.builds(server_frame, st.sampled_from([0x00, 0x01, 0x89, 0x8A, 0xC1]), st.binary(max_size=9)),
    st.sampled_from([b"\x81\x7e\x00", b"\x82\x7e\x00\x7d", b"\x82\x7f", b"\x81\x85\x00"]),
)


def read_with(module: ModuleType, data: bytes, limit: int, room: int) -> list[object]:
    """Read all that can be read, `room` messages at a time: what comes out, in words."""
    reader = module.FrameReader(limit, compressed=True)
    reader.feed(data)
    told: list[object] = []
    for _ in range(len(data) + 1):
        events: list[Event] = []
        try:
            told.append(reader.read(events, 1.5, room))
        except (ProtocolError, CriticalProtocolError) as error:
            told.append(f"{error!r}")
            return [*told, *map(tell_exactly, events)]
        told += [*map(tell_exactly, events), reader.unread]
        if told[-1] == 0:
            break
    return told


def tell_exactly(event: Event) -> tuple[object, ...]:
    """Return all that an event carries."""
    message = event.text if isinstance(event, Text) else getattr(event, "data", None)
    return type(event), message, type(message), event.received_time


@given(
    data=st.lists(PIECES, max_size=8).map(b"".join),
    limit=st.sampled_from([0, 5, 125, 126, 130, 1 << 20]),
    room=st.integers(1, 4),
)
@example(data=server_frame(0x81, bytes(125)) + server_frame(0x82, bytes(126)), limit=126, room=9)
@example(data=server_frame(0x82, bytes(65_535)) + b"\x82", limit=65_535, room=9)
@example(data=server_frame(0x82, bytes(65_536)), limit=65_536, room=9)
@example(data=server_frame(0x81, b"a") + server_frame(0x81, b"\xed\xa0\x80"), limit=9, room=9)
def test_messages_are_read_the_same_with_and_without(data: bytes, limit: int, room: int) -> None:
    assert read_with(frames, data, limit, room) == read_with(PURE_FRAMES, data, limit, room)


def test_the_room_in_a_batch_is_kept_to(accelerator: ModuleType) -> None:
    events: list[Event] = []
    data = server_frame(0x81, b"one") + server_frame(0x82, b"two") + server_frame(0x81, b"three")
    position = accelerator.read_messages(data, 0, 2, 125, events, TEXT, BINARY, 1.5)
    assert position == 10
    assert [tell_exactly(event)[1] for event in events] == ["one", b"two"]


@pytest.mark.parametrize("position", [-1, 3, sys.maxsize])
def test_a_position_outside_of_the_data_is_refused(accelerator: ModuleType, position: int) -> None:
    with pytest.raises(ValueError, match=f"there is no position {position} in 2 bytes"):
        accelerator.read_messages(b"\x81\x00", position, 1, 125, [], TEXT, BINARY, 1.5)


@pytest.mark.parametrize("made", [Text("[1]", 1.5), Binary(b"[1]", 1.5)], ids=["text", "binary"])
def test_an_event_is_as_its_constructor_makes_it(accelerator: ModuleType, made: Event) -> None:
    events: list[Event] = []
    data = server_frame(0x81 if isinstance(made, Text) else 0x82, b"[1]")
    accelerator.read_messages(data, 0, 1, 125, events, TEXT, BINARY, 1.5)
    assert events[0].__reduce_ex__(2) == made.__reduce_ex__(2)


def test_an_event_can_be_pickled_copied_and_decoded(accelerator: ModuleType) -> None:
    events: list[Any] = []
    accelerator.read_messages(server_frame(0x81, b"[1]"), 0, 1, 125, events, TEXT, BINARY, 1.5)
    for event in (events[0], copied(events[0]), pickle.loads(pickle.dumps(events[0]))):
        assert (event.text, event.json, event.received_time) == ("[1]", [1], 1.5)


def test_a_limit_beyond_all_numbers_of_c_is_none(accelerator: ModuleType) -> None:
    events: list[Event] = []
    accelerator.read_messages(b"\x81\x01a", 0, 1, 10**30, events, TEXT, BINARY, 1.5)
    assert [tell_exactly(event)[1] for event in events] == ["a"]


# ---- what only C can get wrong ----------------------------------------------------------------


def test_a_frame_of_a_bytearray_leaves_it_as_it_was(accelerator: ModuleType) -> None:
    payload = bytearray(b"Hello")
    assert accelerator.build_frame(0x82, payload, KEY) == expected_frame(0x82, b"Hello")
    assert payload == b"Hello"


WRONG_ARGUMENTS = [
    ("mask", (b"",), TypeError, r"mask\(\) takes 2 arguments, not 1"),
    ("mask", (b"", KEY, KEY), TypeError, r"mask\(\) takes 2 arguments, not 3"),
    ("mask", ("text", KEY), TypeError, "a payload is bytes, bytearray or memoryview, not str"),
    ("mask", (b"", bytearray(4)), TypeError, "a masking key is bytes, not bytearray"),
    ("mask", (b"", b"abc"), ValueError, "a masking key has 4 bytes, not 3"),
    ("build_frame", (0x81, b""), TypeError, r"build_frame\(\) takes 3 arguments, not 2"),
    ("build_frame", ("a", b"", KEY), TypeError, "str"),
    ("build_frame", (256, b"", KEY), ValueError, "a first byte is 0 to 255, not 256"),
    ("build_frame", (-1, b"", KEY), ValueError, "a first byte is 0 to 255, not -1"),
    ("build_frame", (1 << 80, b"", KEY), OverflowError, "too large"),
    ("build_frame", (0x81, [1], KEY), TypeError, "a payload is bytes, .*, not list"),
    ("build_frame", (0x81, b"", b"abcde"), ValueError, "a masking key has 4 bytes, not 5"),
    ("read_messages", (), TypeError, r"read_messages\(\) takes 8 arguments, not 0"),
    ("read_messages", (bytearray(), 0, 1, 1, [], 0, 0, 0), TypeError, "bytes into a list"),
    ("read_messages", (b"", 0, 1, 1, (), 0, 0, 0), TypeError, "bytes into a list"),
    ("read_messages", (b"", 0, "1", 1, [], 0, 0, 0), TypeError, "integer"),
    ("read_messages", (b"", 0, 1, 1, [], Text, BINARY, 0), TypeError, "a class and two slots"),
    ("read_messages", (b"", 0, 1, 1, [], (int, 1, 1), BINARY, 0), TypeError, "a class and two"),
    ("read_messages", (b"", 0, 1, 1, [], TEXT, (Binary, 1, 1), 0), TypeError, "1 is no slot of B"),
    ("read_messages", (b"", 0, 1, 1, [], TEXT, (Binary, *TEXT[1:]), 0), TypeError, "is no slot"),
]


@pytest.mark.parametrize(("function", "arguments", "error", "message"), WRONG_ARGUMENTS)
def test_a_wrong_argument_is_refused_in_words(
    accelerator: ModuleType,
    function: str,
    arguments: tuple[Any, ...],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        getattr(accelerator, function)(*arguments)


def test_a_million_masks_and_frames_leave_no_memory_behind(accelerator: ModuleType) -> None:
    payload = b"thirty-two bytes of text, ASCII."
    before = sys.getallocatedblocks()
    deque(map(accelerator.mask, repeat(payload, A_MILLION), repeat(KEY)), maxlen=0)
    deque(map(accelerator.build_frame, repeat(0x81, A_MILLION), repeat(payload), repeat(KEY)), 0)
    # A leak of one object for each would be a million.
    assert sys.getallocatedblocks() - before < 1000


@pytest.mark.parametrize("make_payload", [bytes, bytearray], ids=["bytes", "bytearray"])
def test_payload_and_key_are_not_held_on_to(
    accelerator: ModuleType, make_payload: type[bytes] | type[bytearray]
) -> None:
    payload, key = make_payload(b"a payload"), bytes(bytearray(KEY))
    before = sys.getrefcount(payload), sys.getrefcount(key)
    for _ in range(100):
        accelerator.mask(payload, key)
        accelerator.build_frame(0x81, payload, key)
    assert (sys.getrefcount(payload), sys.getrefcount(key)) == before


def test_a_million_messages_leave_no_memory_behind(accelerator: ModuleType) -> None:
    data = (server_frame(0x81, b"text") + server_frame(0x82, b"bytes")) * (A_MILLION // 200)
    cut = server_frame(0x81, b"\xff")
    before = sys.getallocatedblocks()
    for _ in range(100):
        events: list[Event] = []
        accelerator.read_messages(data + cut, 0, A_MILLION, 125, events, TEXT, BINARY, 1.5)
        assert len(events) == A_MILLION // 100
    del events
    assert sys.getallocatedblocks() - before < 1000


def test_what_is_refused_is_not_held_on_to(accelerator: ModuleType) -> None:
    payload = bytearray(b"a payload")
    before = sys.getrefcount(payload)
    for _ in range(100):
        for first, key in ((256, KEY), (0x81, b"abc")):
            with pytest.raises(ValueError, match="not"):
                accelerator.build_frame(first, payload, key)
    assert sys.getrefcount(payload) == before
