"""The head of a response, read within limits and however it is cut.

RFC 9112 §2.1: "HTTP-message = start-line CRLF *( field-line CRLF ) CRLF [ message-body ]"
RFC 9110 §5.5: "Field values containing CR, LF, or NUL characters are invalid and dangerous"
RFC 9112 §5.1: "No whitespace is allowed between the field name and colon."
RFC 9110 §15.2: "A client MUST be able to parse one or more 1xx responses received prior to a
final response"
"""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lomond.errors import CriticalProtocolError, HandshakeError
from lomond.protocol.http import HeadReader, ResponseReader

HEAD = (
    b"HTTP/1.1 101 Switching Protocols\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    b"\r\n"
)
STATUS_LINE = b"HTTP/1.1 200 OK\r\n"
EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"


def outcome(pieces: list[bytes], max_size: int = 400, max_headers: int = 5) -> object:
    """Feed pieces to a reader; return head and rest, None, or what was raised."""
    reader = HeadReader(max_size, max_headers)
    unused = list(pieces)
    while unused:
        try:
            head = reader.feed(unused.pop(0))
        except (CriticalProtocolError, HandshakeError) as error:
            return type(error), str(error)
        if head is not None:
            return head, reader.rest + b"".join(unused)
    return None


def bytewise(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


def refusal(data: bytes) -> str:
    """Return why a head is refused, whole and byte by byte alike."""
    with pytest.raises(HandshakeError) as refused:
        HeadReader().feed(data)
    assert outcome(bytewise(data)) == (HandshakeError, str(refused.value))
    return str(refused.value)


def test_a_head_is_returned_with_its_blank_line() -> None:
    assert HeadReader().feed(HEAD) == HEAD


def test_a_head_without_headers_is_returned() -> None:
    assert HeadReader().feed(b"HTTP/1.1 200 OK\r\n\r\n") == b"HTTP/1.1 200 OK\r\n\r\n"


def test_an_incomplete_head_gives_none() -> None:
    reader = HeadReader()
    assert reader.feed(HEAD[:-1]) is None
    assert reader.feed(b"\n") == HEAD


def test_no_bytes_give_none() -> None:
    assert HeadReader().feed(b"") is None


def test_bytes_behind_the_head_are_kept_and_not_checked() -> None:
    reader = HeadReader()
    reader.feed(HEAD + b"\x81\x05hello\x00\n")
    assert reader.rest == b"\x81\x05hello\x00\n"


def test_received_shows_what_came_before_the_refusal() -> None:
    reader = HeadReader()
    reader.feed(b"HTTP/1.1 200")
    with pytest.raises(HandshakeError):
        reader.feed(b" OK\n")
    assert reader.received == b"HTTP/1.1 200 OK\n"


def test_a_folded_header_is_accepted() -> None:
    head = STATUS_LINE + b"Extended: foo\r\n  bar: x\r\n\tbaz\r\n \r\n\r\n"
    assert HeadReader().feed(head) == head


def test_folded_lines_do_not_count_as_headers() -> None:
    head = STATUS_LINE + b"A: 1\r\n 2\r\n 3\r\n\r\n"
    assert HeadReader(max_headers=1).feed(head) == head


def test_a_status_line_without_a_reason_is_accepted() -> None:
    assert HeadReader().feed(b"HTTP/1.1 101\r\n\r\n") == b"HTTP/1.1 101\r\n\r\n"


def test_a_reason_and_a_value_may_hold_bytes_that_are_not_ascii() -> None:
    head = b"HTTP/1.1 404 Nicht gef\xfcnden\r\nServer: caf\xc3\xa9\r\n\r\n"
    assert HeadReader().feed(head) == head


@pytest.mark.parametrize(
    "line",
    [
        b"HTTP/1.1 20 OK",
        b"HTTP/1.1 2000 OK",
        b"HTTP/1.1 000 OK",
        b"HTTP/1.1 -12 OK",
        b"HTTP/1.1  200 OK",
        b"HTTP/1.1\t200 OK",
        b"HTTP/1.1",
        b"HTTP/2 200",
        b"HTTP/11.1 200 OK",
        b"HTTP/ 200 OK",
        b"HTTP/1.1 200OK",
        b"HTTP/1.1 \xb2\xb3\xb9 OK",
    ],
)
def test_a_bad_status_line_is_refused(line: bytes) -> None:
    assert refusal(line + b"\r\n").startswith("bad status line 'HTTP/")


def test_a_long_bad_status_line_is_shown_in_part() -> None:
    text = refusal(b"HTTP/1.1 x" + b"y" * 200 + b"\r\n")
    assert text == "bad status line 'HTTP/1.1 x" + "y" * 90 + "…'"


def test_a_bad_status_line_is_shown_without_its_control_characters() -> None:
    assert "\x1b" not in refusal(b"HTTP/1.1 \x1b[2J\r\n")


@pytest.mark.parametrize(
    "beginning", [b"SSH-2.0", b"\r\n", b"http/1.1", b"HTP", b"\x00", b"<html>"]
)
def test_bytes_that_are_not_http_are_refused_before_the_line_ends(beginning: bytes) -> None:
    assert refusal(beginning) == "response does not begin with HTTP/"


@pytest.mark.parametrize("record", [b"\x15\x03\x01\x00\x02\x02\x50", b"\x16\x03\x03"])
def test_a_tls_record_is_recognized(record: bytes) -> None:
    assert refusal(record) == "response does not begin with HTTP/, it looks like TLS"


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\n", STATUS_LINE + b"A: b\n", STATUS_LINE + b"\n"]
)
def test_a_bare_lf_is_refused(head: bytes) -> None:
    assert refusal(head) == "line of the response head ends with a bare LF"


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 O\rK\r\n",
        STATUS_LINE + b"A: b\rc\r\n",
        STATUS_LINE + b"A: b\r\r\n",
        STATUS_LINE + b"\rA: b\r\n",
    ],
)
def test_a_bare_cr_is_refused(head: bytes) -> None:
    assert refusal(head) == "response head contains a bare CR"


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 \x00", STATUS_LINE + b"A: b\x00"])
def test_a_nul_is_refused_before_the_line_ends(head: bytes) -> None:
    assert refusal(head) == "response head contains a NUL byte"


@pytest.mark.parametrize("line", [b"nothing\r", b"nothing\n"])
def test_a_header_without_a_colon_is_refused(line: bytes) -> None:
    assert refusal(STATUS_LINE + line) == "response header without a colon"


@pytest.mark.parametrize("line", [b"Name ", b"Name\t: x"])
def test_space_before_the_colon_is_refused_before_the_line_ends(line: bytes) -> None:
    assert refusal(STATUS_LINE + line) == "space before the colon of a response header"


@pytest.mark.parametrize(
    ("line", "byte"),
    [
        (b"N\x00", "0x00"),
        (b"(c): x", "0x28"),
        (b"caf\xe9", "0xe9"),
        (b": x", "0x3a"),
        (b"a\x7f", "0x7f"),
    ],
)
def test_a_byte_that_no_name_may_have_is_refused_before_the_line_ends(
    line: bytes, byte: str
) -> None:
    assert refusal(STATUS_LINE + line) == f"byte {byte} in the name of a response header"


@pytest.mark.parametrize("white_space", [b" ", b"\t"])
def test_a_folded_line_without_a_header_above_it_is_refused(white_space: bytes) -> None:
    refused = f"byte {white_space[0]:#04x} in the name of a response header"
    assert refusal(STATUS_LINE + white_space + b"A: b") == refused


def test_a_head_of_the_maximum_size_is_accepted() -> None:
    assert HeadReader(max_size=len(HEAD)).feed(HEAD + b"\x81\x00") == HEAD


@pytest.mark.parametrize("cut", [len(HEAD) - 1, len(HEAD)])
def test_a_head_over_the_maximum_size_is_refused_without_its_end(cut: int) -> None:
    with pytest.raises(CriticalProtocolError, match=f"longer than {len(HEAD) - 1} bytes"):
        HeadReader(max_size=len(HEAD) - 1).feed(HEAD[:cut])


def test_the_default_limit_is_16_kib() -> None:
    reader = HeadReader()
    assert reader.feed(STATUS_LINE + b"A: " + b"x" * (16384 - 20 - 1)) is None
    with pytest.raises(CriticalProtocolError, match=r"^response head is longer than 16384 bytes$"):
        reader.feed(b"x")


def test_128_headers_are_accepted() -> None:
    head = STATUS_LINE + b"A: b\r\n" * 128 + b"\r\n"
    assert HeadReader().feed(head) == head


def test_129_headers_are_refused() -> None:
    with pytest.raises(CriticalProtocolError, match=r"^response has more than 128 headers$"):
        HeadReader().feed(STATUS_LINE + b"A: b\r\n" * 129)


@given(
    st.lists(
        st.sampled_from(
            [
                b"HTTP/1.1 200 OK",
                b"\r\n",
                b"A: b",
                b"\n",
                b"\r",
                b"\0",
                b" ",
                b"C",
                b":",
                b"x" * 150,
            ]
        ),
        max_size=25,
    ),
    st.lists(st.integers(1, 40), max_size=30),
)
def test_any_cutting_of_any_bytes_has_the_same_outcome(
    parts: list[bytes], sizes: list[int]
) -> None:
    data = STATUS_LINE + b"".join(parts)
    pieces, position = [], 0
    for size in [*sizes, len(data)]:
        pieces.append(data[position : position + size])
        position += size
    assert outcome(pieces) == outcome([data]) == outcome(bytewise(data))


@given(st.binary(max_size=100))
def test_random_bytes_are_refused_or_wanted_more_of(data: bytes) -> None:
    assert outcome([data]) is None or isinstance(outcome([data]), tuple)


def cpu_seconds(start: bytes, size: int) -> float:
    """Measure `size` bytes behind `start`, fed one by one, on this process's clock."""
    reader = HeadReader(max_size=2 * size)
    reader.feed(STATUS_LINE + start)
    started = process_time()
    for _ in range(size):
        reader.feed(b"x")
    return process_time() - started


@pytest.mark.parametrize("start", [b"", b"A: "])
def test_a_long_name_or_value_fed_byte_by_byte_takes_linear_time(start: bytes) -> None:
    small = min(cpu_seconds(start, 4_000) for _ in range(5))
    # 32 times as many bytes: 32 times the work, where a quadratic reader has 1,024 times.
    assert any(cpu_seconds(start, 128_000) < 64 * small for _ in range(3))


def test_the_first_response_that_is_not_interim_is_returned() -> None:
    reader = ResponseReader()
    response = reader.feed(EARLY_HINTS + b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"\x81\x00")
    assert response is not None
    assert (response.status_code, reader.rest) == (101, b"\x81\x00")


def test_a_response_of_another_class_is_final() -> None:
    response = ResponseReader().feed(STATUS_LINE + b"\r\n")
    assert response is not None
    assert response.status_code == 200


def test_an_interim_response_alone_gives_none() -> None:
    assert ResponseReader().feed(EARLY_HINTS) is None


def test_interim_and_final_response_may_come_byte_by_byte() -> None:
    reader = ResponseReader()
    responses = [reader.feed(piece) for piece in bytewise(EARLY_HINTS + HEAD)]
    assert responses[-1] is not None
    assert responses[:-1] == [None] * (len(responses) - 1)


def test_8_interim_responses_are_skipped() -> None:
    assert ResponseReader().feed(EARLY_HINTS * 8 + HEAD) is not None


def test_9_interim_responses_are_refused() -> None:
    with pytest.raises(HandshakeError, match=r"^more than 8 interim responses$"):
        ResponseReader().feed(EARLY_HINTS * 9 + HEAD)


def test_each_response_has_its_own_limits() -> None:
    reader = ResponseReader(max_size=len(HEAD), max_headers=3)
    assert reader.feed(EARLY_HINTS * 5 + HEAD) is not None
    with pytest.raises(CriticalProtocolError, match="more than 3 headers"):
        ResponseReader(max_headers=3).feed(EARLY_HINTS + STATUS_LINE + b"A: b\r\n" * 4)


def test_received_shows_what_came_of_the_current_response() -> None:
    reader = ResponseReader()
    reader.feed(EARLY_HINTS + STATUS_LINE)
    assert reader.received == b"HTTP/1.1 200 OK\r\n"
