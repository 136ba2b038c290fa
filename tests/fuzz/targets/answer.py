"""The answer to the upgrade request: head, interim heads, a refusal's body (RFC 6455 §4.1).

Input: two bytes as in `cutting`, then what the server sends. Of the options, 1 is a request that
offers compression, 2 one that offers sub-protocols. The key of the request is that of RFC 6455
§1.3, so the accepted answers are the RFC's own.
"""

from __future__ import annotations

from lomond.errors import CriticalProtocolError
from lomond.protocol.answer import Accepted, AnswerReader, Refused
from lomond.protocol.client import ClientProtocol
from lomond.protocol.deflate import DeflateOffer
from lomond.protocol.handshake import UpgradeRequest
from lomond.protocol.settings import Settings
from lomond.response import Response
from tests.fuzz.targets.cutting import cut, take_options
from tests.helpers.protocol import deliver, ending_of, frames_sent

__all__ = ["check_answer"]

OFFERS_DEFLATE = 1
OFFERS_PROTOCOLS = 2

MAX_HEAD_SIZE = 16 * 1024
MAX_HEADERS = 128
MAX_BODY_SIZE = 64 * 1024

Verdict = tuple[object, ...]


def check_answer(data: bytes) -> None:
    """Judge the answer in one piece, and let a whole client judge it in many."""
    options, size, stream = take_options(data)
    request = UpgradeRequest(
        host="server.example.com",
        resource="/chat",
        key=b"dGhlIHNhbXBsZSBub25jZQ==",
        deflate=DeflateOffer() if options & OFFERS_DEFLATE else None,
        protocols=("chat", "superchat") if options & OFFERS_PROTOCOLS else (),
    )
    verdict = judge(request, stream)
    assert converse(request, cut(stream, size))[: len(verdict)] == verdict


def judge(request: UpgradeRequest, stream: bytes) -> Verdict:
    """Return what the answer is taken for when it comes in one piece and nothing behind it."""
    reader = AnswerReader(request)
    try:
        answer = reader.feed(stream) or reader.conclude()
    except CriticalProtocolError as error:
        return "protocol_error", str(error)
    if isinstance(answer, Accepted):
        check_response(answer.response, stream)
        assert stream.endswith(answer.response.raw + answer.rest)
        assert answer.agreement.protocol in (None, *request.form.protocols)
        assert (answer.agreement.deflate is None) == (answer.agreement.extensions == set())
        assert request.form.deflate is not None or answer.agreement.deflate is None
        return "ready", answer.response.raw, answer.agreement.protocol
    if isinstance(answer, Refused):
        check_response(answer.response, stream)
        if not reader.is_refused:
            # How much has come of what is no head depends on the cutting.
            return "rejected", answer.reason
        return "rejected", answer.reason, answer.response.status_code, answer.response.body
    assert len(stream) <= MAX_HEAD_SIZE * 9
    return ("nothing",)


def check_response(response: Response, stream: bytes) -> None:
    """Check that a response can be looked at, and is within the limits."""
    assert response.raw in stream
    assert len(response.body) <= MAX_BODY_SIZE
    assert repr(response).isprintable()
    assert response.status_code is None or 0 <= response.status_code <= 999
    for name, value in response.headers.items():
        assert response.get(name) == value
        assert all(element and "," not in element for element in response.get_list(name))


def converse(request: UpgradeRequest, reads: list[bytes]) -> Verdict:
    """Return what a client takes the reads for, with the end of the stream behind them."""
    client = ClientProtocol(request, Settings(ping_rate=None), random=lambda: 0.5)
    client.open(30.0)
    client.outgoing.take()
    batches = (client.receive(data, 0.0, 0.0) for data in reads)
    events = next(filter(None, batches), [])
    if client.is_ready:
        ready, poll = events
        assert poll.name == "poll"
        return "ready", ready.response.raw, ready.protocol
    events += client.end_of_stream()
    check_end(client)
    if not events:
        return ("nothing",)
    (event,) = events
    if event.name == "protocol_error":
        assert event.critical
        return event.name, event.error
    response = event.response
    return event.name, event.reason, response.status_code, response.body


def check_end(client: ClientProtocol) -> None:
    """Check that a connection without an upgrade has ended, once, and nothing was said."""
    end = ending_of(client)
    assert end.kind in ("rejected", "limit", "eof")
    assert not end.graceful
    assert end.code == 1006
    assert deliver(client, b"HTTP/1.1 101 \r\n\r\n") == client.end_of_stream() == []
    assert client.tick(1e9) == frames_sent(client) == []
