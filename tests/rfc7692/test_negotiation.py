"""RFC 7692 §7.1: what a client asks for, and which answers of a server it may accept.

§7: a client must fail the connection for an answer with a parameter that is not defined, with
one that has an invalid value, with several of one name, and with one that does not match what
the client can do.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from lomond.errors import CompressionParameterError, HandshakeError
from lomond.protocol.deflate import DeflateOffer, DeflateParameters, negotiate

WINDOWS = ["server_max_window_bits", "client_max_window_bits"]
TAKEOVERS = ["server_no_context_takeover", "client_no_context_takeover"]


@pytest.mark.parametrize(
    ("options", "header"),
    [
        ({}, "permessage-deflate; client_max_window_bits"),
        (
            {"server_max_window_bits": 10},
            "permessage-deflate; server_max_window_bits=10; client_max_window_bits",
        ),
        ({"client_max_window_bits": 9}, "permessage-deflate; client_max_window_bits=9"),
        (
            {"server_no_context_takeover": True},
            "permessage-deflate; server_no_context_takeover; client_max_window_bits",
        ),
        (
            {"client_no_context_takeover": True},
            "permessage-deflate; client_no_context_takeover; client_max_window_bits",
        ),
        ({"level": 1, "mem_level": 1}, "permessage-deflate; client_max_window_bits"),
        (
            {
                "server_no_context_takeover": True,
                "client_no_context_takeover": True,
                "server_max_window_bits": 14,
                "client_max_window_bits": 14,
            },
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
            "server_max_window_bits=14; client_max_window_bits=14",
        ),
    ],
)
def test_an_offer_names_what_differs_from_the_defaults(
    options: dict[str, Any], header: str
) -> None:
    assert DeflateOffer(**options).header() == header


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in WINDOWS for value in (-15, 0, 8, 16)),
        *(("level", value) for value in (-1, 10)),
        *(("mem_level", value) for value in (0, 10)),
    ],
)
def test_a_number_out_of_range_cannot_be_offered(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must be from \d to \d+, not {value}$"):
        DeflateOffer(**{name: value})


@pytest.mark.parametrize("name", [*WINDOWS, "level", "mem_level"])
@pytest.mark.parametrize("value", ["9", 9.0, True, None])
def test_what_is_no_whole_number_cannot_be_offered(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=f"^{name} must be a whole number, not {value!r}$"):
        DeflateOffer(**{name: value})


@pytest.mark.parametrize("name", TAKEOVERS)
@pytest.mark.parametrize("value", ["no", 1, None])
def test_what_is_neither_true_nor_false_cannot_be_offered(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=f"^{name} must be True or False, not {value!r}$"):
        DeflateOffer(**{name: value})


@pytest.mark.parametrize("words", [DeflateOffer(), DeflateParameters()])
def test_an_offer_and_what_was_agreed_cannot_be_changed(words: Any) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        words.level = 9


def test_an_answer_without_parameters_agrees_to_the_defaults() -> None:
    assert negotiate(DeflateOffer(), []) == DeflateParameters(15, 15, False, False)


def test_level_and_memory_level_are_taken_over_from_the_offer() -> None:
    agreed = negotiate(DeflateOffer(level=1, mem_level=9), [])
    assert (agreed.level, agreed.mem_level) == (1, 9)


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("bits", [8, 9, 10, 11, 12, 13, 14, 15])
def test_the_server_may_name_any_window_that_zlib_has_or_256_bytes(name: str, bits: int) -> None:
    agreed = negotiate(DeflateOffer(), [(name, str(bits))])
    assert getattr(agreed, name) == bits


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize(
    "value",
    ["0", "7", "16", "99", "x", "", "-9", "+9", "09", "9.0", " 9", "9 ", "0x9", "٩", "1_0", None],
)
def test_any_other_window_is_refused(name: str, value: str | None) -> None:
    with pytest.raises(CompressionParameterError) as caught:
        negotiate(DeflateOffer(), [(name, value)])
    assert str(caught.value) == f"{name} must be from 8 to 15, not {value!r}"


@pytest.mark.parametrize("name", TAKEOVERS)
def test_the_server_may_give_up_context_takeover_unasked(name: str) -> None:
    assert getattr(negotiate(DeflateOffer(), [(name, None)]), name) is True


@pytest.mark.parametrize("name", TAKEOVERS)
@pytest.mark.parametrize("value", ["", "1", "true"])
def test_context_takeover_with_a_value_is_refused(name: str, value: str) -> None:
    with pytest.raises(CompressionParameterError) as caught:
        negotiate(DeflateOffer(), [(name, value)])
    assert str(caught.value) == f"{name} takes no value, not {value!r}"


@pytest.mark.parametrize(
    ("name", "value"),
    [*((name, "10") for name in WINDOWS), *((name, None) for name in TAKEOVERS)],
)
def test_a_parameter_given_twice_is_refused(name: str, value: str | None) -> None:
    with pytest.raises(CompressionParameterError) as caught:
        negotiate(DeflateOffer(), [(name, value), (name, value)])
    assert str(caught.value) == (
        f"permessage-deflate parameter {name} is there twice, with {value!r}"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [("mux", None), ("server_max_window_bit", "9"), ("Server_Max_Window_Bits", "9"), ("", "9")],
)
def test_an_unknown_parameter_is_refused(name: str, value: str | None) -> None:
    with pytest.raises(CompressionParameterError) as caught:
        negotiate(DeflateOffer(), [(name, value)])
    assert str(caught.value) == (
        f"permessage-deflate parameter {name!r} is unknown, with {value!r}"
    )


def test_an_endless_name_or_value_is_cut_in_the_text() -> None:
    with pytest.raises(CompressionParameterError) as caught:
        negotiate(DeflateOffer(), [("n" * 10_000, "v" * 10_000)])
    assert len(str(caught.value)) < 150


def test_a_refused_answer_is_a_refused_handshake() -> None:
    assert issubclass(CompressionParameterError, HandshakeError)


def test_the_server_must_agree_to_give_up_context_takeover() -> None:
    # §7.1.1.1: it agrees by including the parameter.
    with pytest.raises(CompressionParameterError, match=r"^server_no_context_takeover was asked"):
        negotiate(DeflateOffer(server_no_context_takeover=True), [])


def test_the_server_gives_up_context_takeover_as_asked() -> None:
    offer = DeflateOffer(server_no_context_takeover=True)
    agreed = negotiate(offer, [("server_no_context_takeover", None)])
    assert agreed.server_no_context_takeover is True


def test_our_own_context_takeover_is_given_up_even_if_the_server_is_silent() -> None:
    # §7.1.1.2: the offer is "a hint" to the server that the client will not use it.
    agreed = negotiate(DeflateOffer(client_no_context_takeover=True), [])
    assert agreed.client_no_context_takeover is True


def test_the_server_must_agree_to_a_smaller_window() -> None:
    with pytest.raises(CompressionParameterError) as caught:
        negotiate(DeflateOffer(server_max_window_bits=9), [])
    assert str(caught.value) == "server_max_window_bits=9 was asked for, but is not in the answer"


def test_the_server_must_not_widen_the_window_it_was_asked_for() -> None:
    with pytest.raises(CompressionParameterError) as caught:
        negotiate(DeflateOffer(server_max_window_bits=9), [("server_max_window_bits", "10")])
    assert str(caught.value) == "server_max_window_bits=10 is more than the 9 asked for"


@pytest.mark.parametrize("bits", [8, 11, 12])
def test_the_server_may_choose_the_window_asked_for_or_a_smaller_one(bits: int) -> None:
    offer = DeflateOffer(server_max_window_bits=12)
    agreed = negotiate(offer, [("server_max_window_bits", str(bits))])
    assert agreed.server_max_window_bits == bits


def test_the_server_must_not_widen_our_own_window() -> None:
    with pytest.raises(CompressionParameterError) as caught:
        negotiate(DeflateOffer(client_max_window_bits=9), [("client_max_window_bits", "15")])
    assert str(caught.value) == "client_max_window_bits=15 is more than the 9 offered"


def test_our_own_window_is_the_one_offered_where_the_server_is_silent() -> None:
    # §7.1.2.2: then the server can take any window, the smaller ones too.
    assert negotiate(DeflateOffer(client_max_window_bits=9), []).client_max_window_bits == 9


def test_the_example_with_all_parameters_is_understood() -> None:
    offer = DeflateOffer(12, 12, True, True)
    answer: list[tuple[str, str | None]] = [
        ("client_max_window_bits", "9"),
        ("server_no_context_takeover", None),
        ("client_no_context_takeover", None),
        ("server_max_window_bits", "10"),
    ]
    assert negotiate(offer, answer) == DeflateParameters(10, 9, True, True)
