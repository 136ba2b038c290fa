"""What callers pass, checked in their line: TypeError or ValueError before anything happens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from lomond.protocol.frames import MAX_CONTROL_PAYLOAD
from lomond.protocol.handshake import check_custom_header
from lomond.status import is_valid_close_code

Headers: TypeAlias = (
    Mapping[str, str] | Mapping[bytes, bytes] | Iterable[tuple[str | bytes, str | bytes]]
)


def check_headers(headers: Headers) -> list[tuple[str, str]]:
    """Return pairs of text that may be headers of an upgrade request."""
    if isinstance(headers, (str, bytes)):
        raise TypeError(f"headers must be a mapping or pairs, not {_name_type(headers)}")
    pairs: Iterable[object] = headers.items() if isinstance(headers, Mapping) else headers
    return [check_custom_header(*_check_pair(pair)) for pair in pairs]


def check_text(text: str) -> str:
    """Return `text` if it is str."""
    if not isinstance(text, str):
        raise TypeError(f"text argument must not be {_name_type(text)}: it is str that is sent")
    return text


def check_data(data: bytes | bytearray | memoryview) -> bytes:
    """Return bytes, copied from what may change later."""
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise TypeError(f"data argument must be bytes, bytearray or memoryview, not {_name_type(data)}")


def check_control_data(data: bytes | bytearray | memoryview, what: str) -> bytes:
    """Return the payload of a "ping" or "pong"."""
    data = check_data(data)
    # RFC 6455 §5.5: "All control frames MUST have a payload length of 125 bytes or less"
    if len(data) > MAX_CONTROL_PAYLOAD:
        raise ValueError(f"{what} data should be <= 125 bytes, not {len(data)}")
    return data


def check_close_code(code: int) -> int:
    """Return a close code that may be sent (RFC 6455 §7.4)."""
    if isinstance(code, bool) or not isinstance(code, int):
        raise TypeError(f"close code must be a whole number, not {_name_type(code)}")
    if not is_valid_close_code(code):
        raise ValueError(
            f"close code {code} may not be sent: take one of lomond.status.Status, "
            "or 3000 to 4999 for your own"
        )
    return code


def check_close_reason(reason: str | bytes) -> bytes:
    """Return the reason as UTF-8."""
    if isinstance(reason, str):
        return reason.encode()
    if not isinstance(reason, bytes):
        raise TypeError(f"close reason must be str or bytes, not {_name_type(reason)}")
    reason.decode()
    return reason


def _check_pair(pair: object) -> tuple[str | bytes, str | bytes]:
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise TypeError("headers must be a mapping, or pairs of a name and a value")
    name, value = pair
    return name, value


def _name_type(value: object) -> str:
    return type(value).__name__
