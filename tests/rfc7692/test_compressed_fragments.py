"""Compressed messages in fragments: their limit, and the tail that is appended to the last one.

RFC 7692 §7.2.2: "Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of the payload of the
message. Decompress the resulting data using DEFLATE."
"""

from __future__ import annotations

from tests.helpers.deflate import compress
from tests.helpers.frames import server_frame
from tests.helpers.protocol import deliver, frames_sent, ready_client


def test_fragments_share_one_limit_which_the_one_that_exceeds_it_is_held_to() -> None:
    client = ready_client(deflate="", max_message_size=100)
    first, second = compress([b"a" * 60, b"b" * 60])
    tail = b"\x00\x00\xff\xff"
    assert deliver(client, server_frame(0x42, first + tail)) == []
    # Not the last fragment: nothing has to be finished for it.
    (error,) = deliver(client, server_frame(0x00, second + tail))
    assert error[0] == "protocol_error"
    assert frames_sent(client)[0][1][:2] == (1009).to_bytes(2, "big")


def test_what_the_appended_octets_complete_belongs_to_the_message() -> None:
    client = ready_client(deflate="")
    # A stored block of 5 octets, of which 1 is there.
    stored = b"\x00\x05\x00\xfa\xffH"
    stream = server_frame(0x42, stored[:3]) + server_frame(0x80, stored[3:])
    assert deliver(client, stream) == [("binary", b"H\x00\x00\xff\xff")]
