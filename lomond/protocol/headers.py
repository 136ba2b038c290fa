"""Writing the head of an HTTP/1.1 request (RFC 9110 §5, RFC 9112 §3 and §5).

Our caller's arguments end up between line ends that the server trusts. The checks let
nothing through that would end a line or begin another header, `build_head` joins the lines.
Which headers a request has does not belong here: see `handshake` and `tunnel`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# RFC 9110 §5.6.2: tchar, as the inside of a character class.
TCHAR = r"!#$%&'*+\-.^_`|~0-9A-Za-z"

_NOT_TCHAR = re.compile(rf"[^{TCHAR}]")
# RFC 9110 §5.5: no control characters but HTAB. The surrogates U+DC80 to U+DCFF stand for
# bytes that are not UTF-8 (see check_header), the others cannot be encoded at all.
_NOT_IN_VALUE = re.compile("[\x00-\x08\x0a-\x1f\x7f\ud800-\udc7f\udd00-\udfff]")


def check_token(text: str, what: str) -> str:
    """Return `text` if it is a token (RFC 9110 §5.6.2); `what` names it in the error.

    Raises TypeError or ValueError. The text is shown up to the first bad character only:
    what follows may be a secret that slipped into the wrong argument.
    """
    if not isinstance(text, str):
        raise TypeError(f"{what} must be str, not {type(text).__name__}")
    if not text:
        raise ValueError(f"{what} must not be empty")
    if bad := _NOT_TCHAR.search(text):
        raise ValueError(
            f"{what} must be a token of letters, digits and !#$%&'*+-.^_`|~, "
            f"but {text[: bad.start()]!r} is followed by {bad[0]!r}"
        )
    return text


def check_header(name: str | bytes, value: str | bytes) -> tuple[str, str]:
    """Return name and value as text, the value without the white space around it.

    Text goes out as UTF-8. Bytes that are not UTF-8 are kept as they are (they become
    surrogates here and bytes again in `build_head`). Raises TypeError or ValueError,
    with the name and the position: a value is never shown, it may be a secret.
    """
    name = check_token(_as_text(name, "header name"), "header name")
    text = _as_text(value, f"value of header {name}").strip(" \t")
    if bad := _NOT_IN_VALUE.search(text):
        raise ValueError(
            f"value of header {name} contains {bad[0]!r} at position {bad.start()}: "
            "control characters and lone surrogates are not allowed"
        )
    return name, text


def check_match(pattern: re.Pattern[str], text: str, what: str) -> str:
    """Return `text` if the whole of it matches; `what` names it in the error.

    Raises TypeError or ValueError, with the first bad character and its position only.
    """
    if not isinstance(text, str):
        raise TypeError(f"{what} must be str, not {type(text).__name__}")
    if pattern.fullmatch(text):
        return text
    beginning = pattern.match(text)
    end = beginning.end() if beginning else 0
    raise ValueError(f"bad {what}: unexpected {text[end : end + 1]!r} at position {end}")


def build_head(start_line: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """Build the head of a request from parts that were checked."""
    lines = [start_line, *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


def _as_text(text: str | bytes, what: str) -> str:
    if isinstance(text, bytes):
        return text.decode("utf-8", "surrogateescape")
    if not isinstance(text, str):
        raise TypeError(f"{what} must be str or bytes, not {type(text).__name__}")
    return text
