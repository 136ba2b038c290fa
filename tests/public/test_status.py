"""RFC 6455 §7.4: "When closing an established connection […] an endpoint MAY indicate a reason".

§7.4.1 names the codes; §7.4.2 says which ranges are for whom; 1012 to 1014 came with IANA's
registry of close codes.
"""

from __future__ import annotations

import pytest

from lomond.status import Status, is_valid_close_code


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("NORMAL", 1000),
        ("GOING_AWAY", 1001),
        ("PROTOCOL_ERROR", 1002),
        ("DATA_NOT_UNDERSTOOD", 1003),
        ("BAD_DATA", 1007),
        ("POLICY_VIOLATION", 1008),
        ("MESSAGE_TOO_LARGE", 1009),
        ("EXTENSION_FAILED", 1010),
        ("UNEXPECTED_CONDITION", 1011),
    ],
)
def test_a_code_has_the_name_of_the_rfc(name: str, code: int) -> None:
    assert getattr(Status, name) == code
    assert is_valid_close_code(code)


@pytest.mark.parametrize("code", [1000, 1003, 1007, 1012, 1013, 1014, 3000, 3999, 4000, 4999])
def test_a_code_that_may_travel_is_valid(code: int) -> None:
    assert is_valid_close_code(code)


@pytest.mark.parametrize(
    "code", [-1, 0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535, 99999]
)
def test_a_code_that_must_not_travel_is_not_valid(code: int) -> None:
    assert not is_valid_close_code(code)


def test_the_invalid_codes_are_those_below_3000_that_nobody_registered() -> None:
    expected = {*range(1000), 1004, 1005, 1006, 1015, *range(1016, 3000)}
    assert Status.invalid_codes == expected


def test_bad_gateway_is_not_among_the_invalid_codes() -> None:
    assert 1014 not in Status.invalid_codes
