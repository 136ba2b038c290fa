"""The grammar of the Sec-WebSocket-Extensions header (RFC 6455 §9.1).

What the extensions and their parameters mean does not belong here: see `handshake` for
which of them may be agreed on and `deflate` for permessage-deflate.
"""

from __future__ import annotations

import re

from lomond.errors import HandshakeError
from lomond.protocol.headers import TCHAR
from lomond.protocol.http import excerpt

# Every part starts with another character than the part before it can end with, so that a
# failed match backs off over at most one run: time is linear in the header's length.
_TOKEN = rf"([{TCHAR}]+)"
# RFC 6455 §9.1: "the value after quoted-string unescaping MUST conform to the 'token' ABNF."
_QUOTED_TOKEN = rf'"(?!")([{TCHAR}]*(?:\\[{TCHAR}]+)*)"'
_EXTENSION = re.compile(rf"[ \t]*{_TOKEN}")
_PARAMETER = re.compile(rf"[ \t]*;[ \t]*{_TOKEN}(?:[ \t]*=[ \t]*(?:{_TOKEN}|{_QUOTED_TOKEN}))?")
_END = re.compile(r"[ \t]*(,|\Z)")

Parameters = list[tuple[str, str | None]]


def parse_extensions(header: str) -> list[tuple[str, Parameters]]:
    """Parse the value of a header: each extension with its parameters, in order.

    A parameter without a value has None. Names are not checked for duplicates. Empty
    elements of the list are skipped (RFC 9110 §5.6.1). Raises HandshakeError for
    anything else that the grammar does not have, and for a list of nothing.
    """
    extensions: list[tuple[str, Parameters]] = []
    position = 0
    while True:
        if extension := _EXTENSION.match(header, position):
            parameters: Parameters = []
            position = extension.end()
            while parameter := _PARAMETER.match(header, position):
                name, token, quoted = parameter.groups()
                parameters.append((name, quoted.replace("\\", "") if quoted else token))
                position = parameter.end()
            extensions.append((extension[1], parameters))
        end = _END.match(header, position)
        if end is None:
            unread = excerpt(header[position:])
            raise HandshakeError(f"bad Sec-WebSocket-Extensions header at {unread!r}")
        if not end[1]:
            break
        position = end.end()
    if not extensions:
        raise HandshakeError("Sec-WebSocket-Extensions header names no extension")
    return extensions
