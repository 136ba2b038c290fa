"""How long `persist` waits: `BackOffPolicy` and `parse_retry_after`, which know no clock.

"delay = min_wait + random[0,1) × min(max_wait - min_wait, 2^failures)": 5 to 7 s after the first
failure, then 5 to 9, 5 to 13, 5 to 21, 5 to 30; 5 to 6 after a connection that stayed ready for
min_wait. What a server asks for by Retry-After (RFC 9110 §10.2.3) is kept to [min_wait, 300 s].
"""

from __future__ import annotations

import math
from email.utils import formatdate
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lomond.persist import BackOffPolicy, parse_retry_after
from tests.helpers.examples import examples

NOW = 1_700_000_000.0
ALMOST_1 = math.nextafter(1.0, 0.0)

seconds = st.floats(0, 1e6)
chances = st.floats(0, 1, exclude_max=True)


def ranges(policy: BackOffPolicy, attempts: int) -> list[tuple[float, float]]:
    """Return the shortest and longest delay after each of some failures."""
    twin = BackOffPolicy(policy._min_wait, policy._max_wait)
    return [(policy.next_delay(0.0), round(twin.next_delay(ALMOST_1), 6)) for _ in range(attempts)]


# ---- failures -----------------------------------------------------------------------------------


def test_the_share_that_is_left_to_chance_doubles_up_to_max_wait() -> None:
    assert ranges(BackOffPolicy(5, 30), 7) == [
        (5, 7),
        (5, 9),
        (5, 13),
        (5, 21),
        (5, 30),
        (5, 30),
        (5, 30),
    ]


def test_all_of_the_share_is_left_to_chance() -> None:
    delays = [BackOffPolicy(5, 30).next_delay(chance) for chance in (0.0, 0.25, 0.5, 0.75)]

    assert delays == [5.0, 5.5, 6.0, 6.5]


def test_a_thousand_failures_wait_no_longer_than_max_wait() -> None:
    policy = BackOffPolicy(0, 3600)

    delays = [policy.next_delay(ALMOST_1) for _ in range(2000)]

    assert max(delays) <= 3600
    assert delays == sorted(delays)


def test_equal_waits_leave_nothing_to_chance() -> None:
    policy = BackOffPolicy(5, 5)

    assert [policy.next_delay(chance) for chance in (0.0, 0.5, 0.9)] == [5, 5, 5]


@examples(50)
@given(st.tuples(seconds, seconds).map(sorted), st.lists(chances, min_size=1, max_size=20))
def test_every_delay_is_within_the_two(waits: list[float], luck: list[float]) -> None:
    policy = BackOffPolicy(*waits)

    for chance in luck:
        assert waits[0] <= policy.next_delay(chance) <= waits[1]


# ---- a connection that was ready ----------------------------------------------------------------


def test_a_connection_that_stayed_ready_begins_the_count_anew() -> None:
    policy = BackOffPolicy(5, 30)
    for _ in range(4):
        policy.next_delay(0.0)

    assert policy.next_delay(ALMOST_1, was_ready_for=5.0) == pytest.approx(6)
    assert policy.next_delay(ALMOST_1) == pytest.approx(7)


def test_a_connection_that_was_lost_at_once_is_one_more_failure() -> None:
    policy = BackOffPolicy(5, 30)

    longest = [policy.next_delay(ALMOST_1, was_ready_for=4.9) for _ in range(4)]

    assert longest == pytest.approx([7, 9, 13, 21])


@pytest.mark.parametrize(("was_ready_for", "longest"), [(0.0, 2), (0.001, 1)])
def test_without_a_min_wait_any_time_ready_will_do(was_ready_for: float, longest: float) -> None:
    delay = BackOffPolicy(0, 30).next_delay(ALMOST_1, was_ready_for=was_ready_for)

    assert delay == pytest.approx(longest)


# ---- what the server says -----------------------------------------------------------------------


def test_what_is_not_worth_repeating_waits_for_max_wait() -> None:
    policy = BackOffPolicy(5, 30)

    assert [policy.next_delay(chance, retryable=False) for chance in (0.0, 0.5)] == [30, 30]


@pytest.mark.parametrize(
    ("asked_for", "delay"),
    [
        (0.0, 5),
        (4.9, 5),
        (5.0, 5),
        (60.0, 60),
        (300.0, 300),
        (301.0, 300),
        (1e20, 300),
        (999_999_999.0, 300),
    ],
)
def test_what_the_server_asks_for_is_kept_within_bounds(asked_for: float, delay: float) -> None:
    assert BackOffPolicy(5, 30).next_delay(0.0, retry_after=asked_for) == delay


def test_what_the_server_asks_for_goes_before_max_wait() -> None:
    assert BackOffPolicy(5, 30).next_delay(0.0, retry_after=60.0, retryable=False) == 60


def test_what_is_not_worth_repeating_waits_for_max_wait_whatever_the_server_asks_for() -> None:
    assert BackOffPolicy(5, 30).next_delay(0.0, retry_after=0.0, retryable=False) == 30


def test_min_wait_goes_before_the_longest_that_a_server_can_ask_for() -> None:
    assert BackOffPolicy(400, 500).next_delay(0.0, retry_after=60.0) == 400


@pytest.mark.parametrize(("asked_for", "latest"), [(60.0, 65.0), (298.0, 300.0), (300.0, 300.0)])
def test_those_who_were_told_the_same_do_not_come_back_together(
    asked_for: float, latest: float
) -> None:
    delays = [BackOffPolicy(5, 30).next_delay(c, retry_after=asked_for) for c in (0.0, 0.5, 1.0)]
    assert delays == [asked_for, (asked_for + latest) / 2, latest]


def test_a_refusal_with_retry_after_is_a_failure_all_the_same() -> None:
    policy = BackOffPolicy(5, 30)
    policy.next_delay(0.0, retry_after=60.0)

    assert policy.next_delay(ALMOST_1) == pytest.approx(9)


# ---- arguments ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("min_wait", "max_wait"),
    [(-1, 5), (6, 5), (math.nan, 5), (5, math.nan), (5, math.inf), (math.inf, math.inf)],
)
def test_waits_that_make_no_sense_are_a_value_error(min_wait: float, max_wait: float) -> None:
    with pytest.raises(ValueError, match="0 <= min_wait <= max_wait, not "):
        BackOffPolicy(min_wait, max_wait)


@pytest.mark.parametrize("value", ["5", None, True, b"5"])
def test_a_wait_that_is_no_number_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError, match="min_wait must be a number of seconds, not "):
        BackOffPolicy(value, 30)
    with pytest.raises(TypeError, match="max_wait must be a number of seconds, not "):
        BackOffPolicy(5, value)


# ---- Retry-After --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("0", 0.0),
        ("120", 120.0),
        ("1.5", 1.5),
        (" 7 ", 7.0),
        ("-1", 0.0),
        ("-1e400", None),
        ("100000000000000000000", 1e20),
        (formatdate(NOW + 90, usegmt=True), 90.0),
        (formatdate(NOW - 90, usegmt=True), 0.0),
        (formatdate(NOW, usegmt=True), 0.0),
        ("Wednesday, 15-Nov-23 22:13:20 GMT", 86400.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 253402300799.0 - NOW),
    ],
)
def test_seconds_and_dates_are_understood(value: str, wanted: float | None) -> None:
    assert parse_retry_after(value, NOW) == wanted


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "nan",
        "-nan",
        "inf",
        "-inf",
        "Infinity",
        "1e400",
        "0x10",
        "soon",
        "5 seconds",
        "5,10",
        "120,120",
        "1" * 5000,
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Wed, 32 Oct 2015 07:28:00 GMT",
        "Wed, 21 Oct 2015 25:28:00 GMT",
        "Wed, 21 Oct 2015 07:28:00 +9999",
        "\ufffd\ufffd",
    ],
)
def test_what_is_neither_seconds_nor_a_date_is_nothing(value: str) -> None:
    assert parse_retry_after(value, NOW) is None


_scraps = st.sampled_from(
    [
        "Wed, ",
        "21",
        " Oct ",
        "2015",
        "07:28:00",
        " GMT",
        "EST",
        "-0000",
        "+9999",
        "9" * 10,
        *":,-+(). ",
    ]
)


@examples(50)
@given(
    st.lists(_scraps, max_size=12).map("".join) | st.text(max_size=20),
    chances,
)
@example("Mon, 01 Jan 0001 00:00:00 -0000", 0.0)
def test_whatever_a_server_says_the_delay_is_within_bounds(value: str, chance: float) -> None:
    retry_after = parse_retry_after(value, NOW)

    delay = BackOffPolicy(5, 30).next_delay(chance, retry_after=retry_after)

    assert 5 <= delay <= 300
