"""What the server's answer to the upgrade must say.

RFC 6455 §4.1: "If the response lacks a |Sec-WebSocket-Accept| header field or the
|Sec-WebSocket-Accept| contains a value other than the base64-encoded SHA-1 of the concatenation of
the |Sec-WebSocket-Key| (as a string, not base64-decoded) with the string
"258EAFA5-E914-47DA-95CA-C5AB0DC85B11" but ignoring any leading and trailing whitespace, the client
MUST _Fail the WebSocket Connection_." It says the same of the Upgrade and Connection headers, of an
extension and of a sub-protocol that the client did not ask for.
"""

from __future__ import annotations

import pytest

from lomond.errors import CompressionParameterError, HandshakeError
from lomond.protocol.deflate import DeflateOffer
from lomond.protocol.handshake import (
    Agreement,
    UpgradeRequest,
    accept_for,
    check_extensions,
    check_response,
    make_handshake_key,
)
from lomond.response import Response

# RFC 6455 §1.3
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

STATUS = b"HTTP/1.1 101 Switching Protocols\r\n"
UPGRADE = b"Upgrade: websocket\r\n"
CONNECTION = b"Connection: Upgrade\r\n"
ACCEPT_LINE = b"Sec-WebSocket-Accept: " + ACCEPT + b"\r\n"
REQUEST = UpgradeRequest("server.example.com", "/chat", KEY)
CHAT_REQUEST = UpgradeRequest("server.example.com", "/chat", KEY, ("chat", "superchat"))
DEFLATE_REQUEST = UpgradeRequest("server.example.com", "/chat", KEY, deflate=DeflateOffer())


def answer(
    *more: bytes,
    status: bytes = STATUS,
    upgrade: bytes = UPGRADE,
    connection: bytes = CONNECTION,
    accept: bytes = ACCEPT_LINE,
) -> Response:
    return Response(b"".join((status, upgrade, connection, accept, *more, b"\r\n")))


def refusal(response: Response, request: UpgradeRequest = REQUEST) -> str:
    with pytest.raises(HandshakeError) as refused:
        check_response(response, request)
    return str(refused.value)


def test_the_key_of_the_rfc_has_the_accept_of_the_rfc() -> None:
    assert accept_for(KEY) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_the_key_is_16_bytes_in_base64() -> None:
    asked: list[int] = []

    def random(size: int) -> bytes:
        asked.append(size)
        return b"the sample nonce"

    assert make_handshake_key(random) == KEY
    assert asked == [16]


def test_keys_differ() -> None:
    assert len({make_handshake_key() for _ in range(100)}) == 100


def test_the_answer_of_the_rfc_is_accepted() -> None:
    response = answer(b"Sec-WebSocket-Protocol: chat\r\n")
    assert check_response(response, CHAT_REQUEST) == Agreement("chat", set(), None)


def test_an_answer_without_protocol_and_extensions_is_accepted() -> None:
    assert check_response(answer(), CHAT_REQUEST) == Agreement(None, set(), None)


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (b"HTTP/1.1 200 OK\r\n", "Websocket upgrade failed (code=200)"),
        (b"HTTP/1.1 404 Not Found\r\n", "Websocket upgrade failed (code=404)"),
        (b"HTTP/1.1 100 Continue\r\n", "Websocket upgrade failed (code=100)"),
        (b"HTTP/1.1 foo\r\n", "Websocket upgrade failed (code=None)"),
    ],
)
def test_another_status_than_101_is_refused(status: bytes, text: str) -> None:
    assert refusal(answer(status=status)) == text


@pytest.mark.parametrize("version", [b"HTTP/1.0", b"HTTP/2.0", b"HTTP/0.9"])
def test_another_version_than_http_1_1_is_refused(version: bytes) -> None:
    text = f"answer is {version.decode()}, not HTTP/1.1"
    assert refusal(answer(status=version + b" 101 Switching Protocols\r\n")) == text


def test_upgrade_is_compared_without_case() -> None:
    check_response(answer(upgrade=b"UPGRADE:  WebSocket \r\n"), REQUEST)


@pytest.mark.parametrize(
    ("upgrade", "text"),
    [
        (b"", "Can't upgrade to <header missing>"),
        (b"Upgrade: h2c\r\n", "Can't upgrade to h2c"),
        (b"Upgrade: websocket\r\nUpgrade: websocket\r\n", "Can't upgrade to websocket,websocket"),
        (b"Upgrade: websoc\xe2\x84\xaaet\r\n", "Can't upgrade to websoc���et"),
        (b"Upgrade: {x}\x1b[2J\r\n", "Can't upgrade to {x}�[2j"),
        (b"Upgrade: " + b"x" * 5000 + b"\r\n", "Can't upgrade to " + "x" * 100 + "…"),
    ],
)
def test_another_upgrade_is_refused(upgrade: bytes, text: str) -> None:
    assert refusal(answer(upgrade=upgrade)) == text


@pytest.mark.parametrize(
    "connection",
    [
        b"Connection: UPGRADE\r\n",
        b"Connection: keep-alive, Upgrade\r\n",
        b"Connection: keep-alive\r\nConnection: upgrade\r\n",
    ],
)
def test_connection_is_a_list_of_tokens_without_case(connection: bytes) -> None:
    check_response(answer(connection=connection), REQUEST)


@pytest.mark.parametrize(
    ("connection", "said"),
    [
        (b"", "<header missing>"),
        (b"Connection: close\r\n", "close"),
        (b"Connection: Upgrade-Insecure, close\r\n", "Upgrade-Insecure, close"),
        (b"Connection: not upgrade\r\n", "not upgrade"),
    ],
)
def test_a_connection_without_upgrade_is_refused(connection: bytes, said: str) -> None:
    text = "Connection header does not say upgrade: " + said
    assert refusal(answer(connection=connection)) == text


def test_a_missing_accept_is_refused() -> None:
    assert refusal(answer(accept=b"")) == "No Sec-WebSocket-Accept header"


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"s3pPLMBiTxaQ9kYGzzhZRbK+xOp=",
        ACCEPT.swapcase(),
        ACCEPT.lower(),
        ACCEPT.rstrip(b"="),
        ACCEPT + b"=",
        b'"' + ACCEPT + b'"',
        ACCEPT + b", " + ACCEPT,
        KEY,
        # The Accept of another key, as a replayed answer has it.
        b"ICX+Yqv66kxgM0FcWaLWlFLwTAI=",
    ],
)
def test_a_wrong_accept_is_refused(value: bytes) -> None:
    line = b"Sec-WebSocket-Accept: " + value + b"\r\n"
    assert refusal(answer(accept=line)) == "Sec-WebSocket-Accept challenge failed"


def test_two_accepts_are_refused() -> None:
    assert refusal(answer(accept=ACCEPT_LINE * 2)) == "Sec-WebSocket-Accept challenge failed"


def test_white_space_around_the_accept_is_ignored() -> None:
    check_response(answer(accept=b"Sec-WebSocket-Accept:\t " + ACCEPT + b" \r\n"), REQUEST)


@pytest.mark.parametrize(
    ("protocol", "text"),
    [
        (b"mqtt", "sub-protocol 'mqtt' was not offered"),
        (b"Chat", "sub-protocol 'Chat' was not offered"),
        (b"", "sub-protocol '' was not offered"),
        (b"chat, superchat", "more than one sub-protocol: 'chat, superchat'"),
        (b"chat\r\nSec-WebSocket-Protocol: chat", "more than one sub-protocol: 'chat,chat'"),
    ],
)
def test_a_subprotocol_that_is_not_one_of_ours_is_refused(protocol: bytes, text: str) -> None:
    response = answer(b"Sec-WebSocket-Protocol: " + protocol + b"\r\n")
    assert refusal(response, CHAT_REQUEST) == text


def test_a_subprotocol_is_refused_where_none_was_offered() -> None:
    response = answer(b"Sec-WebSocket-Protocol: chat\r\n")
    assert refusal(response) == "sub-protocol 'chat' was not offered"


def test_compression_is_agreed_on() -> None:
    line = b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10\r\n"
    agreement = check_response(answer(line), DEFLATE_REQUEST)
    assert agreement.extensions == {"permessage-deflate"}
    assert agreement.deflate is not None
    assert agreement.deflate.server_max_window_bits == 10


def test_compression_may_be_declined() -> None:
    assert check_response(answer(), DEFLATE_REQUEST) == Agreement(None, set(), None)


@pytest.mark.parametrize(
    ("extensions", "text"),
    [
        (b"permessage-deflate", "extension 'permessage-deflate' was not offered"),
        (b"permessage-deflate; x", "extension 'permessage-deflate' was not offered"),
        (b"foo; bar=1", "extension 'foo' was not offered"),
        (b"", "Sec-WebSocket-Extensions header names no extension"),
        (b"permessage-deflate;", "bad Sec-WebSocket-Extensions header at ';'"),
    ],
)
def test_any_extension_is_refused_where_none_was_offered(extensions: bytes, text: str) -> None:
    assert refusal(answer(b"Sec-WebSocket-Extensions: " + extensions + b"\r\n")) == text


@pytest.mark.parametrize(
    ("extensions", "text"),
    [
        (b"permessage-deflate, foo", "extension 'foo' was not offered"),
        (b"Permessage-Deflate", "extension 'Permessage-Deflate' was not offered"),
        (
            b"permessage-deflate, permessage-deflate",
            "extension 'permessage-deflate' is there twice",
        ),
        (
            b"permessage-deflate\r\nSec-WebSocket-Extensions: permessage-deflate",
            "extension 'permessage-deflate' is there twice",
        ),
        (b"x" * 5000, "extension '" + "x" * 100 + "…' was not offered"),
    ],
)
def test_an_extension_beside_compression_is_refused(extensions: bytes, text: str) -> None:
    response = answer(b"Sec-WebSocket-Extensions: " + extensions + b"\r\n")
    assert refusal(response, DEFLATE_REQUEST) == text


@pytest.mark.parametrize("value", [b"0", b"7", b"16", b"99", b"x", b'""'])
def test_bad_compression_parameters_are_refused(value: bytes) -> None:
    line = b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=%b\r\n" % value
    with pytest.raises(HandshakeError):
        check_response(answer(line), DEFLATE_REQUEST)


def test_unknown_compression_parameters_have_an_error_of_their_own() -> None:
    with pytest.raises(CompressionParameterError, match="unheard_of"):
        check_extensions("permessage-deflate; unheard_of=1", DeflateOffer())


def test_the_first_fault_in_the_order_of_the_checks_is_told() -> None:
    nothing_right = Response(b"HTTP/1.0 101 Switching Protocols\r\n\r\n")
    assert refusal(nothing_right) == "Can't upgrade to <header missing>"


def test_an_empty_response_is_refused() -> None:
    assert refusal(Response(b"")) == "Websocket upgrade failed (code=None)"
