"""Whose reply a message is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lomond.events import Binary, Text
from lomond_gevent.locust.correlation import Correlation, make_rule


def rule_of(match: Any, sent: Any) -> Any:
    return make_rule(match, lambda: sent)


def text_of(value: Any) -> Text:
    return Text(json.dumps(value))


def test_replies_by_value_are_found_in_any_order() -> None:
    asked: Correlation[str] = Correlation(10)
    asked.add("first", rule_of("id", {"id": 1}))
    asked.add("second", rule_of("id", {"id": 2}))

    found = [asked.find(text_of({"id": 2})), asked.find(text_of({"id": 1}))]

    assert found == ["second", "first"]


def test_a_path_leads_through_objects_and_lists() -> None:
    asked: Correlation[str] = Correlation(10)
    asked.add("it", rule_of("head.ids.1", {"head": {"ids": [7, 8]}}))

    assert asked.find(text_of({"head": {"ids": [8, 7]}})) is None
    assert asked.find(text_of({"head": {"ids": [0, 8]}})) == "it"


def test_the_reply_may_have_the_value_under_another_name() -> None:
    asked: Correlation[str] = Correlation(10)
    asked.add("it", rule_of(("id", "re"), {"id": 1}))

    assert asked.find(text_of({"id": 1})) is None
    assert asked.find(text_of({"re": 1})) == "it"


def test_binary_messages_may_be_json_as_well() -> None:
    asked: Correlation[str] = Correlation(10)
    asked.add("it", rule_of("id", {"id": 1}))

    assert asked.find(Binary(b'{"id": 1}')) == "it"


@pytest.mark.parametrize("message", ["no JSON", "[1]", '{"id": [1]}', '{"id": null}', "1"])
def test_what_has_no_such_value_is_nobodys(message: str) -> None:
    asked: Correlation[str] = Correlation(10)
    asked.add("it", rule_of("id", {"id": 1}))

    assert asked.find(Text(message)) is None


def test_without_a_rule_replies_come_in_the_order_of_the_requests() -> None:
    asked: Correlation[str] = Correlation(10)
    asked.add("first", None)
    asked.add("second", None)

    assert [asked.find(Text("a")), asked.find(Text("b")), asked.find(Text("c"))] == [
        "first",
        "second",
        None,
    ]


def test_a_function_tells_its_reply() -> None:
    asked: Correlation[str] = Correlation(10)
    asked.add("it", lambda message: message.text == "b")

    assert [asked.find(Text("a")), asked.find(Text("b")), asked.find(Text("b"))] == [
        None,
        "it",
        None,
    ]


def test_beyond_the_limit_the_oldest_is_forgotten() -> None:
    asked: Correlation[int] = Correlation(3)
    for number in range(1000):
        asked.add(number, rule_of("id", {"id": number}))

    assert len(asked.rules) == 3
    assert asked.find(text_of({"id": 996})) is None
    assert asked.find(text_of({"id": 997})) == 997


def test_a_value_that_is_asked_for_again_is_the_newest_ones() -> None:
    asked: Correlation[str] = Correlation(10)
    asked.add("first", rule_of("id", {"id": 1}))
    forgotten = asked.add("second", rule_of("id", {"id": 1}))

    assert forgotten == ("first",)
    assert [asked.find(text_of({"id": 1})), asked.find(text_of({"id": 1}))] == ["second", None]


@pytest.mark.parametrize("sent", [{}, {"id": {}}, {"id": []}, 5])
def test_a_request_without_the_value_is_refused(sent: Any) -> None:
    with pytest.raises(ValueError, match="the request has no text or number at 'id'"):
        rule_of("id", sent)


@pytest.mark.parametrize("match", [None, "id", lambda message: True])
def test_what_is_removed_is_found_no_more(match: Any) -> None:
    asked: Correlation[str] = Correlation(10)
    asked.add("it", rule_of(match, {"id": 1}))

    asked.remove("it")
    asked.remove("it")

    assert asked.find(text_of({"id": 1})) is None
    assert not asked.rules
