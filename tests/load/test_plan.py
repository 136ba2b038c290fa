"""Plans are checked before anything happens, and say what is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lomond_gevent.load import Plan, PlanError


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"clients": 0}, "clients must be a whole number of 1 or more, not 0"),
        ({"clients": True}, "clients must be a whole number"),
        ({"duration": 0}, "duration must be a number, more than 0"),
        ({"duration": float("nan")}, "duration must be"),
        ({"ramp": -1}, "ramp must be a number, 0 or more, not -1"),
        ({"rate": 0}, "rate must be a number, more than 0"),
        ({"rate": 5, "arrivals": 5}, "rate 5 and arrivals 5 exclude each other"),
        ({"rate": 5, "think": 1.0}, "think 1 has no meaning with rate"),
        ({"rate": 5, "scenario": "idle"}, "rate is for the scenarios echo and fanout"),
        ({"think": 2, "scenario": "idle"}, "think 2 has no meaning for 'idle': leave it out"),
        ({"think": 2, "scenario": "flood"}, "think 2 has no meaning for 'flood'"),
        ({"lifetime": 5}, "lifetime 5 is for arrivals"),
        ({"arrivals": 5, "scenario": "fanout"}, "fanout needs clients that stay"),
        ({"scenario": "fanout", "size": 10}, "size 10 is too small for fanout"),
        ({"scenario": "ecko"}, "no scenario 'ecko': take one of connect, idle, echo"),
        ({"stages": ((1, 2, 3),)}, "a stage is a pair"),
        ({"stages": ((1, 5),), "ramp": 3.0}, "ramp 3.0 and stages exclude each other"),
        ({"stages": ((0, 5),)}, "stages must last for some time"),
        ({"stages": ((5, 0),)}, "stages must lead to more than 0"),
        ({"processes": 3, "clients": 2}, "processes 3 are more than clients 2"),
        ({"url": "http://example.org/"}, "http"),
        ({"headers": (("Bad Name", "x"),)}, "header name must be a token"),
        ({"keyfile": "key.pem"}, "keyfile key.pem needs the certificate that it is for"),
        ({"poll": 0}, "poll must be a number, more than 0"),
    ],
)
def test_a_plan_that_makes_no_sense_says_why(options: dict[str, Any], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        Plan(**options)


@pytest.mark.parametrize(
    ("options", "model"),
    [({}, "closed"), ({"rate": 10}, "open"), ({"arrivals": 10}, "open"), ({"think": 1}, "closed")],
)
def test_the_model_follows_from_the_options(options: dict[str, Any], model: str) -> None:
    assert Plan(**options).model == model


def test_secrets_are_not_in_what_a_report_shows() -> None:
    plan = Plan(
        url="wss://me:hidden1@example.org/?token=hidden2&room=5",
        headers=(("Authorization", "hidden3"), ("X-Api-Key", "hidden4"), ("Origin", "shown")),
        proxy="http://me:hidden5@127.0.0.1:3128",
    )

    text = json.dumps(plan.to_dict())

    assert "hidden" not in text
    assert "shown" in text and "room=5" in text


@pytest.mark.parametrize("name", ["jwt", "pwd", "connect.sid", "X-Bearer", "ticket", "otp", "code"])
def test_other_names_of_secrets_are_known_too(name: str) -> None:
    plan = Plan(url=f"ws://127.0.0.1/?{name}=hidden", headers=((name, "hidden"),))

    assert "hidden" not in json.dumps(plan.to_dict())


def test_an_innocent_name_is_not_taken_for_a_secret() -> None:
    plan = Plan(url="ws://127.0.0.1/?inside=1&decoder=2")

    assert plan.to_dict()["url"] == plan.url


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (("mqtt", "graphql-transport-ws"), ["mqtt", "graphql-transport-ws"]),
        (("v4.channel", "bearer.hidden"), ["v4.channel", "***1"]),
        (("access_token", "hidden", "chat"), ["***", "***1", "chat"]),
        (("x" * 41,), ["***"]),
    ],
)
def test_a_token_among_the_subprotocols_is_hidden(given: tuple[str, ...], shown: list[str]) -> None:
    assert Plan(subprotocols=given).to_dict()["subprotocols"] == shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("ws://127.0.0.1/?user=a@b", "ws://127.0.0.1/?user=a@b"),
        ("ws://me:hidden@127.0.0.1/?user=a@b", "ws://***@127.0.0.1/?user=a@b"),
        (f"ws://127.0.0.1/{'x' * 300}?token=hidden", f"ws://127.0.0.1/{'x' * 300}?token=***"),
    ],
)
def test_a_url_is_shown_whole_but_for_its_secrets(url: str, shown: str) -> None:
    assert Plan(url=url).to_dict()["url"] == shown


@pytest.mark.parametrize(
    ("options", "most"),
    [
        ({"clients": 50}, 50),
        ({"stages": ((1, 80), (1, 20))}, 80),
        ({"rate": 100, "stages": ((1, 900),), "clients": 7}, 7),
        ({"arrivals": 10, "lifetime": 2, "duration": 60}, 21),
        ({"arrivals": 10, "duration": 6}, 61),
    ],
)
def test_the_most_clients_at_once_follow_from_the_plan(options: dict[str, Any], most: int) -> None:
    assert Plan(**options).most_clients == most
