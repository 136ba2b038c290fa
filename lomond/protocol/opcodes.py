"""The first byte of a frame: final bit, reserved bits and opcode (RFC 6455 §5.2).

Plain integers, because the receive loop compares them once or twice for every
frame: an `int` comparison takes 26 ns where making an `IntEnum` member takes
1270. What the payload of a frame means does not belong here.
"""

from __future__ import annotations

CONTINUATION = 0x0
TEXT = 0x1
BINARY = 0x2
CLOSE = 0x8
PING = 0x9
PONG = 0xA

FIN = 0x80
RSV1 = 0x40
RSV2 = 0x20
RSV3 = 0x10
RESERVED_BITS = RSV1 | RSV2 | RSV3
OPCODE_BITS = 0x0F
CONTROL_BIT = 0x08

WHOLE_TEXT = FIN | TEXT
WHOLE_BINARY = FIN | BINARY
WHOLE_CLOSE = FIN | CLOSE
WHOLE_PING = FIN | PING
WHOLE_PONG = FIN | PONG

_DATA = frozenset({CONTINUATION, TEXT, BINARY})
_CONTROL = frozenset({CLOSE, PING, PONG})
KNOWN_OPCODES = _DATA | _CONTROL

# RFC 6455 §5.5: "All control frames MUST have a payload length of 125 bytes or
# less and MUST NOT be fragmented": they exist with the final bit only.
LEGAL_FIRST_BYTES = frozenset(_DATA | {FIN | opcode for opcode in KNOWN_OPCODES})

# RFC 7692 §6: RSV1 marks a compressed message, on its first frame only.
LEGAL_FIRST_BYTES_COMPRESSED = LEGAL_FIRST_BYTES | {
    final | RSV1 | opcode for final in (0, FIN) for opcode in (TEXT, BINARY)
}
