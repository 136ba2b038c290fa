"""What all these programs are asked for, and what they answer."""

from __future__ import annotations

import argparse
import asyncio
import ssl
import sys

HOST = "127.0.0.1"
MAX_MESSAGE_SIZE = 64 * 1024 * 1024
CLOSE_CODE = 3001
CLOSE_REASON = "as you asked"
PING = b"are you there?"


def parse_options() -> argparse.Namespace:
    """Read the command line: `certfile` is a path or None, `compress` a bool."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--certfile")
    parser.add_argument("--compress", action="store_true")
    return parser.parse_args()


def make_context(options: argparse.Namespace) -> ssl.SSLContext | None:
    """Return the TLS context that the options describe, or None for plain TCP."""
    if options.certfile is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.certfile)
    return context


def announce(port: int) -> None:
    """Tell who started this program that it listens."""
    print(port, flush=True)


async def until_input_ends() -> None:
    """Wait until who started this program wants it to end."""
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)
