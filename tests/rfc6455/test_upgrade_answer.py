"""RFC 6455 §4.1: what comes back for the upgrade request, as far as it takes several reads.

RFC 9110 §15.2: "A client MUST be able to parse one or more 1xx responses received prior to a
final response". RFC 6455 §1.3: "Once both the client and the server have sent their handshakes,
and if the handshake was successful, then the data transfer part starts": at once, perhaps in the
packet of the answer.
"""

from __future__ import annotations

import pytest

from lomond.events import Rejected
from lomond.protocol.answer import AnswerReader, Refused
from lomond.protocol.client import ClientProtocol
from lomond.protocol.deflate import DeflateOffer
from tests.helpers.protocol import (
    ANSWER,
    connecting_client,
    deliver,
    drain,
    ending_of,
    frames_sent,
    tell_all,
)

READY: list[tuple[object, ...]] = [("ready", 101, None, set()), ("poll",)]
EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"


def rejected(client: ClientProtocol, data: bytes) -> Rejected:
    """Let the client receive bytes; return the refusal that they are."""
    (event,) = client.receive(data, 0.0, 0.0)
    assert isinstance(event, Rejected)
    return event


# ---- the request -----------------------------------------------------------------------------


def test_request_is_queued_by_open() -> None:
    client = connecting_client()
    client.open(30.0)
    lines = client.outgoing.take().split(b"\r\n")
    assert lines[0] == b"GET /chat HTTP/1.1"
    assert b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==" in lines
    assert lines[-2:] == [b"", b""]


# ---- agreed ----------------------------------------------------------------------------------


def test_answer_makes_the_client_ready() -> None:
    client = connecting_client()
    assert not client.is_ready
    assert tell_all(client.receive(ANSWER, 0.0, 0.0)) == READY
    assert client.is_ready
    assert not client.has_more


def test_answer_may_come_byte_by_byte() -> None:
    client = connecting_client()
    told = [event for byte in ANSWER for event in deliver(client, bytes([byte]))]
    assert told == READY


def test_frames_in_the_packet_of_the_answer_come_in_a_batch_of_their_own() -> None:
    client = connecting_client()
    assert tell_all(client.receive(ANSWER + b"\x81\x02hi\x89\x00", 0.0, 0.0)) == READY
    assert client.has_more
    assert tell_all(client.receive_more(0.0)) == [("text", "hi"), ("ping", b"")]
    assert not client.has_more


def test_close_in_the_packet_of_the_answer_comes_after_ready() -> None:
    client = connecting_client()
    assert deliver(client, ANSWER + b"\x88\x00") == [*READY, ("closing", None, "")]


def test_half_a_frame_in_the_packet_of_the_answer_is_kept() -> None:
    client = connecting_client()
    assert deliver(client, ANSWER + b"\x81\x02h") == READY
    assert deliver(client, b"i") == [("text", "hi")]


def test_application_may_close_before_it_sees_the_frames_of_the_first_packet() -> None:
    client = connecting_client()
    client.receive(ANSWER + b"\x81\x02hi\x88\x02\x03\xe8", 0.0, 0.0)
    client.close(1000, b"", 0.0)
    assert drain(client) == [("text", "hi"), ("closed", 1000, "")]


def test_what_was_agreed_on_is_kept() -> None:
    client = connecting_client(deflate=DeflateOffer(), protocols=("chat", "superchat"))
    chosen = b"Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    told = tell_all(client.receive(ANSWER[:-2] + chosen, 0.0, 0.0))
    assert told[0] == ("ready", 101, "chat", {"permessage-deflate"})
    assert (client.subprotocol, client.extensions) == ("chat", {"permessage-deflate"})


def test_time_of_the_answer_is_kept() -> None:
    client = connecting_client()
    assert client.ready_time is None
    client.receive(ANSWER, 0.0, 2.5)
    assert client.ready_time == 2.5


def test_deadline_of_opening_is_over_once_ready() -> None:
    client = connecting_client(deadline=30.0, ping_timeout=None)
    client.receive(ANSWER, 0.0, 29.0)
    client.tick(31.0)
    assert not client.is_finished


# ---- interim answers -------------------------------------------------------------------------


@pytest.mark.parametrize("interim", [b"HTTP/1.1 100 Continue\r\n\r\n", EARLY_HINTS])
def test_interim_answer_is_skipped(interim: bytes) -> None:
    client = connecting_client()
    assert deliver(client, interim + ANSWER) == READY


def test_interim_answer_may_come_in_a_read_of_its_own() -> None:
    client = connecting_client()
    assert deliver(client, EARLY_HINTS) == []
    assert deliver(client, ANSWER) == READY


def test_8_interim_answers_are_skipped() -> None:
    client = connecting_client()
    assert deliver(client, EARLY_HINTS * 8 + ANSWER) == READY


def test_9_interim_answers_are_a_refusal() -> None:
    client = connecting_client()
    assert rejected(client, EARLY_HINTS * 9 + ANSWER).reason.startswith("more than 8 interim")


# ---- refused ---------------------------------------------------------------------------------


def test_refusal_is_rejected_and_the_end() -> None:
    client = connecting_client()
    told = deliver(client, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    assert told == [("rejected", 404, "Websocket upgrade failed (code=404)")]
    end = ending_of(client)
    assert (end.reason, end.graceful, end.phase, end.kind) == (
        "closed",
        False,
        "handshake",
        "rejected",
    )
    assert client.is_closed


def test_refusal_waits_for_its_body() -> None:
    client = connecting_client()
    assert deliver(client, b"HTTP/1.1 503 Busy\r\nContent-Length: 5\r\n\r\nso") == []
    assert rejected(client, b"rry").response.body == b"sorry"


def test_refusal_may_have_a_chunked_body() -> None:
    client = connecting_client()
    head = b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n"
    event = rejected(client, head + b"2\r\nso\r\n3\r\nrry\r\n0\r\n\r\n")
    assert event.response.body == b"sorry"


def test_body_without_a_length_ends_with_the_stream() -> None:
    client = connecting_client()
    assert deliver(client, b"HTTP/1.1 500 Oh\r\n\r\nsorry") == []
    (event,) = client.end_of_stream()
    assert isinstance(event, Rejected)
    assert event.response.body == b"sorry"
    assert ending_of(client).kind == "rejected"


def test_body_is_kept_up_to_64_kib() -> None:
    client = connecting_client()
    head = b"HTTP/1.1 500 Oh\r\nContent-Length: 10000000000\r\n\r\n"
    assert len(rejected(client, head + bytes(70_000)).response.body) == 65_536


def test_body_is_waited_for_no_longer_than_a_second() -> None:
    client = connecting_client(deadline=30.0)
    client.receive(b"HTTP/1.1 500 Oh\r\nContent-Length: 9\r\n\r\nsor", 0.0, 5.0)
    client.receive(b"ry", 0.0, 5.9)
    assert client.tick(5.9) == []
    (event,) = client.tick(6.0)
    assert isinstance(event, Rejected)
    assert event.response.body == b"sorry"
    assert client.is_finished


def test_body_is_waited_for_no_longer_than_the_deadline_of_opening() -> None:
    client = connecting_client(deadline=5.5)
    client.receive(b"HTTP/1.1 500 Oh\r\nContent-Length: 9\r\n\r\nsor", 0.0, 5.0)
    assert tell_all(client.tick(5.5)) == [("rejected", 500, "Websocket upgrade failed (code=500)")]


def test_application_that_closes_does_not_wait_for_the_body() -> None:
    client = connecting_client()
    client.receive(b"HTTP/1.1 500 Oh\r\nContent-Length: 9\r\n\r\nsor", 0.0, 0.0)
    client.close(1000, b"", 0.0)
    assert deliver(client, b"ry") == []
    assert ending_of(client).kind == "closed"


@pytest.mark.parametrize(
    ("status_code", "retryable"),
    [
        *[(status_code, False) for status_code in (401, 403, 404, 405, 410)],
        *[(status_code, True) for status_code in (302, 400, 407, 408, 429, 500, 503)],
    ],
)
def test_refusal_says_whether_to_try_again(status_code: int, retryable: bool) -> None:
    client = connecting_client()
    head = f"HTTP/1.1 {status_code} No\r\nContent-Length: 0\r\n\r\n"
    assert rejected(client, head.encode()).retryable is retryable
    assert ending_of(client).retryable is retryable


def test_upgrade_that_is_wrong_is_refused_at_once() -> None:
    client = connecting_client()
    told = deliver(client, ANSWER.replace(b"s3pPLMBi", b"S3PPlmbI") + b"\x81\x02hi")
    assert told == [("rejected", 101, "Sec-WebSocket-Accept challenge failed")]
    assert frames_sent(client) == []


def test_compression_that_was_not_offered_is_refused() -> None:
    client = connecting_client()
    line = b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    told = deliver(client, ANSWER[:-2] + line)
    assert told == [("rejected", 101, "extension 'permessage-deflate' was not offered")]


# ---- not an answer ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data", [b"SSH-2.0-OpenSSH_9.2\r\n", b"\x15\x03\x03\x00\x02\x02\x46", b"<"]
)
def test_bytes_that_are_not_http_are_a_refusal(data: bytes) -> None:
    client = connecting_client()
    event = rejected(client, data)
    assert event.reason.startswith("response does not begin with HTTP/")
    assert event.response.status_code is None
    assert client.is_finished


def test_line_that_ends_with_lf_is_a_refusal() -> None:
    client = connecting_client()
    event = rejected(client, b"HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\n\n")
    assert event.reason == "line of the response head ends with a bare LF"


def test_refused_response_shows_what_came_in_all_reads() -> None:
    client = connecting_client()
    deliver(client, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: web")
    event = rejected(client, b"socket\n")
    assert event.response.status_code == 101
    assert event.response.raw.endswith(b"Upgrade: websocket\n")


@pytest.mark.parametrize(
    ("data", "limit"),
    [
        (b"HTTP/1.1 101 " + b"x" * 20_000, "16384 bytes"),
        (b"HTTP/1.1 101 Ok\r\n" + b"a: b\r\n" * 200, "128 headers"),
    ],
)
def test_head_over_a_limit_is_a_critical_violation(data: bytes, limit: str) -> None:
    client = connecting_client()
    ((name, text, critical),) = deliver(client, data)
    assert (name, critical) == ("protocol_error", True)
    assert limit in str(text)
    end = ending_of(client)
    assert (end.graceful, end.kind, end.phase) == (False, "limit", "handshake")
    # There is no WebSocket yet to say goodbye on.
    assert frames_sent(client) == []


def test_answer_after_the_end_is_ignored() -> None:
    client = connecting_client()
    client.end_of_stream()
    assert deliver(client, ANSWER) == []
    assert not client.is_ready


# ---- no answer -------------------------------------------------------------------------------


def test_stream_that_ends_before_the_answer_is_no_refusal() -> None:
    client = connecting_client()
    assert deliver(client, ANSWER[:40]) == []
    assert client.end_of_stream() == []
    assert ending_of(client).reason == "socket fail; connection lost"


def test_answer_that_does_not_come_in_time_ends_the_connection() -> None:
    client = connecting_client(deadline=30.0)
    deliver(client, ANSWER[:40])
    assert client.next_due == 30.0
    assert client.tick(30.0) == []
    end = ending_of(client)
    assert (end.kind, end.phase) == ("timeout", "handshake")
    assert end.reason == "disconnected; no answer to the opening handshake in time"


def test_nothing_is_polled_before_the_answer() -> None:
    client = connecting_client(poll=1.0, ping_rate=1.0, ping_timeout=1.0)
    assert client.tick(20.0) == []
    assert frames_sent(client) == []


def test_reader_tells_that_a_refusal_has_come_before_its_body() -> None:
    reader = AnswerReader(connecting_client().request)
    assert not reader.is_refused
    assert reader.conclude() is None
    reader.feed(b"HTTP/1.1 500 Oh\r\n\r\n")
    assert reader.is_refused
    assert isinstance(reader.conclude(), Refused)
