"""RFC 6455 §5.5.1 and §7.4: close codes and reasons.

"If there is a body, the first two bytes of the body MUST be a 2-byte unsigned integer (in network
byte order) representing a status code"; "the body MAY contain UTF-8-encoded data"; "the endpoint
typically echos the status code it received".
"""

from __future__ import annotations

import pytest

from lomond.errors import FrameBuildError
from lomond.protocol.frames import build_close_payload, parse_close_payload
from lomond.status import Status
from tests.helpers.frames import close_payload, server_frame
from tests.helpers.protocol import deliver, ending_of, frames_sent, ready_client
from tests.helpers.states import (
    close_sent,
    opened,
)

VALID = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4999]
INVALID = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]


@pytest.mark.parametrize("code", VALID)
def test_valid_code_is_delivered_and_echoed(code: int) -> None:
    client = opened()
    assert deliver(client, server_frame(0x88, close_payload(code))) == [("closing", code, "")]
    client.acknowledge_close(0.0)
    assert frames_sent(client) == [(0x88, close_payload(code))]


@pytest.mark.parametrize("code", INVALID)
def test_invalid_code_is_a_violation(code: int) -> None:
    client = opened()
    text = f"reserved close code ({code})"
    told = deliver(client, server_frame(0x88, close_payload(code)))
    assert told == [("protocol_error", text, False)]
    assert frames_sent(client) == [(0x88, b"\x03\xea" + text.encode())]


def test_payload_of_1_byte_is_a_violation() -> None:
    client = opened()
    text = "close frame has a payload of 1 byte, too short for a close code"
    assert deliver(client, b"\x88\x01\x03") == [("protocol_error", text, False)]


def test_reason_that_is_not_utf8_is_answered_with_1007() -> None:
    client = opened()
    text = "close reason is not valid UTF-8: invalid start byte"
    assert deliver(client, b"\x88\x03\x03\xe8\xff") == [("protocol_error", text, True)]
    assert frames_sent(client) == [(0x88, b"\x03\xef" + text.encode())]


def test_violation_in_the_answer_to_our_close_is_not_answered() -> None:
    client = close_sent()
    deliver(client, b"\x88\x02\x03\xed")
    assert frames_sent(client) == []
    client.end_of_stream()
    told = ending_of(client)
    assert (told.graceful, told.kind, told.closed_by) == (False, "protocol", "client")


def test_every_code_with_a_name_is_accepted() -> None:
    codes = [value for name, value in vars(Status).items() if name.isupper()]
    assert [parse_close_payload(close_payload(code)) for code in codes] == [
        (code, "") for code in codes
    ]


def test_reason_of_123_bytes_is_sent_whole() -> None:
    assert build_close_payload(1000, b"x" * 123) == b"\x03\xe8" + b"x" * 123


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        ("x" * 124, "x" * 123),
        ("x" * 122 + "é", "x" * 122),  # its second byte would be the 124th
        ("x" * 121 + "€", "x" * 121),
        ("x" * 120 + "😀", "x" * 120),
        ("x" * 119 + "😀" + "y", "x" * 119 + "😀"),
    ],
)
def test_longer_reason_is_cut_at_a_character(reason: str, kept: str) -> None:
    payload = build_close_payload(1000, reason.encode())
    assert payload == b"\x03\xe8" + kept.encode()


def test_longest_reason_of_the_server_is_echoed_whole() -> None:
    client = opened()
    payload = b"\x03\xe8" + "é".encode() * 61 + b"!"
    deliver(client, server_frame(0x88, payload))
    client.acknowledge_close(0.0)
    assert frames_sent(client) == [(0x88, payload)]


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 5000, 99_999])
def test_code_that_may_not_be_sent_is_refused_before_anything_changes(code: int) -> None:
    client = ready_client()
    with pytest.raises(FrameBuildError, match=f"close code {code} may not be sent"):
        client.close(code, b"", 0.0)
    assert frames_sent(client) == []
    assert client.can_send_data
