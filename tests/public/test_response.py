"""RFC 9112 §4 and §5, read leniently: whatever a server answered can be looked at.

§4: "status-line = HTTP-version SP status-code SP [ reason-phrase ]". §5.2 on folded lines: "replace
each received obs-fold with one or more SP octets". RFC 9110 §5.3: repeated fields are joined "by
a comma". §5.6.1.2: "A recipient MUST parse and ignore a reasonable number of empty list elements".
"""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lomond.response import Response, escape_unprintable

TEAPOT = b"HTTP/1.1 418 I'm a teapot\r\nServer: Kettle\r\nAllow: brew, when\r\n\r\n"


def with_field(field: bytes) -> Response:
    return Response(b"HTTP/1.1 101 Switching Protocols\r\n" + field + b"\r\n\r\n")


def test_the_status_line_has_three_parts() -> None:
    response = Response(TEAPOT)
    assert response.http_ver == "HTTP/1.1"
    assert response.status_code == 418
    assert response.status == "I'm a teapot"


def test_the_raw_head_is_kept() -> None:
    assert Response(TEAPOT).raw == TEAPOT


def test_the_body_is_empty_until_somebody_sets_it() -> None:
    response = Response(TEAPOT)
    assert response.body == b""
    response.body = b"short and stout"
    assert response.body == b"short and stout"


@pytest.mark.parametrize("convert", [bytes, bytearray, memoryview])
def test_any_kind_of_bytes_is_accepted(convert: Any) -> None:
    response = Response(convert(TEAPOT))
    assert type(response.raw) is bytes
    assert response.headers == {"server": "Kettle", "allow": "brew, when"}


@pytest.mark.parametrize("wrong", ["HTTP/1.1 101 OK", 5, None])
def test_what_is_not_bytes_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="bytes-like"):
        Response(wrong)


@pytest.mark.parametrize("head", [b"", b"\r\n", b"\r\n\r\n", b"  \r\n"])
def test_an_empty_head_has_no_parts(head: bytes) -> None:
    response = Response(head)
    assert (response.http_ver, response.status_code, response.status) == ("", None, "")
    assert response.headers == {}
    assert repr(response) == "<response None>"


@pytest.mark.parametrize("code", [b"abc", b"1", b"1011", b"-10", b"+10", b"1_1", b"9" * 5000])
def test_a_status_code_that_is_not_three_digits_is_none(code: bytes) -> None:
    response = Response(b"HTTP/1.1 " + code + b" OK\r\n\r\n")
    assert response.status_code is None
    assert response.status == "OK"


def test_a_status_line_may_lack_the_reason() -> None:
    response = Response(b"HTTP/1.1 101\r\n\r\n")
    assert (response.status_code, response.status) == (101, "")


def test_the_repr_is_the_status_line() -> None:
    assert repr(Response(b"HTTP/1.1 418 OK\r\n\r\n")) == "<response HTTP/1.1 418 OK>"


def test_the_repr_shows_no_header() -> None:
    assert "secret" not in repr(with_field(b"Set-Cookie: secret"))


def test_the_repr_escapes_what_would_steer_a_terminal() -> None:
    response = Response(b"HTTP/1.1 200 \x1b[2J\nReady\r\n\r\n")
    assert repr(response) == r"<response HTTP/1.1 200 \x1b[2J\nReady>"


def test_printable_text_is_shown_as_it_is() -> None:
    assert escape_unprintable('it\'s "Łódź" \\ 水') == 'it\'s "Łódź" \\ 水'


def test_header_names_are_kept_in_lower_case() -> None:
    assert with_field(b"X-CoLoUr: Red").headers == {"x-colour": "Red"}


def test_values_are_stripped_of_spaces_and_tabs() -> None:
    assert with_field(b"colour: \t dark  red \t").get("colour") == "dark  red"


def test_repeated_headers_are_joined_with_a_comma() -> None:
    assert with_field(b"colour: red\r\nx: y\r\nColour: green").get("colour") == "red,green"


def test_a_folded_line_is_joined_with_one_space() -> None:
    assert with_field(b"extended: foo\r\n  bar\r\n\t baz").get("extended") == "foo bar baz"


def test_an_empty_folded_line_adds_nothing() -> None:
    assert with_field(b"extended:\r\n foo\r\n \r\n bar").get("extended") == "foo bar"


def test_a_folded_line_belongs_to_its_own_repetition() -> None:
    assert with_field(b"a: 1\r\n  2\r\na: 3\r\n  4").get("a") == "1 2,3 4"


def test_a_folded_line_without_a_header_is_skipped() -> None:
    assert with_field(b"  lost\r\na: 1").headers == {"a": "1"}


def test_a_line_without_a_colon_is_skipped_with_its_folded_lines() -> None:
    assert with_field(b"a: 1\r\nnonsense\r\n folded\r\nb: 2").headers == {"a": "1", "b": "2"}


def test_a_value_may_contain_colons() -> None:
    assert with_field(b"location: ws://example.org:80/").get("location") == "ws://example.org:80/"


def test_the_headers_end_at_the_first_empty_line() -> None:
    assert Response(b"HTTP/1.1 200 OK\r\na: 1\r\n\r\nb: 2\r\n").headers == {"a": "1"}


def test_bytes_that_are_not_ascii_become_replacement_characters() -> None:
    assert (
        with_field(b"city: \xc5\x81\xc3\xb3d\xc5").get("city") == "\ufffd\ufffd\ufffd\ufffdd\ufffd"
    )


@pytest.mark.parametrize("name", ["Server", "server", "SERVER"])
def test_a_text_name_gives_text(name: str) -> None:
    assert Response(TEAPOT).get(name) == "Kettle"


@pytest.mark.parametrize("name", [b"Server", b"server", b"SERVER"])
def test_a_bytes_name_gives_bytes(name: bytes) -> None:
    assert Response(TEAPOT).get(name) == b"Kettle"


def test_a_bytes_name_gives_the_bytes_as_received() -> None:
    assert with_field(b"city: \xc5\x81\xc3\xb3d\r\n  2").get(b"City") == b"\xc5\x81\xc3\xb3d 2"


@pytest.mark.parametrize("name", ["missing", b"missing"])
def test_a_missing_header_is_none_or_the_default(name: Any) -> None:
    assert Response(TEAPOT).get(name) is None
    assert Response(TEAPOT).get(name, 5) == 5


@pytest.mark.parametrize("name", [None, 5])
def test_a_name_of_another_type_is_refused(name: Any) -> None:
    with pytest.raises(TypeError, match="header name must be str or bytes"):
        Response(TEAPOT).get(name)


@pytest.mark.parametrize("name", ["Allow", b"Allow"])
def test_a_list_is_text_whatever_the_name(name: Any) -> None:
    assert Response(TEAPOT).get_list(name) == ["brew", "when"]


@pytest.mark.parametrize("value", [b"", b"  ", b",", b" , ,\t"])
def test_a_blank_list_is_empty(value: bytes) -> None:
    assert with_field(b"list:" + value).get_list("list") == []


def test_a_missing_list_is_empty() -> None:
    assert Response(TEAPOT).get_list("missing") == []


def test_empty_elements_of_a_list_are_ignored() -> None:
    assert with_field(b"list: a, ,b,\r\nlist: ,c d").get_list("list") == ["a", "b", "c d"]


def test_a_header_repeated_very_often_is_joined_without_delay() -> None:
    response = with_field(b"\r\n".join([b"a:1\r\n 2"] * 50_000))
    assert len(response.headers["a"]) == 199_999


@pytest.mark.parametrize("duplicate", [copy.copy, lambda it: pickle.loads(pickle.dumps(it))])
def test_a_response_survives_copy_and_pickle(duplicate: Any) -> None:
    original = Response(TEAPOT)
    original.body = b"tea"
    other = duplicate(original)
    assert (other.raw, other.body, other.headers) == (TEAPOT, b"tea", original.headers)
    assert repr(other) == repr(original)


def test_a_response_has_no_dict_of_its_own() -> None:
    assert not hasattr(Response(b""), "__dict__")


@given(
    st.binary()
    | st.lists(st.sampled_from([b"\r\n", b" ", b":", b"a", b",", b"\xff"])).map(b"".join)
)
def test_no_bytes_make_it_raise(data: bytes) -> None:
    response = Response(data)
    assert repr(response).isprintable()
    assert all(name == name.lower() for name in response.headers)
