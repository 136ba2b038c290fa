"""What has come of a message that is not complete, and that its bytes are forgotten at the end."""

from __future__ import annotations

from tests.helpers.protocol import connecting_client, ready_client


def test_fragments_and_the_frame_that_is_cut_are_counted() -> None:
    client = ready_client()
    client.receive(b"\x01\x03Hel\x00\x05lo", 0.0, 0.0)
    assert client.bytes_unfinished == 5


def test_nothing_is_unfinished_before_the_upgrade_and_behind_the_end() -> None:
    assert connecting_client().bytes_unfinished == 0
    client = ready_client()
    client.receive(b"\x01\x03Hel", 0.0, 0.0)
    client.end_of_stream()
    assert client.bytes_unfinished == 0
