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


def test_what_a_frame_under_way_still_needs_is_known() -> None:
    client = ready_client()
    client.receive(b"\x82\x7e\x10\x00" + bytes(96), 0.0, 0.0)
    assert client.bytes_missing == 4000
    client.receive(bytes(4000), 0.0, 0.0)
    assert client.bytes_missing == 0


def test_frame_that_begins_behind_a_full_batch_is_known_as_well() -> None:
    client = ready_client()
    client.receive(b"\x81\x00" * 1000 + b"\x82\x7e\x10\x00" + bytes(96), 0.0, 0.0)
    assert client.bytes_missing == 0
    client.receive_more(0.0)
    assert client.bytes_missing == 4000
