"""The tables of peers and works: complete, pinned, and the same names everywhere."""

from __future__ import annotations

import re

import pytest

from benchmarks.peers import PEERS, REQUIREMENTS, Peer, find_peer, list_pinned
from benchmarks.targets import TARGETS
from benchmarks.works import WORKS, find_work

PINNED = re.compile(r"[\w.-]+==[\w.]+|#.*")


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_each_peer_has_a_client(peer: Peer) -> None:
    assert peer.client_file.is_file()


@pytest.mark.parametrize(
    "name", [*(peer.name for peer in PEERS), "server", "plot"], ids=lambda name: name
)
def test_all_that_is_installed_is_pinned(name: str) -> None:
    lines = (REQUIREMENTS / f"{name}.txt").read_text().splitlines()

    assert lines
    assert [line for line in lines if not PINNED.fullmatch(line)] == []


def test_names_are_unique() -> None:
    assert len({peer.name for peer in PEERS}) == len(PEERS)
    assert len({work.name for work in WORKS}) == len(WORKS)


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_what_a_peer_lacks_is_a_work(peer: Peer) -> None:
    assert [find_work(name).name for name in peer.lacks] == list(peer.lacks)


def test_targets_name_works_and_peers_that_there_are() -> None:
    for target in TARGETS:
        assert find_work(target.work).name == target.work
        assert target.against is None or find_peer(target.against).name == target.against


def test_what_a_library_needs_is_not_listed_with_it() -> None:
    assert list_pinned("aiohttp")[0].startswith("aiohttp 3.")
    assert not any(item.startswith("yarl") for item in list_pinned("aiohttp"))
