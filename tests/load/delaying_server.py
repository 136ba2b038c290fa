"""A server that echoes with known delays, stalls once, and writes down when it did what.

    python delaying_server.py '{"delays": [0.2, 0.3], "stall_at": 0.8, "stall": 1.0}'

It prints its port, and when its standard input ends, for each message of its clients: its number
(the first eight bytes), when it had come and when its answer left, in monotonic seconds, which all
processes of a machine have in common. It goes on reading while it stalls: what it writes down is
when messages came, not when it had time for them.
"""

from __future__ import annotations

import asyncio
import json
import sys
from itertools import cycle
from time import monotonic
from typing import Any

from tests.helpers.frames import server_frame, take_client_frame
from tests.helpers.scripted_server import upgrade_answer

CLOSE, PING, PONG = 0x88, 0x89, 0x8A


class Delayer(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._unread = bytearray()
        self._is_open = False

    def connection_made(self, transport: Any) -> None:
        """Have a way to answer."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer what is complete: messages after their delay, all else at once."""
        now = monotonic()
        self._unread += data
        if not self._is_open and (end := self._unread.find(b"\r\n\r\n") + 4) >= 4:
            self._is_open = True
            self._transport.write(upgrade_answer(bytes(self._unread[:end])))
            del self._unread[:end]
        while self._is_open and (taken := take_client_frame(self._unread)) is not None:
            first_byte, payload, end = taken
            del self._unread[:end]
            if first_byte in (CLOSE, PING):
                self._transport.write(server_frame({PING: PONG}.get(first_byte, CLOSE), payload))
            else:
                due = self._script.choose_time(now)
                asyncio.get_running_loop().call_at(due, self._answer, first_byte, payload, now)

    def _answer(self, first_byte: int, payload: bytes, came: float) -> None:
        self._script.records.append((int(payload[:8]), came, monotonic()))
        self._transport.write(server_frame(first_byte, payload))


class Script:
    """When answers leave, and when they did."""

    def __init__(self, delays: list[float], stall_at: float, stall: float) -> None:
        self.records: list[tuple[int, float, float]] = []
        self._delays = cycle(delays)
        self._stall_at = stall_at
        self._stall = stall
        self._first: float | None = None

    def choose_time(self, now: float) -> float:
        """Return when to answer what has come now; asyncio's clock is the monotonic one."""
        self._first = now if self._first is None else self._first
        due, begin = now + next(self._delays), self._first + self._stall_at
        return begin + self._stall if begin < due < begin + self._stall else due


async def serve() -> None:
    """Serve until standard input ends."""
    script = Script(**json.loads(sys.argv[1]))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Delayer(script), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.buffer.read)
    print(json.dumps(script.records), flush=True)


if __name__ == "__main__":
    asyncio.run(serve())
