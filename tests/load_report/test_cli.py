"""The command line: a plan from options, errors before the first connection, the exit status."""

from __future__ import annotations

import io
import json
import os
import signal
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import certifi
import pytest
from rich.console import Console

from lomond import __version__
from lomond.tls import InsecureTLSWarning
from lomond_gevent.load import cli
from lomond_gevent.load.console import LiveView, PlainLines, Silence
from lomond_gevent.load.options import make_parser
from lomond_gevent.load.plan import LoadError, Plan, PlanError
from lomond_gevent.load.result import Result
from tests.load_report.synthetic import result_of

URL = "ws://127.0.0.1:9/"
CAFILE = certifi.where()


class Runs:
    """Takes the place of `run`: keeps what it was asked for, and measures nothing."""

    def __init__(self) -> None:
        self.plans: list[Plan] = []
        self.changes: dict[str, Any] = {}
        self.act: Callable[..., object] = lambda **options: None

    def __call__(self, plan: Plan, **options: Any) -> Result:
        self.plans.append(plan)
        self.act(**options)
        return result_of(plan, **self.changes)


@pytest.fixture(autouse=True)
def runs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Runs]:
    """Have the command run nothing."""
    fake = Runs()
    monkeypatch.setattr(cli, "run", fake)
    # A terminal of the developer's own must not decide how wide the report is.
    monkeypatch.delenv("COLUMNS", raising=False)
    yield fake


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ("", {}),
        (URL, {"url": URL}),
        ("-c 5000 -d 2m --ramp 30s", {"clients": 5000, "duration": 120.0, "ramp": 30.0}),
        ("--rate 20k --clients 10", {"rate": 20_000.0, "clients": 10}),
        ("--arrivals 30/m --lifetime 1m", {"arrivals": 0.5, "lifetime": 60.0}),
        ("--stages 10s:100,1m:1k,5:0", {"stages": ((10.0, 100.0), (60.0, 1000.0), (5.0, 0.0))}),
        ("--think 250ms --lockstep", {"think": 0.25, "phase_spread": False}),
        ("--scenario chat.py:visit", {"scenario": "chat.py:visit"}),
        ("--size 128 --binary", {"size": 128, "binary": True}),
        ("-c 5k --size 64KiB", {"clients": 5000, "size": 65_536}),
        ("-s chat -s superchat", {"subprotocols": ("chat", "superchat")}),
        ("-k --compress", {"insecure": True, "compress": True}),
        (f"--cacert {CAFILE}", {"cafile": CAFILE}),
        ("--cert c.pem --key k.pem", {"certfile": "c.pem", "keyfile": "k.pem"}),
        ("--source 127.0.0.1 --source ::1", {"sources": ("127.0.0.1", "::1")}),
        ("-o https://a.example", {"headers": (("Origin", "https://a.example"),)}),
        ("--origin b -H A:c", {"headers": (("Origin", "b"), ("A", "c"))}),
        ("--proxy http://127.0.0.1:3128", {"proxy": "http://127.0.0.1:3128"}),
        ("--proxy=", {"proxy": ""}),
        ("--ping-rate 0 --ping-timeout 10s", {"ping_rate": 0.0, "ping_timeout": 10.0}),
        ("--open-timeout 3s --request-timeout 4s", {"open_timeout": 3.0, "request_timeout": 4.0}),
        ("--close-timeout 1s --max-message-size 9", {"close_timeout": 1.0, "max_message_size": 9}),
        ("--processes 2 --connect-concurrency 9", {"processes": 2, "connect_concurrency": 9}),
        ("--threshold rtt.p99<50ms --seed 7", {"thresholds": ("rtt.p99<50ms",), "seed": 7}),
    ],
)
def test_options_make_the_plan(runs: Runs, arguments: str, options: dict[str, Any]) -> None:
    assert cli.main([*arguments.split(), "-q"]) == 0

    assert runs.plans == [Plan(**options)]


def test_a_load_that_could_not_begin_has_failed_and_is_no_wrong_usage(
    runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_options: object) -> None:
        raise LoadError("the embedded server did not start (exit status 3)")

    runs.act = fail

    assert cli.main(["-q"]) == 1
    told = capsys.readouterr().err
    assert told == "lomond-load: the embedded server did not start (exit status 3)\n"


def test_headers_are_lines_as_in_http(runs: Runs) -> None:
    cli.main([URL, "-q", "-H", "X-Run: 7", "--header", "Authorization:Bearer a:b"])

    assert runs.plans[0].headers == (("X-Run", "7"), ("Authorization", "Bearer a:b"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("-d 10x", "-d/--duration: '10x' is no duration: write a number and a unit"),
        ("--rate fast", "--rate: 'fast' is no rate: write a number per second"),
        ("-c ten", "-c/--clients: 'ten' is no whole number, such as 1000"),
        ("-c 0", "--clients must be a whole number of 1 or more, not 0"),
        ("--request-timeout 0", "--request-timeout must be a number, more than 0, not 0.0"),
        ("--stages 10s", "--stages: '10s' is no stage: write TIME:NUMBER, such as 1m:1000"),
        ("-H nothing", "-H/--header: 'nothing' is no header: write 'Name: value'"),
        ("--threshold rtx.p99<5ms", "--threshold: unknown metric 'rtx.p99' (did you mean 'rtt"),
        ("--treshold x", "there is no option or place for '--treshold'; did you mean --threshold?"),
        ("ws://a ws://b", "there is no option or place for 'ws://b'"),
        ("--size", "--size: expected one argument"),
        ("http://a", "bad url"),
        ("--scenario nope", "there is no scenario 'nope': take one of connect, idle"),
        ("--rate 5 --arrivals 5", "--rate 5 and arrivals 5 exclude each other"),
        ("--source here", "--source must be addresses of this machine, such as 192.0.2.7"),
        ("--key k.pem", "--key k.pem needs the certificate that it is for: give both"),
        ("--arrivals 5 -c 10", "--clients has no use with --arrivals: give one of them"),
        ("--stages 1s:5 -c 10", "--clients has no use with --stages, which say how many"),
        ("--stages 1s:5 -d 10", "--duration has no use with --stages, which last as long"),
        ("--html missing/r.html", "--html: cannot be written: [Errno 2] No such file"),
        ("--csv .", "--csv: cannot be written: [Errno 21] Is a directory"),
        ("--json - --csv -", "only one of --json, --csv, --html and --hgrm can go to"),
    ],
)
def test_wrong_usage_is_one_line_and_2_before_anything_runs(
    runs: Runs, capsys: pytest.CaptureFixture[str], arguments: str, message: str
) -> None:
    assert cli.main(arguments.split()) == 2

    error = capsys.readouterr().err
    assert error.startswith(f"lomond-load: {message}")
    assert error.endswith("(see lomond-load --help)\n")
    assert error.count("\n") == 1
    assert runs.plans == []


def test_what_the_machine_does_not_allow_is_2_as_well(
    runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(**options: Any) -> None:
        raise PlanError("clients 9 are too many: take 8")

    runs.act = refuse

    assert cli.main(["-q"]) == 2
    assert capsys.readouterr().err.startswith("lomond-load: --clients 9 are too many: take 8")


def test_a_bare_installation_is_told_what_it_lacks(
    runs: Runs, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "find_spec", lambda name: None)

    assert cli.main([URL]) == 2
    assert "needs rich and hdrhistogram: pip install 'lomond-gevent[load]'" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("changes", "thresholds", "status"),
    [
        ({}, [], 0),
        ({"errors": {("tcp", "refused"): 1}}, [], 1),
        ({"errors": {("tcp", "refused"): 1}}, ["rtt.p99<1ms"], 99),
        ({"errors": {("tcp", "refused"): 1}}, ["errors<1%"], 0),
    ],
)
def test_the_exit_status_tells_how_it_went(
    runs: Runs, changes: dict[str, Any], thresholds: list[str], status: int
) -> None:
    runs.changes = changes
    arguments = [part for text in thresholds for part in ("--threshold", text)]

    assert cli.main([URL, "-q", *arguments]) == status


def test_the_report_is_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main([URL])

    output, errors = capsys.readouterr()
    assert output.startswith(f"echo against {URL} (closed model)\n\n")
    assert output.endswith("✓ nothing failed\n")
    assert errors == ""


def test_json_on_standard_output_has_it_for_itself(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main([URL, "--json", "-"])

    output, errors = capsys.readouterr()
    assert json.loads(output)["schema"] == "lomond-load/1"
    assert "nothing failed" in errors


def test_every_form_is_written_to_its_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forms = {"json": "{", "csv": "time (s)", "html": "<!doctype html>", "hgrm": "       Value"}
    arguments = [part for form in forms for part in (f"--{form}", str(tmp_path / form))]

    assert cli.main([URL, "-q", *arguments]) == 0

    beginnings = {form: (tmp_path / form).read_text(encoding="utf-8") for form in forms}
    assert all(beginnings[form].startswith(text) for form, text in forms.items())
    assert capsys.readouterr().out.count("wrote ") == len(forms)


def test_a_file_that_cannot_be_written_after_all_is_a_failure(
    runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    runs.act = lambda **options: folder.rmdir()

    assert cli.main([URL, "-q", "--json", str(folder / "x"), "--csv", str(tmp_path / "y")]) == 1
    assert "lomond-load: --json: not written: [Errno 2]" in capsys.readouterr().err
    assert (tmp_path / "y").exists()


def test_a_reader_that_leaves_does_not_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as left:
        monkeypatch.setattr("sys.stdout", left)

        assert cli.main([URL, "--json", str(tmp_path / "results")]) == 0

    assert (tmp_path / "results").exists()


def test_a_full_disk_is_told_without_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    full = open("/dev/full", "w")  # noqa: SIM115  # closing it fails as well
    monkeypatch.setattr("sys.stdout", full)

    assert cli.main([URL, "-q"]) == 1

    error = capsys.readouterr().err
    assert error.startswith("lomond-load: the report could not be written: [Errno 28]")
    with pytest.raises(OSError, match="Errno 28"):
        full.close()


def test_a_full_disk_leaves_the_load_and_its_files_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = open("/dev/full", "w")  # noqa: SIM115  # closing it fails as well
    monkeypatch.setattr("sys.stdout", full)

    assert cli.main([URL, "--json", str(tmp_path / "results")]) == 1

    assert (tmp_path / "results").exists()
    with pytest.raises(OSError, match="Errno 28"):
        full.close()


def test_a_plan_error_names_an_option_as_it_is_typed(
    runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(**options: Any) -> None:
        raise PlanError("cafile x.pem cannot be read")

    runs.act = refuse

    assert cli.main(["-q"]) == 2
    assert capsys.readouterr().err.startswith("lomond-load: --cacert x.pem cannot be read")


def test_the_first_interrupt_ends_it_gracefully(
    runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(stop: Any, **options: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.is_set()

    runs.act = interrupt

    assert cli.main([URL, "-q"]) == 0
    assert "nothing failed" in capsys.readouterr().out


def interrupt_twice(**options: Any) -> None:
    """Be sent the two signals that end a load at once."""
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGTERM)


def test_the_second_interrupt_ends_the_process_whatever_it_is_at(
    runs: Runs, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(status: int) -> None:
        raise SystemExit(status)

    runs.act = interrupt_twice
    monkeypatch.setattr(os, "_exit", leave)
    before = signal.getsignal(signal.SIGINT)

    with pytest.raises(SystemExit, match="130"):
        cli.main([URL, "-q"])

    assert capfd.readouterr() == ("", "lomond-load: interrupted, without a report\n")
    assert signal.getsignal(signal.SIGINT) is before


def test_the_second_interrupt_gives_several_processes_their_end_first(
    runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    runs.act = interrupt_twice

    assert cli.main([URL, "-q", "--processes", "2"]) == 130
    assert capsys.readouterr() == ("", "lomond-load: interrupted, without a report\n")


def test_whoever_accepts_any_certificate_is_not_warned_of_it(runs: Runs) -> None:
    def warn(**options: Any) -> None:
        warnings.warn("not verified", InsecureTLSWarning, stacklevel=1)

    runs.act = warn

    assert cli.main([URL, "-q", "-k"]) == 0


def test_two_reports_in_one_file_are_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "b").symlink_to(tmp_path / "a")

    assert cli.main([URL, "--json", str(tmp_path / "a"), "--csv", str(tmp_path / "b")]) == 2
    assert "--csv would overwrite" in capsys.readouterr().err


def test_help_and_version_are_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    assert "examples:" in capsys.readouterr().out
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith(f"lomond-load {__version__} (gevent ")


def test_every_option_has_help_and_fits_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    parser = make_parser()

    assert all(action.help for action in parser._actions)
    assert max(map(len, parser.format_help().splitlines())) <= 88


@pytest.mark.parametrize(
    ("arguments", "terminal", "kind"),
    [
        ([], "xterm", LiveView),
        ([], "dumb", PlainLines),
        ([], None, PlainLines),
        (["-q"], "xterm", Silence),
    ],
)
def test_only_a_terminal_that_can_redraw_has_a_live_view(
    arguments: list[str], terminal: str | None, kind: type
) -> None:
    environment = {"TERM": terminal or "xterm"}
    console = Console(file=io.StringIO(), force_terminal=terminal is not None, _environ=environment)

    assert type(cli.make_view(console, make_parser().parse_all(arguments))) is kind
