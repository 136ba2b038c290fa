"""RFC 7692 §6: the limit is one on what a message inflates to; its frame may be a little longer.

A stored block has 5 octets of its own, so that what was compressed may have grown.
"""

from __future__ import annotations

import pytest

from tests.helpers.frames import server_frame
from tests.helpers.protocol import deliver, ready_client

# 4 octets as they are, and the empty block that begins what §7.2.1 has taken off.
ABCD = b"\x00\x04\x00\xfb\xffabcd" + b"\x00"
NOTHING = b"\x00\x00\x00\xff\xff"


# 125 octets are the most that need no further octets for their length.
@pytest.mark.parametrize("size", [110, 120, 125, 130, 150])
def test_a_frame_over_the_limit_passes_if_its_message_does_not_exceed_it(size: int) -> None:
    client = ready_client(deflate="", max_message_size=100)
    payload = NOTHING * ((size - len(ABCD)) // len(NOTHING)) + ABCD
    assert len(payload) == size
    assert deliver(client, server_frame(0xC2, payload)) == [("binary", b"abcd")]


def test_a_frame_far_over_the_limit_is_refused_by_its_header() -> None:
    client = ready_client(deflate="", max_message_size=100)
    ((name, reason, *_),) = deliver(client, server_frame(0xC2, NOTHING * 100)[:4])
    assert name == "protocol_error"
    assert "frame of 500 bytes" in str(reason)
