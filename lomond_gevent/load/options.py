"""The command line's options, in the manner of oha, wscat and websocat.

What they mean together is checked by `Plan`; what is done with them is in `cli`.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields
from difflib import get_close_matches
from typing import NoReturn, TypeVar

import gevent

from lomond import __version__
from lomond_gevent.load.durations import format_duration, parse_duration, parse_rate
from lomond_gevent.load.plan import BUILT_IN, Plan
from lomond_gevent.load.thresholds import parse_threshold

PROGRAM = "lomond-load"
WRONG_USAGE = 2
DESCRIPTION = """\
Load-test a WebSocket server with thousands of honest clients from one process.
Without a URL it starts an echo server of its own, and loads that.
"""
EPILOG = """\
examples:
  lomond-load
      a first look: 100 clients for 10 seconds, against a server of its own
  lomond-load wss://host/path -c 5000 --ramp 30s -d 2m --threshold 'rtt.p99<50ms'
      closed model: 5,000 clients, each waits for its answer before it sends again
  lomond-load wss://host/path -c 1000 --rate 20k --html report.html --json results.json
      open model: 20,000 messages a second, however slow the answers are
  lomond-load wss://host/path --scenario idle --stages '1m:10000,5m:10000,30s:0'
      climb to 10,000 connections, hold them, and let them go
  lomond-load wss://host/path --scenario chat.py:visit -c 200
      a scenario of your own: the function visit(client) in chat.py

thresholds compare a metric with a limit by < <= > >= == or !=:
  rtt.p99<50ms   rtt.max<1s   connect.p95<=200ms   timer.login.p90<300ms
  errors<0.1%    errors<5     checks>=99%          messages.received.rate>1000
  A threshold on something that was not measured is crossed. A share of errors is
  one of all that was tried, with what was never sent or answered; failed checks
  are under checks only. A .rate is what came while the load was on.

exit status:
  0   all went well
  1   something failed: an error, a failed check, a lost connection; not so where
      a threshold on errors, or on checks, says how many of them are accepted;
      or the run shows nothing, whatever is accepted: nobody connected, nothing
      was sent or answered, or most of the schedule of messages was not sent;
      or the load could not begin (the embedded server, a fork)
  2   wrong usage; no connection was made
  99  a threshold is crossed, whatever else failed
  130 interrupted twice, at once and without a report; after one Ctrl-C it ends
      with the report, and the status says what was measured until then
"""

MULTIPLES = {"": 1, "k": 1000, "K": 1000, "M": 10**6, "KiB": 1 << 10, "MiB": 1 << 20}
Value = TypeVar("Value")
DEFAULTS = {each.name: each.default for each in fields(Plan) if each.default is not MISSING}


class Parser(argparse.ArgumentParser):
    """A parser that tells in one line what is wrong, and where to look."""

    def error(self, message: str) -> NoReturn:
        """Exit for wrong usage."""
        self.exit(WRONG_USAGE, wrong_usage(message.removeprefix("argument ")))

    def parse_all(self, arguments: Sequence[str] | None) -> argparse.Namespace:
        """Parse all arguments; one that is not known is told with the one it resembles."""
        options, unknown = self.parse_known_args(arguments)
        if unknown:
            known = [name for action in self._actions for name in action.option_strings]
            close = get_close_matches(unknown[0].split("=")[0], known, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            self.error(f"there is no option or place for {unknown[0]!r}{hint}")
        return options


def wrong_usage(message: str) -> str:
    """Return the line for wrong usage."""
    return f"{PROGRAM}: {message} (see {PROGRAM} --help)\n"


def make_parser() -> Parser:
    """Return the parser of the command line. Only what was given is in its result."""
    parser = Parser(
        prog=PROGRAM,
        usage="%(prog)s [URL] [options]",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    parser.add_argument("url", nargs="?", metavar="URL", help="ws:// or wss://, the server to load")
    add_load(parser)
    add_scenario(parser)
    add_connection(parser)
    add_tls(parser)
    add_limits(parser)
    add_results(parser)
    return parser


def add_load(parser: Parser) -> None:
    """Add what decides how much load there is."""
    group = parser.add_argument_group("load")

    def add(option: str, parse: Callable[[str], object], metavar: str, text: str) -> None:
        group.add_argument(*option.split(), type=parse, metavar=metavar, help=text)

    add("-c --clients", whole, "N", told("how many clients", "clients"))
    add("-d --duration", duration, "TIME", told("how long", "duration"))
    ramp = "over how long the clients come (default: all connect first, then the load begins)"
    add("--ramp", duration, "TIME", ramp)
    schedule = "on a schedule that does not wait for answers (open model)"
    add("--rate", rate, "N", f"messages per second over all clients, as 20k, {schedule}")
    arrivals = (
        "new clients per second, on a schedule (open model of arrivals; each client waits for its "
        "answers, and latency counts from the actual send)"
    )
    add("--arrivals", rate, "N", arrivals)
    add("--lifetime", duration, "TIME", "how long each client of --arrivals lives")
    lines = "clients, or the rate, along straight lines: '10s:100,1m:1000,10s:0'"
    add("--stages", stages, "LIST", lines)
    add("--think", duration, "TIME", "wait between an answer and the next message")
    add("--processes", whole, "N", told("processes, one core each", "processes"))
    handshakes = told("handshakes at once, in each process", "connect_concurrency")
    add("--connect-concurrency", whole, "N", handshakes)
    add("--seed", whole, "N", "of the random numbers, to repeat a run")
    group.add_argument(
        "--lockstep",
        action="store_false",
        dest="phase_spread",
        help="have all clients send at the same moment, not spread evenly",
    )


def add_scenario(parser: Parser) -> None:
    """Add what the clients do."""
    group = parser.add_argument_group("scenario")
    add = group.add_argument
    names = ", ".join(BUILT_IN)
    add("--scenario", metavar="NAME", help=told(f"{names}, or FILE.py:FUNCTION", "scenario"))
    add("--size", type=whole, metavar="BYTES", help=told("payload of a message", "size"))
    add("--binary", action="store_true", help="send binary messages, not text")


def add_connection(parser: Parser) -> None:
    """Add how clients connect."""
    group = parser.add_argument_group("connection")
    add = group.add_argument
    add(
        "-H",
        "--header",
        type=header,
        action="append",
        dest="headers",
        metavar="'NAME: VALUE'",
        help="of the upgrade request (repeatable)",
    )
    add(
        "-o",
        "--origin",
        type=lambda origin: ("Origin", origin),
        action="append",
        dest="headers",
        metavar="URL",
        help="the page that a browser would name, as a header",
    )
    add(
        "-s",
        "--subprotocol",
        action="append",
        dest="subprotocols",
        metavar="NAME",
        help="to offer (repeatable)",
    )
    add("--compress", action="store_true", help="offer permessage-deflate")
    add("--proxy", metavar="URL", help="HTTP proxy; '' for none (default: as the environment says)")
    add(
        "--source",
        action="append",
        dest="sources",
        metavar="ADDRESS",
        help="connect from this address of this machine (repeatable; the clients share them)",
    )


def add_tls(parser: Parser) -> None:
    """Add whom to trust, and who the clients are."""
    add = parser.add_argument_group("TLS").add_argument
    add("-k", "--insecure", action="store_true", help="accept any certificate")
    add("--cacert", dest="cafile", metavar="FILE", help="trust the authorities in this PEM file")
    add("--cert", dest="certfile", metavar="FILE", help="the clients' certificate, as PEM")
    add("--key", dest="keyfile", metavar="FILE", help="its key, if that file does not hold it")


def add_limits(parser: Parser) -> None:
    """Add how long is waited, and how much is taken."""
    group = parser.add_argument_group("limits")

    def add(option: str, name: str, text: str) -> None:
        group.add_argument(option, type=duration, metavar="TIME", help=told(text, name))

    add("--open-timeout", "open_timeout", "for a connection to open")
    add("--request-timeout", "request_timeout", "for an answer")
    add("--close-timeout", "close_timeout", "for the closing handshake")
    add("--ping-rate", "ping_rate", "send a ping this often, 0 for never")
    add("--ping-timeout", "ping_timeout", "a server silent for so long is gone")
    group.add_argument(
        "--max-message-size",
        type=whole,
        metavar="BYTES",
        help="a longer message ends the connection",
    )


def add_results(parser: Parser) -> None:
    """Add what is done with the results."""
    group = parser.add_argument_group("results")
    add = group.add_argument
    add(
        "--threshold",
        type=threshold,
        action="append",
        dest="thresholds",
        metavar="TEXT",
        help="exit with 99 unless it holds, as 'rtt.p99<50ms' (repeatable)",
    )
    add("--html", metavar="FILE", help="one page with plots, for people")
    add("--json", metavar="FILE", help="everything, for programs; '-' for standard output")
    add("--csv", metavar="FILE", help="the series, a row a second")
    add("--hgrm", metavar="FILE", help="the main latency in HdrHistogram's text form")
    add("-q", "--quiet", action="store_true", help="show no progress, only the report")
    add("--no-color", action="store_true", help="no colours")
    versions = f"{__version__} (gevent {gevent.__version__}, Python {platform.python_version()})"
    add("--version", action="version", version=f"%(prog)s {versions}")


def told(text: str, name: str) -> str:
    """Return an option's help with its default."""
    default = DEFAULTS[name]
    if default is None:
        return text
    shown = format_duration(default) if isinstance(default, float) else default
    return f"{text} (default: {shown})"


def checked(parse: Callable[[str], Value]) -> Callable[[str], Value]:
    """Return a parser whose ValueErrors argparse shows as they are."""

    def parse_argument(text: str) -> Value:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse_argument


def parse_whole(text: str) -> int:
    """Read a whole number: "1000", "10_000", "10,000", "5k", "2M", "64KiB", "1MiB"."""
    digits = text.rstrip("kKMiB")
    try:
        return int(digits.replace(",", "")) * MULTIPLES[text.removeprefix(digits)]
    except (KeyError, ValueError):
        raise ValueError(f"{text!r} is no whole number, such as 1000, 5k or 64KiB") from None


def parse_stages(text: str) -> tuple[tuple[float, float], ...]:
    """Read pairs of a duration and the number that it leads to."""
    parsed = []
    for part in text.split(","):
        seconds, colon, target = part.strip().partition(":")
        if not colon:
            raise ValueError(f"{part.strip()!r} is no stage: write TIME:NUMBER, such as 1m:1000")
        parsed.append((parse_duration(seconds), parse_rate(target)))
    return tuple(parsed)


def parse_header(text: str) -> tuple[str, str]:
    """Read a header line."""
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise ValueError(f"{text!r} is no header: write 'Name: value'")
    return name.strip(), value.strip()


def parse_threshold_text(text: str) -> str:
    """Return a threshold's text, if it is one."""
    return parse_threshold(text).text


duration, rate, whole = checked(parse_duration), checked(parse_rate), checked(parse_whole)
stages, header = checked(parse_stages), checked(parse_header)
threshold = checked(parse_threshold_text)
