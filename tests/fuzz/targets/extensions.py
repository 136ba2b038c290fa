"""The value of Sec-WebSocket-Extensions (RFC 6455 §9.1), and what it agrees to (RFC 7692 §7.1).

Input: one byte that chooses the offer, then the bytes of the header's value. They are held against
a second reading of the grammar, which goes from character to character.
"""

from __future__ import annotations

from lomond.errors import HandshakeError
from lomond.protocol.deflate import DeflateOffer, DeflateParameters
from lomond.protocol.extensions import Parameters, parse_extensions
from lomond.protocol.handshake import check_extensions

__all__ = ["check_extension_header"]

OFFERS = (
    None,
    DeflateOffer(),
    DeflateOffer(server_max_window_bits=10, client_max_window_bits=10),
    DeflateOffer(server_no_context_takeover=True, client_no_context_takeover=True),
)
TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def check_extension_header(data: bytes) -> None:
    """Parse a header, and agree to it."""
    offer = OFFERS[data[0] % len(OFFERS)] if data else None
    header = data[1:].decode("ascii", "replace")
    parsed = parse(header)
    assert parsed == Scanner(header).read_list()
    agreed = agree(header, offer)
    if agreed is None:
        return
    assert offer is not None
    assert parsed is not None
    assert [name for name, _ in parsed] == ["permessage-deflate"]
    assert agreed == expected_parameters(offer, dict(parsed[0][1]))


def parse(header: str) -> list[tuple[str, Parameters]] | None:
    """Return the extensions, or None for a header that is refused."""
    try:
        return parse_extensions(header)
    except HandshakeError as error:
        assert str(error).isprintable()
        return None


def agree(header: str, offer: DeflateOffer | None) -> DeflateParameters | None:
    """Return the parameters of compression, or None for a header that is refused."""
    try:
        names, parameters = check_extensions(header, offer)
    except HandshakeError as error:
        assert str(error).isprintable()
        return None
    assert names == {"permessage-deflate"}
    assert parameters is not None
    return parameters


def expected_parameters(offer: DeflateOffer, answer: dict[str, str | None]) -> DeflateParameters:
    """Return what an answer that passed means; AssertionError for one that must not pass."""
    server_bits = int(answer.get("server_max_window_bits") or 15)
    client_bits = int(answer.get("client_max_window_bits") or offer.client_max_window_bits)
    assert 8 <= server_bits <= offer.server_max_window_bits
    assert 8 <= client_bits <= offer.client_max_window_bits
    assert "server_no_context_takeover" in answer or not offer.server_no_context_takeover
    client_no_takeover = "client_no_context_takeover" in answer
    return DeflateParameters(
        server_max_window_bits=server_bits,
        client_max_window_bits=client_bits,
        server_no_context_takeover="server_no_context_takeover" in answer,
        client_no_context_takeover=offer.client_no_context_takeover or client_no_takeover,
    )


class Scanner:
    """Read the list one character at a time."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def read_list(self) -> list[tuple[str, Parameters]] | None:
        """Return the elements that are not empty; None where there are none, or a bad one."""
        elements = []
        while True:
            self.skip_space()
            if self.peek() in TOKEN:
                element = self.read_extension()
                if element is None:
                    return None
                elements.append(element)
            if self.peek() == "":
                return elements or None
            if not self.take(","):
                return None

    def read_extension(self) -> tuple[str, Parameters] | None:
        """Return a name with its parameters, or None for a bad parameter."""
        name = self.read_token()
        parameters: Parameters = []
        while self.take(";"):
            parameter, value = self.read_token(), None
            if not parameter:
                return None
            if self.take("="):
                value = self.read_value()
                if not value:
                    return None
            parameters.append((parameter, value))
        return name, parameters

    def read_token(self) -> str:
        """Return a token with the white space around it left out; "" where there is none."""
        self.skip_space()
        start = self.position
        while self.peek() in TOKEN:
            self.position += 1
        token = self.text[start : self.position]
        self.skip_space()
        return token

    def read_value(self) -> str:
        """Return a token, quoted or not; "" for anything else."""
        if self.peek() != '"':
            return self.read_token()
        self.position += 1
        value = ""
        while self.peek() != '"':
            if self.peek() == "\\":
                self.position += 1
            if self.peek() not in TOKEN:
                return ""
            value += self.peek()
            self.position += 1
        self.take('"')
        return value

    def take(self, character: str) -> bool:
        """Go behind this character and white space, if it is the next."""
        if self.peek() != character:
            return False
        self.position += 1
        self.skip_space()
        return True

    def skip_space(self) -> None:
        """Go behind white space."""
        while self.peek() in (" ", "\t"):
            self.position += 1

    def peek(self) -> str:
        """Return the next character, "" at the end."""
        return self.text[self.position : self.position + 1]
