"""Masking of what a client sends: RFC 6455 §5.3, §10.3.

`make_key` draws a masking key, `mask` applies it. There are three ways to apply
one, identical to the bit: the compiled accelerator of this package, the wsaccel
package, and pure Python. `mask` takes the fastest for the size at hand; setting
LOMOND_ACCELERATOR in the environment to `wsaccel` or `none` rules out the faster
ones (see `compiled`).

Where key and payload stand in a frame does not belong here: see `frames`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from struct import Struct
from typing import TypeAlias

from lomond.protocol.compiled import accelerator, wsaccel

Payload: TypeAlias = bytes | bytearray | memoryview
Masker: TypeAlias = Callable[[bytes, bytes], bytes]
AnyMasker: TypeAlias = Callable[[Payload, bytes], bytes]
PartMasker: TypeAlias = Callable[[bytes, bytes, int, int, bytes], bytes]

KEY_SIZE = 4

# The payload sizes, in bytes, at which one way gives way to the next. µs for one call, the best
# of 300 interleaved runs (CPython 3.11, wsaccel 0.6.7, x86-64):
#
#     bytes           1     32     64    256   1024   4096  64 KiB   1 MiB
#     accelerator  0.04   0.04   0.04   0.04   0.09   0.16     1.6      40
#     integers     0.29   0.44   0.52   0.91   2.76    8.8     132   6,200
#     wsaccel      0.42   0.47   0.51   0.75   1.83    5.9      86   1,400
#     translation  1.04   1.12   1.17   1.45   2.75    8.6     118   1,600
WSACCEL_FROM = 64
TRANSLATION_FROM = 1024

# os.urandom(4) costs 570 ns, a key out of one larger draw 130 ns.
KEYS_PER_DRAW = 1024
_split_keys = Struct(f"{KEY_SIZE}s" * KEYS_PER_DRAW).unpack

_from_bytes = int.from_bytes


def mask_by_integers(payload: bytes, key: bytes) -> bytes:
    """Mask as one XOR of two big integers: the fastest way for short payloads."""
    size = len(payload)
    keys = (key * (size // KEY_SIZE + 1))[:size]
    return (_from_bytes(payload, "little") ^ _from_bytes(keys, "little")).to_bytes(size, "little")


def mask_by_translation(payload: bytes, key: bytes) -> bytes:
    """Mask every fourth byte at once by a table: the fastest pure Python for long payloads."""
    masked = bytearray(payload)
    tables = _xor_tables()
    first, second, third, fourth = key
    masked[0::4] = masked[0::4].translate(tables[first])
    masked[1::4] = masked[1::4].translate(tables[second])
    masked[2::4] = masked[2::4].translate(tables[third])
    masked[3::4] = masked[3::4].translate(tables[fourth])
    return bytes(masked)


@cache
def _xor_tables() -> tuple[bytes, ...]:
    # 64 KiB and 0.3 ms, spent by the first long payload and only where wsaccel is missing.
    every_byte = bytes(range(256))
    return tuple(mask_by_integers(every_byte, bytes((byte,) * KEY_SIZE)) for byte in range(256))


def _make_wsaccel_masker() -> Masker | None:
    if wsaccel is None:
        return None
    make_masker = wsaccel.XorMaskerSimple

    def mask_by_wsaccel(payload: bytes, key: bytes) -> bytes:
        """Mask by the compiled loop of the wsaccel package."""
        masked: bytes = make_masker(key).process(payload)
        return masked

    return mask_by_wsaccel


mask_by_wsaccel: Masker | None = _make_wsaccel_masker()
"""Mask by the compiled loop of the wsaccel package; None where it cannot be used."""

_mask_long: Masker = mask_by_wsaccel or mask_by_translation
_long_from = WSACCEL_FROM if mask_by_wsaccel else TRANSLATION_FROM


def mask_by_size(payload: Payload, key: bytes) -> bytes:
    """Mask by the fastest way there is without the accelerator."""
    # A copy: wsaccel does not promise to leave a bytearray alone, and the length of a view
    # counts its items.
    data = payload if type(payload) is bytes else bytes(payload)
    if len(data) < _long_from:
        return mask_by_integers(data, key)
    return _mask_long(data, key)


mask_by_accelerator: AnyMasker | None = None if accelerator is None else accelerator.mask
"""Mask by the compiled loop of this package; None where it cannot be used."""


# RFC 6455 §5.3: "Octet i of the transformed data is the XOR of octet i of the original
# data with octet at index i modulo 4 of the masking key"
mask: AnyMasker = mask_by_accelerator or mask_by_size
"""Return the payload masked, or a masked payload as it was before: twice is identity.

The key, the second argument, has 4 bytes. The first is never changed; a view of anything but
bytes counts as the bytes of its memory.
"""


def mask_part_by_slices(head: bytes, payload: bytes, start: int, stop: int, key: bytes) -> bytes:
    """Return `head`, and behind it the bytes of `payload` from `start` to `stop` masked.

    The key begins anew at `start`.
    """
    return head + mask(payload[start:stop], key)


mask_part: PartMasker = mask_part_by_slices if accelerator is None else accelerator.mask_part
"""The same, by the compiled loop if there is one: it copies no slice."""

# Keys nobody has used yet. Needs no lock: list.pop and list.extend are atomic, among threads
# and so among greenlets. Replaced in a forked child, which would use its parent's keys again.
_pool: list[bytes] = []


def make_key() -> bytes:
    """Return a masking key: 4 bytes that `os.urandom` gave for this call alone.

    Safe in threads, greenlets and forked processes.
    """
    # RFC 6455 §10.3: "Clients MUST choose a new masking key for each frame, using an algorithm
    # that cannot be predicted by end applications that provide data."
    while True:
        pool = _pool
        try:
            return pool.pop()
        except IndexError:
            drawn = os.urandom(KEY_SIZE * KEYS_PER_DRAW)
        # Into the list that was empty: if a signal handler forked since, the child has another
        # one, and what both processes have drawn here is lost to it.
        pool.extend(_split_keys(drawn))


def _forget_keys() -> None:
    global _pool
    _pool = []


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_keys)
