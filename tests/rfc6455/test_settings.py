"""What a connection is run with is checked where the caller gives it, and says what is accepted."""

from __future__ import annotations

from math import inf, nan

import pytest

from lomond.protocol.settings import Settings

TIMES = ["poll", "ping_rate", "ping_timeout", "open_timeout", "close_timeout", "send_timeout"]
LIMITS = ["max_message_size", "max_fragments"]


def make(name: str, value: object) -> Settings:
    """Make settings of which one differs from the defaults."""
    return Settings(**{name: value})  # type: ignore[arg-type]


def test_defaults_are_those_that_are_documented() -> None:
    settings = Settings()
    assert (settings.poll, settings.ping_rate, settings.ping_timeout) == (5.0, 30.0, None)
    assert settings.auto_pong is True
    assert (settings.open_timeout, settings.close_timeout, settings.send_timeout) == (30, 30, 30)
    assert (settings.max_message_size, settings.max_fragments) == (67_108_864, 131_072)


@pytest.mark.parametrize("name", TIMES)
@pytest.mark.parametrize("value", [1, 0.25, 3600.0])
def test_time_may_be_any_number_of_seconds(name: str, value: float) -> None:
    assert getattr(make(name, value), name) == value


@pytest.mark.parametrize("name", TIMES[1:])
@pytest.mark.parametrize("value", [None, 0, 0.0])
def test_time_may_be_off(name: str, value: float | None) -> None:
    assert getattr(make(name, value), name) == value


@pytest.mark.parametrize("name", TIMES)
@pytest.mark.parametrize("value", [-1, -0.001, inf, -inf, nan])
def test_time_that_makes_no_sense_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} must be a number of seconds, 0 or more"):
        make(name, value)


@pytest.mark.parametrize("name", TIMES)
@pytest.mark.parametrize("value", ["5", True, b"5", [5]])
def test_time_of_another_type_is_refused(name: str, value: object) -> None:
    with pytest.raises(TypeError, match=f"{name} must be a number of seconds, not "):
        make(name, value)


def test_poll_may_not_be_none() -> None:
    with pytest.raises(TypeError, match="poll must be a number of seconds, not None"):
        make("poll", None)


def test_poll_may_not_be_0() -> None:
    with pytest.raises(ValueError, match="poll must be more than 0 seconds, not 0"):
        make("poll", 0)


@pytest.mark.parametrize("name", LIMITS)
def test_limit_may_be_1(name: str) -> None:
    assert getattr(make(name, 1), name) == 1


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("value", [0, -1])
def test_limit_below_1_is_refused(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{name} must be 1 or more, not {value}"):
        make(name, value)


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("value", [1.5, True, None, "1"])
def test_limit_of_another_type_is_refused(name: str, value: object) -> None:
    with pytest.raises(TypeError, match=f"{name} must be a whole number, not "):
        make(name, value)


@pytest.mark.parametrize("seconds", [1e10, 10**400])
def test_time_of_more_than_decades_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match=r"poll must be 1e\+09 seconds or less"):
        Settings(poll=seconds)
