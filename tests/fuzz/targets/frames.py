"""The whole client behind the upgrade (RFC 6455 §5 to §8, RFC 7692 §6 and §7.2).

Input: two bytes as in `cutting`, then what the server sends. Of the options, the lower two bits
choose the compression; 4 is a client that leaves pings to the application, 8 is one that has sent
its Close frame already.
"""

from __future__ import annotations

from typing import Any

from lomond.protocol.client import ClientProtocol
from tests.fuzz.targets.cutting import cut, take_options
from tests.helpers.protocol import deliver, drain, ending_of, frames_sent, ready_client, tell_all

__all__ = ["check_frames"]

DEFLATE = (None, "", "; server_no_context_takeover", "; server_max_window_bits=9")
LEAVES_PINGS = 4
HAS_CLOSED = 8

MAX_MESSAGE_SIZE = 1_000
MAX_FRAGMENTS = 4
# The limits of a batch, however much was received.
MAX_BATCH_EVENTS = 1_000
MAX_BATCH_BYTES = 1 << 20
# A header or a control frame that is not complete.
MAX_UNREAD = 2 + 125

# Events behind which nothing comes but the end, and what the end is then called.
LAST = {"closing": {"closed"}, "closed": {"closed"}, "protocol_error": {"protocol", "limit"}}

Told = list[tuple[Any, ...]]
Sent = list[tuple[int, bytes]]
Outcome = tuple[Told, Sent, tuple[object, ...]]


def check_frames(data: bytes) -> None:
    """Let one client receive all at once and another in pieces; check what holds for both."""
    options, size, stream = take_options(data)
    whole, pieces = (converse(options, reads) for reads in ([stream], cut(stream, size)))
    if DEFLATE[options & 3] is not None and is_bad_message(whole) and is_bad_message(pieces):
        # Where a compressed message breaks two rules, the cutting decides which is seen first.
        (*told, _), *_ = whole
        (*told_in_pieces, _), *_ = pieces
        assert told == told_in_pieces
    else:
        assert whole == pieces


def is_bad_message(outcome: Outcome) -> bool:
    """Tell whether a message could not be inflated, or what came out of it was no text."""
    told, _, _ = outcome
    name, *content = told[-1] if told else ("nothing",)
    return name == "protocol_error" and content[0].startswith(("compressed message", "text is"))


def converse(options: int, reads: list[bytes]) -> Outcome:
    """Deliver the reads and the end of the stream; return all that came of them."""
    client = ready_client(
        deflate=DEFLATE[options & 3],
        max_message_size=MAX_MESSAGE_SIZE,
        max_fragments=MAX_FRAGMENTS,
        auto_pong=not options & LEAVES_PINGS,
    )
    if options & HAS_CLOSED:
        client.close(1000, b"", 0.0)
        assert frames_sent(client) == [(0x88, b"\x03\xe8")]
    told = [event for data in reads for event in receive(client, data)]
    client.acknowledge_close(0.0)
    if not client.is_finished:
        assert client.end_of_stream() == []
    sent = frames_sent(client)
    check_events(told)
    check_sent(told, sent, options)
    return told, sent, check_end(client, told)


def receive(client: ClientProtocol, data: bytes) -> Told:
    """Let the client receive one read; check each batch that comes of it, and what is kept."""
    told: Told = []
    batch = tell_all(client.receive(data, 0.0, 0.0))
    while True:
        assert len(batch) <= MAX_BATCH_EVENTS
        assert sum(map(size_of, batch)) <= MAX_BATCH_BYTES + MAX_MESSAGE_SIZE
        told += batch
        if not client.has_more:
            break
        batch = tell_all(client.receive_more(0.0))
    if not client.is_closed and not client.awaits_acknowledgement:
        assert client.bytes_unfinished <= MAX_MESSAGE_SIZE + MAX_UNREAD
    return told


def size_of(event: tuple[Any, ...]) -> int:
    """Return how many bytes an event brought."""
    texts = (content.encode() for content in event[1:] if isinstance(content, str))
    return sum(map(len, texts)) + sum(len(each) for each in event[1:] if isinstance(each, bytes))


def check_events(told: Told) -> None:
    """Check that nothing is too large, and nothing comes behind what ends the connection."""
    assert all(event[0] not in LAST for event in told[:-1])
    for event in told:
        if event[0] in ("text", "binary"):
            assert size_of(event) <= MAX_MESSAGE_SIZE
        elif event[0] in ("ping", "pong"):
            assert size_of(event) <= 125
        else:
            assert event[0] in LAST


def check_sent(told: Told, sent: Sent, options: int) -> None:
    """Check that each Ping was answered, and each end by the one Close frame that it calls for."""
    expected: Sent = []
    if not options & HAS_CLOSED:
        if not options & LEAVES_PINGS:
            expected += [(0x8A, event[1]) for event in told if event[0] == "ping"]
        if told and told[-1][0] == "closing":
            expected.append((0x88, close_payload(*told[-1][1:])))
        elif told and told[-1][0] == "protocol_error":
            expected.append((0x88, sent[-1][1]))
            critical = told[-1][2]
            codes = (b"\x03\xef",) if critical else (b"\x03\xea", b"\x03\xf1")
            assert sent[-1][1][:2] in codes
    assert sent == expected


def close_payload(code: int | None, reason: str) -> bytes:
    """Return what a Close frame with the same words carries."""
    return b"" if code is None else code.to_bytes(2, "big") + reason.encode()


def check_end(client: ClientProtocol, told: Told) -> tuple[object, ...]:
    """Check that the connection ended once, by its last event; return how."""
    client.end_of_stream()
    end = ending_of(client)
    last = told[-1] if told and told[-1][0] in LAST else ("nothing",)
    assert end.kind in LAST.get(last[0], {"eof"})
    assert end.graceful == (end.kind == "closed")
    assert end.code == (last[1] or 1005 if end.graceful else 1006)
    assert client.next_due == float("inf")
    assert deliver(client, b"\x81\x02hi") == drain(client) == client.tick(1e9) == []
    assert frames_sent(client) == []
    return end.reason, end.kind, end.code, end.bytes_lost if end.kind == "eof" else None
