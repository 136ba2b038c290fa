"""An HTTP response head, parsed: RFC 9112 §4 and §5.

Parsing is lenient and never raises, so that whatever a server answered can be looked at.
Finding the end of the head, its limits and what is refused outright is in
`lomond.protocol.http`; whether an answer upgrades the connection, in
`lomond.protocol.handshake`.
"""

from __future__ import annotations

from typing import TypeVar, overload

_Default = TypeVar("_Default")

_OWS = b" \t"  # optional whitespace around a field value: RFC 9110 §5.6.3


class Response:
    """A server's answer to the upgrade request.

    raw: the head as received, as bytes.
    http_ver: the HTTP version, such as "HTTP/1.1", or "" where there is none.
    status_code: the three digits as an int, None where there are none.
    status: the reason phrase, possibly empty.
    headers: lower-case name to value. Repeated headers are joined with a comma; bytes that
        are not ASCII are replaced by U+FFFD.
    body: what followed the head of a rejected upgrade, up to a limit; otherwise empty.
    """

    __slots__ = ("body", "headers", "http_ver", "raw", "status", "status_code")

    def __init__(self, header_data: bytes | bytearray | memoryview) -> None:
        # By way of memoryview, because bytes(5) is five NULs and not a TypeError.
        self.raw = bytes(memoryview(header_data))
        self.body = b""
        start, _, fields = self.raw.partition(b"\r\n")
        self.http_ver, self.status_code, self.status = _parse_status_line(
            start.decode("ascii", "replace")
        )
        self.headers = {
            name.decode("ascii", "replace"): value.decode("ascii", "replace")
            for name, value in _parse_fields(fields).items()
        }

    def __repr__(self) -> str:
        parts = (self.http_ver, str(self.status_code), self.status)
        return f"<response {escape_unprintable(' '.join(filter(None, parts)))}>"

    @overload
    def get(self, name: str, default: None = None) -> str | None: ...
    @overload
    def get(self, name: str, default: _Default) -> str | _Default: ...
    @overload
    def get(self, name: bytes, default: None = None) -> bytes | None: ...
    @overload
    def get(self, name: bytes, default: _Default) -> bytes | _Default: ...
    def get(self, name: str | bytes, default: object = None) -> object:
        """Return the value of a header, or `default` where it is missing.

        The case of `name` does not matter. Its type decides the type of the value: str gives
        text, bytes gives the bytes as they were received.
        """
        if isinstance(name, str):
            return self.headers.get(name.lower(), default)
        if isinstance(name, bytes):
            # Parsed anew: a second dict kept for so rare a call would double every response.
            _, _, fields = self.raw.partition(b"\r\n")
            return _parse_fields(fields).get(name.lower(), default)
        raise TypeError(f"header name must be str or bytes, not {type(name).__name__}")

    def get_list(self, name: str | bytes) -> list[str]:
        """Return the elements of a comma-separated header, as text; [] where it is missing."""
        value = self.get(name.decode("ascii", "replace") if isinstance(name, bytes) else name, "")
        # RFC 9110 §5.6.1.2: "A recipient MUST parse and ignore a reasonable number of empty
        # list elements"
        return [element for part in value.split(",") if (element := part.strip())]


def escape_unprintable(text: str) -> str:
    """Make text of the peer fit to be shown: it must not forge lines of a log or steer a terminal.

    Printable text, quotation marks included, is returned as it is.
    """
    return text if text.isprintable() else repr(text)[1:-1]


def _parse_status_line(line: str) -> tuple[str, int | None, str]:
    """Split a status line into version, code and reason: "", None, "" for what is missing."""
    http_ver, code, status, *_ = [*line.split(None, 2), "", "", ""]
    # RFC 9112 §4: "status-code = 3DIGIT". int() takes more: signs, underscores, 5000 digits.
    is_code = len(code) == 3 and code.isdecimal()
    return http_ver, int(code) if is_code else None, status.rstrip()


def _parse_fields(fields: bytes) -> dict[bytes, bytes]:
    """Collect header fields up to the first empty line, by lower-case name.

    Lines without a colon are skipped. Takes time linear in the size, however often a name
    is repeated or a line is folded.
    """
    values: dict[bytes, list[list[bytes]]] = {}
    pieces: list[bytes] = []  # of the field being read
    for line in fields.split(b"\r\n"):
        if not line:
            break
        if line[0] in _OWS:
            # RFC 9112 §5.2: a folded line continues the one before, after one space.
            pieces.append(line.strip(_OWS))
            continue
        name, colon, value = line.partition(b":")
        pieces = [value.strip(_OWS)]
        if colon:
            values.setdefault(name.strip(_OWS).lower(), []).append(pieces)
    # Nearly all fields are there once and in one piece.
    return {
        name: repeated[0][0] if len(repeated) == len(repeated[0]) == 1 else _join(repeated)
        for name, repeated in values.items()
    }


def _join(repeated: list[list[bytes]]) -> bytes:
    return b",".join(b" ".join(filter(None, pieces)) for pieces in repeated)
