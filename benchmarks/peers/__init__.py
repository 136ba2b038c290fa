"""Who is compared: one line for each peer, with a client in `clients/` and requirements here.

A new peer is a client, a list of pinned requirements named like the peer, and a line in `PEERS`.
In the list the library comes first, and what it needs after a comment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

CLIENTS = Path(__file__).parent.parent / "clients"
REQUIREMENTS = Path(__file__).parent


@dataclass(frozen=True)
class Peer:
    """A library with the client that uses it.

    Its environment holds what `<name>.txt` lists, and, with `is_tree`, what this tree holds.
    `environ` is added to the variables of both its installation and its client, which is what a
    variant of a peer is made of. `lacks` says why there is a work that it has no part in,
    `at_rest` what it does by default for a connection that has nothing to say.
    """

    name: str
    title: str
    client: str
    is_tree: bool = False
    environ: Mapping[str, str] = field(default_factory=dict)
    lacks: Mapping[str, str] = field(default_factory=dict)
    at_rest: str = "nothing"

    @property
    def client_file(self) -> Path:
        """The program that is measured."""
        return CLIENTS / f"{self.client}.py"

    @property
    def requirements_file(self) -> Path:
        """What is installed for it, each with its version."""
        return REQUIREMENTS / f"{self.name}.txt"


NO_WEBSOCKET = {"idle-5000": "it knows no WebSocket that could be idle"}
NO_DEFLATE = {"deflate": "it has no permessage-deflate"}

POLLS_AND_PINGS = "a poll in 5 s, a ping in 30 s"
PINGS = "a ping in 20 s"

OURS = Peer("this_project", "lomond_gevent", "this_project", is_tree=True, at_rest=POLLS_AND_PINGS)
PURE = Peer(
    "pure_python",
    "lomond_gevent, pure Python with wsaccel",
    "this_project",
    is_tree=True,
    environ={"LOMOND_ACCELERATOR": "wsaccel"},
    at_rest=POLLS_AND_PINGS,
)
"""As it is where no compiler was at hand."""
FLOOR = Peer("bare_gevent", "bare gevent.socket", "bare_gevent", lacks=NO_WEBSOCKET)
"""Whose costs the others are divided by."""

PEERS = (
    OURS,
    PURE,
    FLOOR,
    Peer("websocket_client", "websocket-client", "websocket_client_patched", lacks=NO_DEFLATE),
    Peer("websockets_sync", "websockets (sync)", "websockets_patched", at_rest=PINGS),
    Peer("lomond", "Lomond", "lomond_patched", at_rest=POLLS_AND_PINGS),
    Peer("ws4py", "ws4py", "ws4py_gevent", lacks=NO_DEFLATE),
    Peer("simple_websocket", "simple-websocket", "simple_websocket_patched", lacks=NO_DEFLATE),
    Peer("bare_uvloop", "bare uvloop", "bare_uvloop", lacks=NO_WEBSOCKET),
    Peer("picows", "picows", "picows_uvloop", lacks=NO_DEFLATE),
    Peer("aiohttp", "aiohttp", "aiohttp_uvloop"),
    Peer("websockets_asyncio", "websockets (asyncio)", "websockets_uvloop", at_rest=PINGS),
)


def list_pinned(requirements: str) -> list[str]:
    """Return "name version" of what `<requirements>.txt` begins with; what that needs is left out.

    A comment divides the two.
    """
    text = (REQUIREMENTS / f"{requirements}.txt").read_text()
    return text.partition("#")[0].replace("==", " ").splitlines()


def find_peer(name: str) -> Peer:
    """Return the peer of that name; ValueError if there is none."""
    for peer in PEERS:
        if peer.name == name:
            return peer
    known = ", ".join(peer.name for peer in PEERS)
    raise ValueError(f"there is no peer {name!r}; there are {known}")
