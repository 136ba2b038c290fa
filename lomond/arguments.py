"""What callers pass, checked in their line: TypeError or ValueError before anything happens."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TypeAlias, TypeVar

from lomond.protocol.deflate import DeflateOffer
from lomond.protocol.frames import MAX_CONTROL_PAYLOAD
from lomond.protocol.handshake import check_custom_header
from lomond.status import is_valid_close_code

_Argument = TypeVar("_Argument")

Headers: TypeAlias = (
    Mapping[str, str] | Mapping[bytes, bytes] | Iterable[tuple[str | bytes, str | bytes]]
)


def check_headers(headers: Headers) -> list[tuple[str, str]]:
    """Return pairs of text that may be headers of an upgrade request."""
    if not _is_several(headers):
        raise TypeError(f"headers must be a mapping or pairs, not {_name_type(headers)}")
    pairs: Iterable[object] = headers.items() if isinstance(headers, Mapping) else headers
    return [check_custom_header(*_check_pair(pair)) for pair in pairs]


def check_protocols(protocols: Iterable[str]) -> Collection[str]:
    """Return `protocols`, as a list if they could be gone through only once."""
    if isinstance(protocols, (list, tuple)):
        return protocols
    # A mapping here is meant to be `proxies`, which some releases of Lomond took in this place.
    if not _is_several(protocols) or isinstance(protocols, Mapping):
        raise TypeError(f"protocols must be a list of names, not {_name_type(protocols)}")
    return protocols if isinstance(protocols, Collection) else list(protocols)


def check_compress(compress: bool | DeflateOffer | None) -> DeflateOffer | None:
    """Return what to offer, None for nothing."""
    if compress is None or isinstance(compress, bool):
        return DeflateOffer() if compress else None
    if not isinstance(compress, DeflateOffer):
        raise TypeError(f"compress must be True, False or a DeflateOffer, not {compress!r}")
    return compress


def check_session_class(session_class: _Argument) -> _Argument:
    """Return what makes a session."""
    if not callable(session_class):
        raise TypeError(
            "session_class must be a class or another callable that takes the WebSocket, "
            f"not {_name_type(session_class)}"
        )
    return session_class


def check_exit_event(exit_event: _Argument) -> _Argument:
    """Return None, or what can be asked and waited for."""
    if exit_event is not None and not (
        hasattr(exit_event, "is_set") and hasattr(exit_event, "wait")
    ):
        raise TypeError(
            f"exit_event must be an Event of threading's or gevent's, not {_name_type(exit_event)}"
        )
    return exit_event


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
    if not isinstance(reason, (str, bytes)):
        raise TypeError(f"close reason must be str or bytes, not {_name_type(reason)}")
    try:
        return reason.encode() if isinstance(reason, str) else reason.decode().encode()
    except UnicodeError as error:
        raise ValueError(f"close reason must be text that UTF-8 can hold: {error}") from None


def _check_pair(pair: object) -> tuple[str | bytes, str | bytes]:
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise TypeError("headers must be a mapping, or pairs of a name and a value")
    name, value = pair
    return name, value


def _is_several(value: object) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes))


def _name_type(value: object) -> str:
    return type(value).__name__
