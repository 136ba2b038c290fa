"""The protocol, pure: bytes and a clock reading in, events and bytes to send out.

      events ▲     ▲ data, now                text, data, ping, close │
             │     │                                                  ▼
    ┌────────┴─────┴─────────────────────┬───────────────────────────────────┐
    │ client: what the peer and          │ connection: the state table, and  │
    │ the clock do                       │ what the application may do       │
    ├────────────────────────────────────┼───────────────────────────────────┤
    │ answer    the upgrade's answer:    │ handshake  the upgrade request:   │
    │           http → handshake         │            headers                │
    │           (extensions, deflate)    │ frames ← masking, deflate         │
    │ inbound   frames → messages        │ outgoing   what is to be written, │
    │           (opcodes, deflate)       │            in order               │
    ├────────────────────────────────────┴───────────────────────────────────┤
    │ heartbeat: polls, pings, deadlines · ending: how it ended · settings   │
    └─────────────────────────────────────────────────────┬──────────────────┘
      NO I/O · NO CLOCK · NO THREADS                       ▼ bytes to send

`tunnel` stands apart: a transport speaks it with a proxy, before there is a WebSocket.

The contract of this package:

- No socket, no thread, no waiting, no clock, no log. `now` is a monotonic reading in seconds
  and comes in as an argument; so does `received_time`, which is wall clock.
- The peer never raises out of `client`: whatever the bytes are, they become events. Readers
  below it raise `lomond.errors`, once, and are of no use afterwards.
- The caller's mistakes raise before anything has changed.
- What is kept is bounded by a limit that is checked before anything is allocated.
- How a stream is cut into reads makes no difference, but for when things happen.
- All state is made anew for each connection.

Reading order: `opcodes`, `frames`, `messages`, `inbound`, then `connection` and `client`, where
everything meets; `headers`, `http`, `extensions`, `handshake` and `answer` for the upgrade;
`heartbeat`, `outgoing` and `ending` for what happens in between; `masking`, `deflate` (RFC 7692)
and `tunnel` at the end. Each module says in its docstring which sections of the RFCs it obeys.
"""

from __future__ import annotations

from lomond.protocol.compiled import prefer_compiled

prefer_compiled(__path__)
