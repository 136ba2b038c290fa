"""Options of the command line and of the web form: how all WebSockets of a run connect.

They are `--ws-header` and so on, each with an environment variable. A master hands its own to the
workers, and the form of the web interface may change them before each run: so what Locust holds
are plain texts and flags, and `settings_of` reads them when a user connects. A value that cannot
be used is refused before the run, wherever it comes from.
"""

from __future__ import annotations

import argparse
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from lomond.arguments import check_headers
from lomond.protocol.headers import check_token
from lomond_gevent.load.durations import parse_duration

if TYPE_CHECKING:
    from locust.argument_parser import LocustArgumentParser
    from locust.env import Environment


@dataclass(frozen=True, slots=True)
class ConnectOptions:
    """What the options say; each default stands for an option that was not given."""

    # Secrets among them, which a repr would carry into a log.
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    subprotocols: tuple[str, ...] = ()
    insecure: bool = False
    ca: str | None = None
    compress: bool = False
    ping: float | None = None
    """Seconds between pings; 0 for none at all."""


def settings_of(environment: Environment) -> ConnectOptions:
    """Return how the WebSockets of a run connect, by the options as they are now.

    Raises ValueError where they were set to something that cannot be used.
    """
    return read_settings(vars(environment.parsed_options) if environment.parsed_options else {})


def read_settings(values: Mapping[str, Any]) -> ConnectOptions:
    """Return what options, by their names (`ws_header` ...), say together; ValueError if none.

    All values are text, flags or None, as the command line leaves them or the web form has them.
    """
    insecure, compress = (is_set(values.get(name)) for name in ("ws_insecure", "ws_compress"))
    header, subprotocol, ca, ping = (
        str(values.get(name) or "").strip()
        for name in ("ws_header", "ws_subprotocol", "ws_ca", "ws_ping")
    )
    if insecure and ca:
        raise ValueError("--ws-insecure accepts any certificate, and --ws-ca does not: take one")
    return _read(header, subprotocol, insecure, ca, compress, ping)


def is_set(value: bool | str | None) -> bool:
    """Return whether a flag is set; the web form has it as text."""
    return value is True or value == "true"


@lru_cache(maxsize=16)
def _read(
    header: str, subprotocol: str, insecure: bool, ca: str, compress: bool, ping: str
) -> ConnectOptions:
    return ConnectOptions(
        headers=parse_headers(header),
        subprotocols=parse_subprotocols(subprotocol),
        insecure=insecure,
        ca=check_ca(ca) if ca else None,
        compress=compress,
        ping=parse_duration(ping) if ping else None,
    )


# ---- single values: ValueError for what cannot be used ---------------------------------------


def parse_headers(text: str) -> tuple[tuple[str, str], ...]:
    """Return the headers of "Name: value", or of a JSON list of several such texts."""
    return tuple(check_headers(_parse_header(line) for line in _parse_list(text)))


def _parse_list(text: str) -> list[str]:
    if not text.startswith("["):
        return [text] if text else []
    try:
        lines = json.loads(text)
    except ValueError:
        lines = None
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise ValueError('several headers are a list in JSON: ["X-One: 1", "X-Two: 2"]')
    return lines


def _parse_header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:
        # The text itself may be a secret that was meant to be a value.
        raise ValueError('a header is written "Name: value", and here is no colon')
    return name.strip(), value.strip()


def parse_subprotocols(text: str) -> tuple[str, ...]:
    """Return the names of "chat.v2, chat.v1", in this order."""
    names = (
        tuple(check_token(name.strip(), "sub-protocol") for name in text.split(",")) if text else ()
    )
    if len(set(names)) < len(names):
        raise ValueError(f"a sub-protocol is offered once, and here twice: {text!r}")
    return names


def check_ca(path: str) -> str:
    """Return the path of a file with certificates of authorities, in PEM."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError as error:
        raise ValueError(f"{path!r} holds no certificates in PEM ({error.reason})") from None
    except OSError as error:
        raise ValueError(f"cannot read {path!r}: {error.strerror}") from None
    return path


# ---- on the command line ---------------------------------------------------------------------


def add_options(parser: LocustArgumentParser) -> None:
    """Put the options on Locust's command line, and so into its web form.

    Each has a variable in the environment as well: `LOCUST_WS_HEADER` for `--ws-header`.
    """
    for name, settings in _list_options().items():
        variable = f"LOCUST_{name.strip('-').replace('-', '_').upper()}"
        parser.add_argument(name, env_var=variable, **settings)


def _list_options() -> dict[str, dict[str, Any]]:
    return {
        "--ws-header": {
            "action": CollectHeaders,
            "type": _checked(parse_headers),
            "metavar": "<Name: value>",
            "is_secret": True,
            "help": '"Name: value"; for more repeat it, or write a JSON list: '
            '["X-One: 1", "X-Two: 2"]',
        },
        "--ws-subprotocol": {
            "action": CollectNames,
            "type": _checked(parse_subprotocols),
            "metavar": "<name>",
            "help": "To offer; for more repeat it, or write them with commas",
        },
        "--ws-insecure": {"action": "store_true", "help": "Accept any certificate"},
        "--ws-ca": {
            "type": _checked(check_ca),
            "metavar": "<filename>",
            "help": "Authorities to trust instead, in PEM: a file at master and workers",
        },
        "--ws-compress": {"action": "store_true", "help": "Offer permessage-deflate"},
        "--ws-ping": {
            "type": _checked(parse_duration),
            "metavar": "<duration>",
            "help": "How often to ping: 15, 500ms or 1m; 0 for never",
        },
    }


def _checked(parse: Callable[[str], object]) -> Callable[[str], str]:
    """Return the type of an argument that stays text, once it is known to be usable."""

    def check(text: str) -> str:
        try:
            parse(text.strip())
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        return text.strip()

    return check


# Locust's web form keeps text as it is, where it would take a list apart at each comma. And what
# is read from files and the environment may only be a list for an action of this class.
class CollectHeaders(argparse._AppendAction):
    """Keep the headers of all occurrences in one text: alone as it is, several as JSON."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Add an occurrence."""
        lines = [*_parse_list(getattr(namespace, self.dest) or ""), *_parse_list(values)]
        setattr(namespace, self.dest, lines[0] if len(lines) == 1 else json.dumps(lines))


class CollectNames(argparse._AppendAction):
    """Keep the names of all occurrences in one text, with commas."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Add an occurrence."""
        before = getattr(namespace, self.dest)
        setattr(namespace, self.dest, f"{before}, {values}" if before else values)
