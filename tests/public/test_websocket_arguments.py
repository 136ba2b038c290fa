"""Wrong arguments raise TypeError or ValueError in the caller's line, before anything is queued.

The error says what is wrong and what is accepted. A close reason too long for its frame is no
error: it is cut at a character, to 123 bytes (RFC 6455 §5.5: 125 with the code).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lomond.websocket import WebSocket
from tests.helpers.fake_transport import accept, frames_behind_request, start

URL = "ws://example.org/"
SECRET = "sekret7canary"


class Connection:
    """A WebSocket at `Ready`, and what it has sent."""

    def __init__(self) -> None:
        self.websocket = WebSocket(URL)
        self.run, self.channel, _ = start(self.websocket, accept, b"", ping_rate=0)

    def sent(self) -> list[tuple[int, bytes]]:
        return frames_behind_request(self.channel)


@pytest.fixture
def ready() -> Iterator[Connection]:
    connection = Connection()
    yield connection
    connection.run.close()


# ---- the URL ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("http://example.org/", "begins with 'ws://'"),
        ("https://example.org/", "begins with 'wss://'"),
        ("ftp://example.org/", "begins with 'ws://' or 'wss://'"),
        ("example.org", "begins with 'ws://' or 'wss://'"),
        ("", "begins with 'ws://' or 'wss://'"),
        ("ws:example.org", "begins with 'ws://' or 'wss://'"),
        ("ws://", "the host is missing"),
        ("ws:///path", "the host is missing"),
        ("ws://:80/", "the host is missing"),
        ("ws://user@/", "the host is missing"),
        ("ws://example.org:0/", "a number from 1 to 65535"),
        ("ws://example.org:65536/", "a number from 1 to 65535"),
        ("ws://example.org:-1/", "a number from 1 to 65535"),
        ("ws://example.org:http/", "a number from 1 to 65535"),
        ("ws://example.org:8 0/", "spaces"),
        ("ws://good.example\\@evil.example/", "backslash"),
        ("ws://example.org/\\", "backslash"),
        ("ws://example.org/a b", "spaces"),
        (" ws://example.org/", "spaces"),
        ("ws://example.org/\r\nEvil: 1", "control characters"),
        ("ws://example.org/\n", "control characters"),
        ("ws://example.org/\0", "control characters"),
        ("ws://example.org/\x7f", "control characters"),
        ("ws://example.org/#part", "fragment is not allowed"),
    ],
)
def test_a_url_that_is_none_of_a_websocket_is_a_value_error(url: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        WebSocket(url)


@pytest.mark.parametrize("url", [b"ws://example.org/", None, 80, ["ws://example.org/"]])
def test_a_url_that_is_not_text_is_a_type_error(url: Any) -> None:
    with pytest.raises(TypeError, match="must be str, not"):
        WebSocket(url)


def test_an_error_about_a_url_does_not_show_its_password() -> None:
    with pytest.raises(ValueError) as raised:
        WebSocket(f"ws://user:{SECRET}@example.org:0/")

    assert SECRET not in str(raised.value)


# ---- headers, agent, protocols ------------------------------------------------------------------

SEPARATORS = ["\r\nEvil: 1", "\n", "\r", "\0"]
BAD_HEADERS: list[tuple[Any, Any, type[Exception], str]] = [
    *(("X-A", f"b{text}", ValueError, "value of header X-A contains") for text in SEPARATORS),
    *((f"X-A{text}", "b", ValueError, "header name must be a token") for text in SEPARATORS),
    (b"X-A", b"b\r\n", ValueError, "control characters and lone surrogates are not allowed"),
    ("X A", "b", ValueError, "header name must be a token"),
    ("X:A", "b", ValueError, "header name must be a token"),
    ("", "b", ValueError, "header name must not be empty"),
    ("X-A", None, TypeError, "value of header X-A must be str or bytes, not NoneType"),
    ("X-A", 5, TypeError, "value of header X-A must be str or bytes, not int"),
    (5, "b", TypeError, "header name must be str or bytes, not int"),
    ("Upgrade", "h2c", ValueError, "header Upgrade cannot be set"),
    ("connection", "close", ValueError, "header connection cannot be set"),
    ("Sec-WebSocket-Key", "x", ValueError, "header Sec-WebSocket-Key cannot be set"),
    ("Sec-WebSocket-Protocol", "x", ValueError, "use the option protocols"),
    ("Sec-WebSocket-Extensions", "x", ValueError, "use the option compress"),
    ("Content-Length", "5", ValueError, "an upgrade request has no body"),
]


@pytest.mark.parametrize(("name", "value", "error", "complaint"), BAD_HEADERS)
def test_a_bad_header_is_refused_by_add_header(
    name: Any, value: Any, error: type[Exception], complaint: str
) -> None:
    websocket = WebSocket(URL)
    request = websocket.build_request()

    with pytest.raises(error, match=complaint):
        websocket.add_header(name, value)

    assert websocket.build_request() == request


@pytest.mark.parametrize("form", ["mapping", "pairs"])
@pytest.mark.parametrize(("name", "value", "error", "complaint"), BAD_HEADERS)
def test_a_bad_header_is_refused_by_the_constructor(
    name: Any, value: Any, error: type[Exception], complaint: str, form: str
) -> None:
    with pytest.raises(error, match=complaint):
        WebSocket(URL, headers={name: value} if form == "mapping" else [(name, value)])


def test_a_bad_header_from_a_callable_is_refused_by_connect() -> None:
    websocket = WebSocket(URL, headers=lambda: {"X-A": "b\r\n"})

    with pytest.raises(ValueError, match="value of header X-A contains"):
        websocket.connect()


@pytest.mark.parametrize("headers", ["X-A: b", b"X-A: b", 5, True])
def test_headers_that_are_neither_mapping_nor_pairs_are_a_type_error(headers: Any) -> None:
    with pytest.raises(TypeError, match="headers must be a mapping or pairs, not"):
        WebSocket(URL, headers=headers)


@pytest.mark.parametrize("pair", ["X-A: b", ("X-A",), ("X-A", "b", "c"), 5, None])
def test_a_header_that_is_no_pair_is_a_type_error(pair: Any) -> None:
    with pytest.raises(TypeError, match="pairs of a name and a value"):
        WebSocket(URL, headers=[pair])


def test_a_second_host_is_refused_where_it_is_added() -> None:
    websocket = WebSocket(URL, headers={"Host": "a"})

    with pytest.raises(ValueError, match="Host is given more than once"):
        websocket.add_header("host", "b")

    assert b"Host: a\r\n" in websocket.build_request()


@pytest.mark.parametrize("name", ["Authorization", "Cookie", "X-Token"])
def test_an_error_about_a_header_does_not_show_its_value(name: str) -> None:
    with pytest.raises(ValueError) as raised:
        WebSocket(URL, headers={name: f"{SECRET}\n{SECRET}"})

    assert SECRET not in str(raised.value)


@pytest.mark.parametrize("text", SEPARATORS)
def test_an_agent_with_a_control_character_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="value of header User-Agent contains"):
        WebSocket(URL, agent=f"me{text}")


def test_an_agent_that_is_not_text_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="User-Agent must be str or bytes, not int"):
        WebSocket(URL, agent=5)


@pytest.mark.parametrize("name", ["chat\r\nEvil: 1", "a\n", "a\0", "a b", "a,b", 'a"', "", "ü"])
def test_a_protocol_that_is_no_token_is_a_value_error(name: str) -> None:
    with pytest.raises(ValueError, match="sub-protocol must"):
        WebSocket(URL, protocols=["ok", name])


@pytest.mark.parametrize("protocols", ["chat", b"chat", 5, {"http": "http://proxy"}, {}])
def test_protocols_that_are_no_list_are_a_type_error(protocols: Any) -> None:
    with pytest.raises(TypeError, match="protocols must be a list of names, not"):
        WebSocket(URL, protocols)


@pytest.mark.parametrize("name", [b"chat", 5, None])
def test_a_protocol_that_is_not_text_is_a_type_error(name: Any) -> None:
    with pytest.raises(TypeError, match="sub-protocol must be str, not"):
        WebSocket(URL, protocols=[name])


def test_a_protocol_that_is_there_twice_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="must differ from each other"):
        WebSocket(URL, protocols=["chat", "chat"])


# ---- the other options --------------------------------------------------------------------------


@pytest.mark.parametrize("compress", [1, "yes", {}])
def test_compress_is_a_bool_or_an_offer(compress: Any) -> None:
    with pytest.raises(TypeError, match="compress must be True, False or a DeflateOffer, not"):
        WebSocket(URL, compress=compress)


@pytest.mark.parametrize("name", ["max_message_size", "max_fragments"])
@pytest.mark.parametrize(
    ("value", "error", "complaint"),
    [
        (0, ValueError, "must be 1 or more, not 0"),
        (-1, ValueError, "must be 1 or more, not -1"),
        (1.5, TypeError, "must be a whole number, not 1.5"),
        ("1", TypeError, "must be a whole number, not '1'"),
        (True, TypeError, "must be a whole number, not True"),
        (None, TypeError, "must be a whole number, not None"),
    ],
)
def test_a_limit_is_a_whole_number_from_1(
    name: str, value: Any, error: type[Exception], complaint: str
) -> None:
    with pytest.raises(error, match=f"{name} {complaint}"):
        WebSocket(URL, **{name: value})


@pytest.mark.parametrize(
    ("options", "error", "complaint"),
    [
        ({"proxies": "http://proxy"}, TypeError, "proxies must be a mapping, not str"),
        ({"proxies": {"ws": "http://proxy"}}, ValueError, "use 'http' for ws:// URLs"),
        ({"proxies": {"http": "socks5://proxy"}}, ValueError, "SOCKS proxies are not supported"),
        ({"proxies": {"http": "http://proxy\r\n"}}, ValueError, "control characters"),
        ({"proxies": {"http": 5}}, TypeError, "proxy must be str, not int"),
        ({"ssl_verify": "no"}, TypeError, "ssl_verify must be True or False"),
        ({"ssl_cafile": 5}, TypeError, "ssl_cafile must be a path, not int"),
        ({"ssl_cafile": "a.pem", "ssl_verify": False}, ValueError, "leave one of them out"),
        ({"ssl_keyfile": "a.pem"}, ValueError, "add ssl_certfile"),
        ({"ssl_context": object()}, TypeError, "ssl_context must be an ssl.SSLContext, not object"),
        ({"server_hostname": 5}, TypeError, "server_hostname must be str, not int"),
        ({"server_hostname": ""}, ValueError, "server_hostname must be a host name"),
    ],
)
@pytest.mark.parametrize("url", [URL, "wss://example.org/"])
def test_a_bad_option_is_refused_by_the_constructor(
    url: str, options: dict[str, Any], error: type[Exception], complaint: str
) -> None:
    with pytest.raises(error, match=complaint):
        WebSocket(url, **options)


def test_an_unknown_option_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'compres'"):
        WebSocket(URL, compres=True)


def test_an_option_that_was_changed_to_something_bad_is_refused_by_connect() -> None:
    websocket = WebSocket(URL)
    websocket.agent = "me\r\n"

    with pytest.raises(ValueError, match="value of header User-Agent contains"):
        websocket.connect()


# ---- connect ------------------------------------------------------------------------------------

NUMBERS: list[tuple[Any, type[Exception], str]] = [
    (-1, ValueError, "must be a number of seconds, 0 or more, not -1"),
    (float("nan"), ValueError, "must be a number of seconds, 0 or more, not nan"),
    (float("inf"), ValueError, "must be a number of seconds, 0 or more, not inf"),
    ("5", TypeError, "must be a number of seconds, not '5'"),
    (True, TypeError, "must be a number of seconds, not True"),
]


@pytest.mark.parametrize(
    "name",
    ["poll", "ping_rate", "ping_timeout", "close_timeout", "open_timeout", "send_timeout"],
)
@pytest.mark.parametrize(("value", "error", "complaint"), NUMBERS)
def test_a_time_is_a_number_of_seconds(
    name: str, value: Any, error: type[Exception], complaint: str
) -> None:
    with pytest.raises(error, match=f"{name} {complaint}"):
        WebSocket(URL).connect(**{name: value})


@pytest.mark.parametrize("poll", [0, 0.0, -0.0])
def test_poll_is_positive(poll: float) -> None:
    with pytest.raises(ValueError, match="poll must be more than 0 seconds, not"):
        WebSocket(URL).connect(poll=poll)


def test_poll_is_never_none() -> None:
    with pytest.raises(TypeError, match="poll must be a number of seconds, not None"):
        WebSocket(URL).connect(poll=None)


@pytest.mark.parametrize("session_class", [None, 5, "WebsocketSession"])
def test_a_session_class_can_be_called(session_class: Any) -> None:
    with pytest.raises(TypeError, match="session_class must be a class or another callable"):
        WebSocket(URL).connect(session_class=session_class)


@pytest.mark.parametrize("exit_event", [5, True, object()])
def test_an_exit_event_can_be_asked_and_waited_for(exit_event: Any) -> None:
    with pytest.raises(TypeError, match="exit_event must be an Event of threading's or gevent's"):
        WebSocket(URL).connect(exit_event=exit_event)


@pytest.mark.parametrize(
    "options", [{"poll": 0}, {"session_class": 5}, {"exit_event": 5}, {"send_timeout": "1"}]
)
def test_connecting_with_bad_arguments_leaves_the_last_connection_alone(
    ready: Connection, options: dict[str, Any]
) -> None:
    with pytest.raises((TypeError, ValueError)):
        ready.websocket.connect(**options)

    ready.websocket.send_text("hi")
    assert ready.sent() == [(0x81, b"hi")]


# ---- sending ------------------------------------------------------------------------------------

Call = Callable[[WebSocket], object]
BAD_CALLS: dict[str, tuple[Call, type[Exception], str]] = {
    "text is bytes": (
        lambda ws: ws.send_text(b"hi"),
        TypeError,
        "^text argument must not be bytes: it is str that is sent$",
    ),
    "text is a number": (
        lambda ws: ws.send_text(5),
        TypeError,
        "^text argument must not be int",
    ),
    "text is None": (
        lambda ws: ws.send_text(None),
        TypeError,
        "^text argument must not be NoneType",
    ),
    "text has half a character": (lambda ws: ws.send_text("\ud83d"), ValueError, "surrogates"),
    "binary is text": (
        lambda ws: ws.send_binary("hi"),
        TypeError,
        "^data argument must be bytes, bytearray or memoryview, not str$",
    ),
    "binary is a number": (
        lambda ws: ws.send_binary(5),
        TypeError,
        "^data argument must be bytes, bytearray or memoryview, not int$",
    ),
    "binary is a list": (
        lambda ws: ws.send_binary([1]),
        TypeError,
        "^data argument must be bytes, bytearray or memoryview, not list$",
    ),
    "ping is text": (
        lambda ws: ws.send_ping("hi"),
        TypeError,
        "^data argument must be bytes",
    ),
    "ping is too long": (
        lambda ws: ws.send_ping(bytes(126)),
        ValueError,
        "^ping data should be <= 125 bytes, not 126$",
    ),
    "pong is text": (
        lambda ws: ws.send_pong("hi"),
        TypeError,
        "^data argument must be bytes",
    ),
    "pong is too long": (
        lambda ws: ws.send_pong(bytes(126)),
        ValueError,
        "^pong data should be <= 125 bytes, not 126$",
    ),
    "json is two things": (
        lambda ws: ws.send_json([], a=1),
        ValueError,
        "one object or keyword arguments, not both",
    ),
    "json is no json": (lambda ws: ws.send_json(object()), TypeError, "not JSON serializable"),
    "json is a circle": (
        lambda ws: ws.send_json((lambda circle: circle.append(circle) or circle)([])),
        ValueError,
        "Circular reference",
    ),
    **{
        f"close code {code}": (
            lambda ws, code=code: ws.close(code),
            ValueError,
            rf"^close code {code} may not be sent: .*lomond\.status\.Status.* 3000 to 4999",
        )
        for code in (-1, 0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535, 65536, 99999)
    },
    **{
        f"close code {code!r}": (
            lambda ws, code=code: ws.close(code),
            TypeError,
            "^close code must be a whole number, not ",
        )
        for code in ("1000", 1000.0, b"", True)
    },
    "close reason is a number": (
        lambda ws: ws.close(1000, 5),
        TypeError,
        "^close reason must be str or bytes, not int$",
    ),
    "close reason can change": (
        lambda ws: ws.close(1000, bytearray(b"bye")),
        TypeError,
        "^close reason must be str or bytes, not bytearray$",
    ),
    "close reason is not UTF-8": (
        lambda ws: ws.close(1000, b"\xff"),
        ValueError,
        "^close reason must be text that UTF-8 can hold",
    ),
    "close reason has half a character": (
        lambda ws: ws.close(1000, "\ud83d"),
        ValueError,
        "^close reason must be text that UTF-8 can hold",
    ),
}


@pytest.mark.parametrize("name", BAD_CALLS)
def test_a_bad_argument_is_refused_before_anything_is_queued(ready: Connection, name: str) -> None:
    call, error, complaint = BAD_CALLS[name]

    with pytest.raises(error, match=complaint):
        call(ready.websocket)

    ready.websocket.send_text("next")
    assert ready.sent() == [(0x81, b"next")]
    assert ready.websocket.session.messages_sent == 1
    assert ready.websocket.is_active


@pytest.mark.parametrize("name", [name for name in BAD_CALLS if "half" not in name])
def test_a_bad_argument_is_refused_before_there_is_a_connection_too(name: str) -> None:
    call, error, complaint = BAD_CALLS[name]

    with pytest.raises(error, match=complaint):
        call(WebSocket(URL))


@pytest.mark.parametrize(
    "data", [b"hi", bytearray(b"hi"), memoryview(b"hi"), memoryview(b"hxi")[::2]]
)
def test_binary_is_anything_that_holds_bytes(ready: Connection, data: Any) -> None:
    ready.websocket.send_binary(data)

    assert ready.sent() == [(0x82, b"hi")]


@pytest.mark.parametrize("size", [0, 1, 125])
def test_a_ping_may_have_up_to_125_bytes(ready: Connection, size: int) -> None:
    ready.websocket.send_ping(bytes(size))

    assert ready.sent() == [(0x89, bytes(size))]


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1011, 1012, 1014, 3000, 4999])
def test_a_valid_close_code_is_sent(ready: Connection, code: int) -> None:
    ready.websocket.close(code, "")

    assert ready.sent() == [(0x88, code.to_bytes(2, "big"))]


def test_closing_without_arguments_says_1000_and_goodbye(ready: Connection) -> None:
    ready.websocket.close()

    assert ready.sent() == [(0x88, b"\x03\xe8goodbye")]


@pytest.mark.parametrize("reason", ["tschüß", "tschüß".encode()])
def test_a_reason_is_text_or_its_utf_8(ready: Connection, reason: str | bytes) -> None:
    ready.websocket.close(1000, reason)

    assert ready.sent() == [(0x88, b"\x03\xe8tsch\xc3\xbc\xc3\x9f")]


@pytest.mark.parametrize(
    ("reason", "sent"),
    [
        ("x" * 123, b"x" * 123),
        ("x" * 124, b"x" * 123),
        ("x" * 122 + "ü", b"x" * 122),
        ("€" * 50, "€".encode() * 41),
        ("x" + "😀" * 40, b"x" + "😀".encode() * 30),
        ("ü".encode() * 100, "ü".encode() * 61),
    ],
)
def test_a_reason_that_is_too_long_is_cut_at_a_character(
    ready: Connection, reason: str | bytes, sent: bytes
) -> None:
    ready.websocket.close(1000, reason)

    assert ready.sent() == [(0x88, b"\x03\xe8" + sent)]


@pytest.mark.parametrize(
    ("arguments", "keywords", "sent"),
    [
        ((), {}, b"{}"),
        (({"a": None},), {}, b'{"a": null}'),
        ((None,), {}, b"null"),
        ((), {"a": [1]}, b'{"a": [1]}'),
    ],
)
def test_json_is_an_object_or_keywords(
    ready: Connection, arguments: tuple[Any, ...], keywords: dict[str, Any], sent: bytes
) -> None:
    ready.websocket.send_json(*arguments, **keywords)

    assert ready.sent() == [(0x81, sent)]
