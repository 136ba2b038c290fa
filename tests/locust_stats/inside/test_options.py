"""The options say how WebSockets connect, and refuse what cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from locust.argument_parser import get_empty_argument_parser
from locust.env import Environment

from lomond_gevent.locust.options import (
    ConnectOptions,
    add_options,
    read_settings,
    settings_of,
)


def parse(*arguments: str, **environment: str) -> Any:
    parser = get_empty_argument_parser()
    parser._default_config_files = []
    add_options(parser)
    return parser.parse_args([*arguments], env_vars=environment)


def read(*arguments: str, **environment: str) -> ConnectOptions:
    return settings_of(Environment(parsed_options=parse(*arguments, **environment)))


def test_without_options_all_is_as_by_default() -> None:
    assert read() == ConnectOptions()


def test_an_environment_without_a_command_line_has_the_defaults() -> None:
    assert settings_of(Environment()) == ConnectOptions()


def test_headers_add_up_in_order() -> None:
    options = read("--ws-header", "X-One: 1", "--ws-header", "X-Two: a, b: c")

    assert options.headers == (("X-One", "1"), ("X-Two", "a, b: c"))


def test_several_headers_in_the_environment_are_a_json_list() -> None:
    options = read(LOCUST_WS_HEADER='["X-One: 1, 2", "X-Two: 2"]')

    assert options.headers == (("X-One", "1, 2"), ("X-Two", "2"))


def test_one_header_in_the_environment_is_written_as_it_is() -> None:
    assert read(LOCUST_WS_HEADER="Cookie: a=1; b=2, 3").headers == (("Cookie", "a=1; b=2, 3"),)


def test_headers_do_not_show_where_options_are_logged() -> None:
    assert "secret" not in repr(read("--ws-header", "Authorization: secret"))


def test_subprotocols_are_repeated_or_written_with_commas() -> None:
    options = read("--ws-subprotocol", "chat.v2", "--ws-subprotocol", "chat.v1, chat.v0")

    assert options.subprotocols == ("chat.v2", "chat.v1", "chat.v0")


def test_flags_and_durations() -> None:
    options = read("--ws-insecure", "--ws-compress", "--ws-ping", "1m30s")

    assert (options.insecure, options.compress, options.ping) == (True, True, 90.0)


def test_each_option_has_a_variable_in_the_environment(tmp_path: Path) -> None:
    options = read(
        LOCUST_WS_SUBPROTOCOL="chat",
        LOCUST_WS_COMPRESS="true",
        LOCUST_WS_INSECURE="true",
        LOCUST_WS_PING="0",
    )

    assert options == ConnectOptions(subprotocols=("chat",), compress=True, insecure=True, ping=0.0)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--ws-header", "Authorization"], 'written "Name: value"'),
        (["--ws-header", "X One: 1"], "header name must be a token"),
        (["--ws-header", "Upgrade: h2c"], "Upgrade cannot be set"),
        (["--ws-header", "[1, 2]"], "a list in JSON"),
        (["--ws-subprotocol", "a b"], "sub-protocol must be a token"),
        (["--ws-subprotocol", "a,a"], "offered once"),
        (["--ws-ca", "/does/not/exist.pem"], "No such file"),
        (["--ws-ca", __file__], "holds no certificates"),
        (["--ws-ping", "often"], "no duration"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse(*arguments)

    error = capsys.readouterr().err
    assert f"argument {arguments[0]}: " in error
    assert told in error


def test_a_refused_header_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse("--ws-header", "secret")

    assert "secret" not in capsys.readouterr().err


def test_any_certificate_and_certain_authorities_contradict_each_other() -> None:
    with pytest.raises(ValueError, match="take one"):
        read_settings({"ws_insecure": True, "ws_ca": "ca.pem"})


def test_the_texts_of_the_web_form_mean_the_same() -> None:
    form = {
        "ws_header": '["X-One: 1", "X-Two: 2"]',
        "ws_subprotocol": "b, a",
        "ws_insecure": "false",
        "ws_ca": "",
        "ws_compress": "true",
        "ws_ping": "15",
    }

    assert read_settings(form) == ConnectOptions(
        headers=(("X-One", "1"), ("X-Two", "2")), subprotocols=("b", "a"), compress=True, ping=15.0
    )


def test_headers_are_masked_in_the_web_form() -> None:
    parser = get_empty_argument_parser()
    add_options(parser)

    assert set(parser.secret_args_included_in_web_ui) == {"ws_header"}
    assert {"ws_ca", "ws_ping", "ws_compress"} <= set(parser.args_included_in_web_ui)
