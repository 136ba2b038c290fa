"""Close codes and which of them may travel: RFC 6455 §7.4 and the IANA registry.

The frame that carries a code is built and parsed in `lomond.protocol.frames`.
"""

from __future__ import annotations

from typing import ClassVar

# RFC 6455 §7.4.1: 1005, 1006 and 1015 "MUST NOT be set as a status code in a Close control
# frame by an endpoint"; 1004 is reserved. 1012, 1013 and 1014 were registered with IANA later.
_REGISTERED = frozenset({*range(1000, 1004), *range(1007, 1015)})

# RFC 6455 §7.4.2: 3000-3999 are for libraries and frameworks, 4000-4999 for private use.
_UNREGISTERED = range(3000, 5000)


class Status:
    """Name the close codes of RFC 6455 §7.4.1 that an endpoint may send."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    DATA_NOT_UNDERSTOOD = 1003
    BAD_DATA = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_LARGE = 1009
    EXTENSION_FAILED = 1010
    UNEXPECTED_CONDITION = 1011

    # Codes below 3000 that must not appear in a Close frame.
    invalid_codes: ClassVar[frozenset[int]] = frozenset(range(3000)) - _REGISTERED


def is_valid_close_code(code: int) -> bool:
    """Say whether `code` may appear in a Close frame, from either side."""
    return code in _REGISTERED or code in _UNREGISTERED
