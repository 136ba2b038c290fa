"""The grammar of Sec-WebSocket-Extensions.

RFC 6455 §9.1:
    extension-list = 1#extension
    extension = extension-token *( ";" extension-param )
    extension-token = registered-token
    registered-token = token
    extension-param = token [ "=" (token | quoted-string) ]
    ;When using the quoted-string syntax variant, the value after quoted-string unescaping MUST
    ;conform to the 'token' ABNF.
"""

from __future__ import annotations

from contextlib import suppress
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lomond.errors import HandshakeError
from lomond.protocol.extensions import parse_extensions


@pytest.mark.parametrize(
    ("header", "extensions"),
    [
        # The examples of RFC 6455 §9.1.
        ("foo", [("foo", [])]),
        ("bar; baz=2", [("bar", [("baz", "2")])]),
        ("foo, bar; baz=2", [("foo", []), ("bar", [("baz", "2")])]),
        ("deflate-stream", [("deflate-stream", [])]),
        (
            "mux; max-channels=4; flow-control, deflate-stream",
            [("mux", [("max-channels", "4"), ("flow-control", None)]), ("deflate-stream", [])],
        ),
        ("private-extension", [("private-extension", [])]),
        # Quoted values, RFC 7692 §7.1.2.1 has one.
        (
            'permessage-deflate; server_max_window_bits="10"',
            [("permessage-deflate", [("server_max_window_bits", "10")])],
        ),
        (r'foo; a="\1\0"', [("foo", [("a", "10")])]),
        # White space wherever two words meet, or none.
        ("foo;a=1;b,bar", [("foo", [("a", "1"), ("b", None)]), ("bar", [])]),
        (" \tfoo ; a = 1 ;\tb , bar ", [("foo", [("a", "1"), ("b", None)]), ("bar", [])]),
        # RFC 9110 §5.6.1.2: empty elements of a list are ignored.
        (", foo,, bar ,", [("foo", []), ("bar", [])]),
        # Duplicates are not a matter of grammar.
        ("foo; a; a=1, foo", [("foo", [("a", None), ("a", "1")]), ("foo", [])]),
    ],
)
def test_a_header_of_the_grammar_is_parsed(
    header: str, extensions: list[tuple[str, list[tuple[str, str | None]]]]
) -> None:
    assert parse_extensions(header) == extensions


@pytest.mark.parametrize("header", ["", " ", ",", " , ,\t"])
def test_a_list_of_nothing_is_refused(header: str) -> None:
    with pytest.raises(
        HandshakeError, match=r"^Sec-WebSocket-Extensions header names no extension$"
    ):
        parse_extensions(header)


@pytest.mark.parametrize(
    ("header", "unread"),
    [
        ("foo bar", " bar"),
        ("foo;", ";"),
        ("foo; ;a", "; ;a"),
        ("foo; a=", "="),
        ("foo; =1", "; =1"),
        ("foo; a=1 2", " 2"),
        ("foo=1", "=1"),
        ("foo; a==1", "==1"),
        ('foo; a="', '="'),
        ('foo; a=""', '=""'),
        ('foo; a="1', '="1'),
        ('foo; a="1 2"', '="1 2"'),
        ('foo; a="1"2', "2"),
        ('foo; a="1\\"', '="1\\"'),
        ('"foo"', '"foo"'),
        ("foo\n", "�"),
        ("foo\x00", "�"),
        ("f\N{REPLACEMENT CHARACTER}o", "�o"),
        ("foo; a/b", "/b"),
        ("@", "@"),
    ],
)
def test_anything_else_is_refused_where_it_stops_to_make_sense(header: str, unread: str) -> None:
    with pytest.raises(HandshakeError) as refused:
        parse_extensions(header)
    assert str(refused.value) == f"bad Sec-WebSocket-Extensions header at {unread!r}"


def test_a_long_refused_header_is_shown_in_part() -> None:
    with pytest.raises(HandshakeError) as refused:
        parse_extensions("@" * 16_000)
    assert len(str(refused.value)) < 200


@given(st.text('ab;=," \t\\1@', max_size=40))
def test_any_text_is_parsed_or_refused(header: str) -> None:
    try:
        extensions = parse_extensions(header)
    except HandshakeError:
        return
    assert all(name.strip("ab1") == "" for name, _ in extensions)


def cpu_seconds(header: str) -> float:
    started = process_time()
    with suppress(HandshakeError):  # Many of the attacks are bad grammar: the time counts.
        parse_extensions(header)
    return process_time() - started


@pytest.mark.parametrize(
    "attack",
    [
        lambda size: "a;" * (size // 2),
        lambda size: "a; b" + "; b" * (size // 3),
        lambda size: "a," * (size // 2),
        lambda size: "," * size,
        lambda size: 'a; b="' + "x" * size,
        lambda size: 'a; b="' + "\\x" * (size // 2),
        lambda size: 'a; b="' + "\\" * size,
        lambda size: "a" + " " * size + "b",
        lambda size: "a; b" + " " * size + "=" + " " * size,
        lambda size: ("a; b" + " " * 50) * (size // 54),
        lambda size: "a; b" + (" " * 50 + "; b") * (size // 53),
        lambda size: "a" * size + "@",
        lambda size: "a; b=" + "c" * size + "@",
    ],
)
def test_hostile_headers_take_linear_time(attack: object) -> None:
    assert callable(attack)
    small = min(cpu_seconds(attack(2_000)) for _ in range(5))
    # 32 times the header: 32 times the work, where quadratic time would be 1,024 times.
    assert any(cpu_seconds(attack(64_000)) < 128 * small + 0.001 for _ in range(5))
