"""RFC 7692 §7.1: which numbers an offer may have, and what holds where nothing was said.

§7.1.2: a window is "a decimal integer value without leading zeroes between 8 to 15"; zlib has no
compressor for 8. Levels are zlib's own.
"""

from __future__ import annotations

import pytest

from lomond.protocol.deflate import DeflateOffer, DeflateParameters


@pytest.mark.parametrize(
    ("name", "smallest", "largest"),
    [
        ("server_max_window_bits", 9, 15),
        ("client_max_window_bits", 9, 15),
        ("level", 0, 9),
        ("mem_level", 1, 9),
    ],
)
def test_both_ends_of_a_range_can_be_offered(name: str, smallest: int, largest: int) -> None:
    for value in (smallest, largest):
        assert getattr(DeflateOffer(**{name: value}), name) == value


def test_without_a_word_windows_are_the_largest_and_contexts_are_taken_over() -> None:
    assert DeflateOffer() == DeflateOffer(15, 15, False, False, 6, 8)
    assert DeflateParameters() == DeflateParameters(15, 15, False, False, 6, 8)
