"""The command line: what is wrong with an argument, and what there is instead."""

from __future__ import annotations

import pytest

from benchmarks.__main__ import main, make_parser


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["quick", "--works", "echo-1,nonsense"], "there is no work 'nonsense'; there are echo-1"),
        (["quick", "--peers", "nobody"], "there is no peer 'nobody'; there are this_project"),
        (["full", "--minutes", "0"], "'0' is not a number above zero"),
        (["full", "--rounds", "some"], "'some' is not a number above zero"),
        ([], "required"),
    ],
)
def test_a_wrong_argument_is_named(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)

    assert complaint in capsys.readouterr().err


def test_works_and_peers_are_lists_of_names() -> None:
    options = make_parser().parse_args(
        ["full", "--works", "hub,echo-1", "--peers", "picows", "--minutes", "30"]
    )

    assert [work.name for work in options.works] == ["hub", "echo-1"]
    assert [peer.name for peer in options.peers] == ["picows"]
    assert options.minutes == 30.0
