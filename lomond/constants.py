"""The fixed words of the opening handshake: RFC 6455 §1.3, §4.1.

Numbers of the wire format (opcodes, bits, lengths) are in `lomond.protocol.opcodes`;
close codes are in `lomond.status`.
"""

from __future__ import annotations

from lomond._version import __version__

# RFC 6455 §1.3: the GUID that a server appends to our key before hashing it.
WS_KEY: bytes = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

# RFC 6455 §4.1: "The value of this header field MUST be 13."
WS_VERSION: int = 13

# The name and version only: a server has no business with our platform (RFC 9110 §10.1.5
# warns of fingerprinting by needless detail).
USER_AGENT: str = f"Lomond/{__version__}"
