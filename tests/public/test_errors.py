"""The tree of exceptions: names and parents as documented, texts that survive braces and pickle."""

from __future__ import annotations

import copy
import pickle

import pytest

from lomond import errors

ALL = [value for value in vars(errors).values() if isinstance(value, type)]


@pytest.mark.parametrize(
    ("child", "parent"),
    [
        (errors.WebSocketError, Exception),
        (errors.HandshakeError, errors.WebSocketError),
        (errors.CompressionParameterError, errors.HandshakeError),
        (errors.ProtocolError, errors.WebSocketError),
        (errors.PayloadTooLarge, errors.ProtocolError),
        (errors.CriticalProtocolError, errors.WebSocketError),
        (errors.ConnectFail, errors.WebSocketError),
        (errors.TransportFail, errors.WebSocketError),
        (errors.FrameBuildError, errors.WebSocketError),
        (errors.WebSocketUnavailable, errors.WebSocketError),
        (errors.WebSocketClosing, errors.WebSocketUnavailable),
        (errors.WebSocketClosed, errors.WebSocketUnavailable),
    ],
)
def test_an_error_has_its_documented_parent(child: type, parent: type) -> None:
    assert child.__bases__ == (parent,)


@pytest.mark.parametrize(
    ("error", "close_code"),
    [
        (errors.WebSocketError, None),
        (errors.HandshakeError, None),
        (errors.ProtocolError, 1002),
        (errors.PayloadTooLarge, 1009),
        (errors.CriticalProtocolError, 1007),
        (errors.TransportFail, None),
    ],
)
def test_an_error_knows_the_close_code_that_answers_it(
    error: type[errors.WebSocketError], close_code: int | None
) -> None:
    assert error.close_code == close_code
    assert error("text").close_code == close_code


@pytest.mark.parametrize("error", ALL)
def test_the_text_is_the_message(error: type[errors.WebSocketError]) -> None:
    assert str(error("bad opcode")) == "bad opcode"


@pytest.mark.parametrize("error", ALL)
def test_the_message_is_formatted_with_arguments(error: type[errors.WebSocketError]) -> None:
    assert str(error("bad {} in {where}", "opcode", where="frame")) == "bad opcode in frame"


@pytest.mark.parametrize("text", ["a {x} b", "{}", "{0}", "{", "}", "{0.__class__}"])
def test_braces_in_finished_text_stay(text: str) -> None:
    assert str(errors.ProtocolError(text)) == text


def test_braces_in_an_argument_stay() -> None:
    assert str(errors.ProtocolError("server said {}", "{0} {x} {")) == "server said {0} {x} {"


@pytest.mark.parametrize("error", ALL)
def test_an_error_survives_pickle_and_copy(error: type[errors.WebSocketError]) -> None:
    original = error("a {x} of {}", "b", x="{y}")
    for other in (pickle.loads(pickle.dumps(original)), copy.copy(original)):
        assert type(other) is error
        assert str(other) == "a {y} of b"


def test_a_connect_fail_is_by_default_an_unreachable_server() -> None:
    error = errors.ConnectFail("no route")
    assert (error.phase, error.kind, error.error, error.retryable) == (
        "tcp",
        "unreachable",
        None,
        True,
    )


def test_a_connect_fail_keeps_its_fields_in_a_pickle() -> None:
    cause = OSError(111, "refused")
    original = errors.ConnectFail("no", phase="proxy", kind="proxy", error=cause, retryable=False)
    error = pickle.loads(pickle.dumps(original))
    assert (error.phase, error.kind, error.retryable) == ("proxy", "proxy", False)
    assert error.error.args == (111, "refused")


def test_connect_fail_formats_with_everything_that_is_not_a_field() -> None:
    error = errors.ConnectFail("no {what} at {}", "host", what="proxy", phase="proxy")
    assert str(error) == "no proxy at host"
    assert error.phase == "proxy"
