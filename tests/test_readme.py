"""What the README says in tables agrees with the code. Its blocks run in `test_documentation`."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import get_args

import pytest

from lomond import WebSocket, events
from lomond.errors import Kind, Phase
from lomond.events import Event
from lomond.persist import persist
from lomond.protocol.answer import _FINAL_STATUS_CODES
from lomond.session import WebsocketSession

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

EVENTS = [
    value
    for name, value in vars(events).items()
    if isinstance(value, type) and issubclass(value, Event) and value is not Event
    if not name.startswith("_")
]


def cells_of(first: str) -> list[str]:
    """Return the cells of the one row of a table that begins with `first`."""
    rows = [line for line in README.splitlines() if line.startswith(f"| `{first}` |")]
    assert len(rows) == 1, f"{len(rows)} rows begin with {first}"
    return [cell.strip() for cell in rows[0].strip("|").split(" | ")]


def attributes_of(event_type: type[Event]) -> set[str]:
    """Return the public attributes of an event, but for those that all events have."""
    names = {name for name in dir(event_type) if not name.startswith("_")}
    return names - {"name", "received_time"}


@pytest.mark.parametrize("event_type", EVENTS)
def test_the_table_of_events_has_each_with_all_attributes(event_type: type[Event]) -> None:
    _, name, _, attributes, *_ = [*cells_of(event_type.__name__), ""]

    assert name == f"`{event_type.name}`"
    outside = re.sub(r"\([^()]*(\(\)[^()]*)*\)", "", attributes)
    assert set(re.findall(r"\w+", outside)) == attributes_of(event_type)


@pytest.mark.parametrize("event_type", EVENTS)
def test_bold_attributes_may_be_written_in_order(event_type: type[Event]) -> None:
    attributes = [*cells_of(event_type.__name__), ""][3]

    assert tuple(re.findall(r"\*\*(\w+)\*\*", attributes)) == event_type.__match_args__


@pytest.mark.parametrize(
    ("row", "words"), [("phase", get_args(Phase)), ("kind", get_args(Kind))], ids=["phase", "kind"]
)
def test_the_words_for_an_end_are_all_there(row: str, words: tuple[str, ...]) -> None:
    line = next(line for line in README.splitlines() if line.startswith(f"| {row} |"))

    assert tuple(re.findall(r"`(\w+)`", line)) == words


@pytest.mark.parametrize(
    "option",
    ["poll", "ping_rate", "open_timeout", "close_timeout", "send_timeout"],
)
def test_times_have_the_documented_defaults(option: str) -> None:
    connect = inspect.signature(WebSocket.connect).parameters[option].default
    run = inspect.signature(WebsocketSession.run).parameters[option].default

    documented = float(cells_of(option)[1])
    # What connect() does not pass on unless it is given has its default in run().
    assert documented == (connect if isinstance(connect, float) else run)


def test_limits_have_the_documented_defaults() -> None:
    parameters = inspect.signature(WebSocket).parameters

    assert cells_of("max_message_size")[1].startswith("64 MiB")
    assert parameters["max_message_size"].default == 64 * 1024 * 1024
    assert cells_of("max_fragments")[1].startswith(f"{parameters['max_fragments'].default:,} ")


def test_persist_has_the_documented_defaults() -> None:
    parameters = inspect.signature(persist).parameters

    assert (parameters["min_wait"].default, parameters["max_wait"].default) == (5, 30)
    assert "| `min_wait`, `max_wait` | 5, 30 s |" in README
    codes = ", ".join(map(str, sorted(_FINAL_STATUS_CODES)))
    assert f"({codes}) waits for `max_wait`" in README


def test_every_option_of_a_websocket_is_mentioned() -> None:
    options = {*inspect.signature(WebSocket).parameters, *inspect.signature(persist).parameters}

    ours = {name for name in options if name not in ("url", "websocket", "connect_options")}
    assert [name for name in sorted(ours) if f"`{name}" not in README] == []


def test_every_file_that_is_named_exists() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    paths = re.findall(r"`((?:lomond|lomond_gevent|tests|examples)/[\w/.]+)`", README)

    assert len(paths) > 20
    assert [path for path in {*links, *paths} if not (ROOT / path).exists()] == []
