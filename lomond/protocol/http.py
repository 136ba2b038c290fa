"""Reading HTTP/1.1 as far as an upgrade and a tunnel need it (RFC 9110, RFC 9112).

For bytes that nobody vouches for: `HeadReader` takes one response head within fixed
limits, `ResponseReader` takes heads until the final one, `BodyReader` keeps the start of a
refusal's body.

What a response means does not belong here: an upgrade is judged in `handshake`, a tunnel in
`tunnel`. Cutting a head into headers is `lomond.response`, the grammar of
Sec-WebSocket-Extensions is `extensions`, and what we write ourselves is `headers`.
"""

from __future__ import annotations

import re

from lomond.errors import CriticalProtocolError, HandshakeError
from lomond.protocol.headers import TCHAR
from lomond.response import Response

MAX_HEAD_SIZE = 16 * 1024
MAX_HEADERS = 128
MAX_INTERIM_RESPONSES = 8
MAX_BODY_SIZE = 64 * 1024

_VERSION_PREFIX = b"HTTP/"
_TLS_RECORD_TYPES = (b"\x15", b"\x16")
_WHITESPACE = b" \t"
_NAME_END = re.compile(rf"[^{TCHAR}]".encode())
# RFC 9112 §4. Servers leave out the space that belongs before an empty reason phrase.
_STATUS_LINE = re.compile(rb"HTTP/[0-9]\.[0-9] [1-9][0-9]{2}(?: [^\r\n]*)?\r\n")

# A whole head without folded lines, all that is checked below in one pass: a fifteenth of what a
# connection takes.
_WHOLE_HEAD = re.compile(
    _STATUS_LINE.pattern.replace(rb"[^\r\n]", rb"[^\r\n\x00]")
    + rf"(?:[{TCHAR}]+:[^\r\n\x00]*\r\n)*\r\n".encode()
)

_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\n]*)?\r?\n")
_MAX_CHUNK_LINE = 256

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_MAX_EXCERPT = 100


class HeadReader:
    """Take the head of one response, however it is cut, in time linear in its length.

    Call `feed` until it returns the head. A head that breaks a limit or the grammar
    raises at the first byte that shows it, and the reader is of no use afterwards.
    """

    __slots__ = (
        "_has_name",
        "_head",
        "_headers",
        "_line_start",
        "_max_headers",
        "_max_size",
        "_scanned",
        "rest",
    )

    def __init__(self, max_size: int = MAX_HEAD_SIZE, max_headers: int = MAX_HEADERS) -> None:
        """Accept at most `max_size` bytes, the blank line included, and `max_headers` headers."""
        self._max_size = max_size
        self._max_headers = max_headers
        self._head = bytearray()
        self._headers = 0
        # Nothing before `_scanned` is looked at twice, but for the line it is in the middle of.
        self._scanned = 0
        self._line_start = 0
        self._has_name = False
        self.rest = b""
        """What was fed behind the head; set when `feed` returns the head."""

    @property
    def received(self) -> bytes:
        """What has been fed so far, for showing what came when it was refused."""
        return bytes(self._head)

    def feed(self, data: bytes) -> bytes | None:
        """Add bytes; return the whole head with its blank line, or None if more are needed.

        Raises CriticalProtocolError for a head over a limit and HandshakeError for bytes
        that are not the head of a response.
        """
        head = self._head
        is_first = not head
        head += data
        if is_first and (whole := self._match_whole(data)) is not None:
            return whole
        while True:
            line_end = head.find(b"\n", self._scanned, self._max_size) + 1
            stop = line_end or min(len(head), self._max_size)
            self._check_piece(self._scanned, stop)
            self._scanned = stop
            if not line_end:
                if stop == self._max_size:
                    raise CriticalProtocolError(
                        f"response head is longer than {self._max_size} bytes"
                    )
                return None
            if self._end_line(bytes(head[self._line_start : line_end])):
                self.rest = bytes(head[line_end:])
                return bytes(head[:line_end])
            self._line_start = line_end
            self._has_name = False

    def _match_whole(self, data: bytes) -> bytes | None:
        """Take a head that comes at once and has nothing unusual, as nearly all do."""
        end = data.find(b"\r\n\r\n", 0, self._max_size) + 4
        # The status line and the blank one are no headers. To be asked first: to match a line takes
        # memory, of which a peer could have a hundred times what it sends.
        if end < 4 or data.count(b"\n", 0, end) - 2 > self._max_headers:
            return None
        if _WHOLE_HEAD.fullmatch(data, 0, end) is None:
            return None
        self.rest = data[end:]
        return data[:end]

    def _check_piece(self, start: int, stop: int) -> None:
        """Check bytes of one line that have not been seen before, the line ending or not."""
        position = start
        if self._line_start == 0:
            self._check_version(bytes(self._head[:5]))
        elif not self._has_name:
            position = self._check_name(start, stop)
        # RFC 9110 §5.5: "Field values containing CR, LF, or NUL characters are invalid"
        if self._head.find(0, position, stop) >= 0:
            raise HandshakeError("response head contains a NUL byte")

    def _check_version(self, beginning: bytes) -> None:
        if not _VERSION_PREFIX.startswith(beginning):
            hint = ", it looks like TLS" if beginning.startswith(_TLS_RECORD_TYPES) else ""
            raise HandshakeError(f"response does not begin with HTTP/{hint}")

    def _check_name(self, start: int, stop: int) -> int:
        """Check a header's name as far as it has come; return where its value starts."""
        end = _NAME_END.search(self._head, start, stop)
        if end is None:
            return stop
        self._has_name = True
        position = end.start()
        byte = self._head[position]
        if position > self._line_start:
            # RFC 9112 §5.1: "No whitespace is allowed between the field name and colon."
            if byte in _WHITESPACE:
                raise HandshakeError("space before the colon of a response header")
            if byte in b"\r\n":
                raise HandshakeError("response header without a colon")
            is_legal = byte == ord(":")
        else:
            # A line that starts with white space goes on with the header above it.
            is_legal = byte in b"\r\n" or (byte in _WHITESPACE and self._headers > 0)
        if not is_legal:
            raise HandshakeError(f"byte {byte:#04x} in the name of a response header")
        return position

    def _end_line(self, line: bytes) -> bool:
        """Check a whole line; return True for the blank one that ends the head."""
        # RFC 9112 §2.2 lets a recipient take a bare LF for a line's end. Two parties that
        # disagree on where a line ends is how responses are forged, so we do not.
        if not line.endswith(b"\r\n"):
            raise HandshakeError("line of the response head ends with a bare LF")
        if line.find(b"\r") != len(line) - 2:
            raise HandshakeError("response head contains a bare CR")
        if self._line_start == 0:
            if not _STATUS_LINE.fullmatch(line):
                raise HandshakeError(f"bad status line {excerpt(line.decode('latin-1'))!r}")
        elif line[0] not in b"\r \t":
            self._headers += 1
            if self._headers > self._max_headers:
                raise CriticalProtocolError(f"response has more than {self._max_headers} headers")
        return line == b"\r\n"


class ResponseReader:
    """Take response heads until the final one (RFC 9110 §15.2: 1xx are interim, but 101)."""

    __slots__ = ("_interim", "_limits", "_reader", "rest")

    def __init__(self, max_size: int = MAX_HEAD_SIZE, max_headers: int = MAX_HEADERS) -> None:
        """Accept heads within these limits, and at most 8 interim ones."""
        self._limits = (max_size, max_headers)
        self._reader = HeadReader(*self._limits)
        self._interim = 0
        self.rest = b""
        """What was fed behind the final head; set when `feed` returns the response."""

    @property
    def received(self) -> bytes:
        """What has come of the current response, for showing it when it was refused."""
        return self._reader.received

    def feed(self, data: bytes) -> Response | None:
        """Add bytes; return the final response, or None if more are needed.

        Raises as `HeadReader.feed` does, and HandshakeError when the interim responses
        do not end.
        """
        while (head := self._reader.feed(data)) is not None:
            response = Response(head)
            status_code = response.status_code
            if status_code is None or not 100 <= status_code < 200 or status_code == 101:
                self.rest = self._reader.rest
                return response
            self._interim += 1
            if self._interim > MAX_INTERIM_RESPONSES:
                raise HandshakeError(f"more than {MAX_INTERIM_RESPONSES} interim responses")
            data = self._reader.rest
            self._reader = HeadReader(*self._limits)
        return None


class BodyReader:
    """Keep the start of a response's body (RFC 9112 §6.3).

    Never raises: where the framing makes no sense, what came before it is the body.
    """

    __slots__ = (
        "_body",
        "_chunk_ends",
        "_is_chunked",
        "_limit",
        "_line",
        "_missing",
        "is_complete",
    )

    def __init__(self, response: Response, limit: int = MAX_BODY_SIZE) -> None:
        """Keep at most `limit` bytes of the body that follows the head of `response`."""
        self._limit = limit
        self._body = bytearray()
        # RFC 9112 §6.3: chunked outranks a length, and without either the body ends with
        # the stream, which for us is the same as a length of `limit`.
        encodings = [encoding.lower() for encoding in response.get_list("transfer-encoding")]
        self._is_chunked = encodings[-1:] == ["chunked"]
        # Bytes that are still wanted of the body, or of the current chunk.
        self._missing = 0 if self._is_chunked else limit
        if not encodings:
            self._missing = min(limit, _parse_content_length(response, limit))
        self._chunk_ends = False
        self._line = bytearray()
        has_no_body = response.status_code in (204, 304)
        self.is_complete = has_no_body or (not self._is_chunked and not self._missing)

    @property
    def body(self) -> bytes:
        """The body as far as it has come, without the framing."""
        return bytes(self._body)

    def feed(self, data: bytes) -> bool:
        """Add bytes; return True when the body is complete or the limit is reached.

        `b""` only asks. A body without a length is complete when the stream ends, which
        the caller sees first.
        """
        position = 0
        while position < len(data) and not self.is_complete:
            if self._missing:
                position = self._take_payload(data, position)
            else:
                position = self._take_line(data, position)
        return self.is_complete

    def _take_payload(self, data: bytes, position: int) -> int:
        piece = data[position : position + self._missing]
        self._body += piece
        self._missing -= len(piece)
        if not self._missing:
            self.is_complete = not self._is_chunked or len(self._body) >= self._limit
        return position + len(piece)

    def _take_line(self, data: bytes, position: int) -> int:
        """Take bytes of the line that says how long the next chunk is, or ends a chunk."""
        end = data.find(b"\n", position) + 1 or len(data)
        self._line += data[position:end]
        if len(self._line) > _MAX_CHUNK_LINE:
            self.is_complete = True
        elif self._line.endswith(b"\n"):
            self._end_line(bytes(self._line))
            self._line.clear()
        return end

    def _end_line(self, line: bytes) -> None:
        if self._chunk_ends:
            self.is_complete = line not in (b"\r\n", b"\n")
            self._chunk_ends = False
            return
        size = _CHUNK_SIZE.fullmatch(line)
        # The chunk of size 0 is the last. The trailer behind it is of no use to anybody.
        self._missing = min(int(size[1], 16) if size else 0, self._limit - len(self._body))
        self.is_complete = not self._missing
        self._chunk_ends = True


def _parse_content_length(response: Response, default: int) -> int:
    # RFC 9110 §8.6: the same length several times is one length, anything else is invalid.
    lengths = set(response.get_list("content-length"))
    length = lengths.pop() if len(lengths) == 1 else ""
    return int(length) if _LENGTH.fullmatch(length) else default


def excerpt(text: str) -> str:
    """Return text of the peer's as an error message may show it: short, on one line."""
    text = _UNPRINTABLE.sub("\ufffd", text)
    return text if len(text) <= _MAX_EXCERPT else text[:_MAX_EXCERPT] + "…"
