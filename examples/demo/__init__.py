"""The demo: a thousand WebSockets as greenlets of one process, measured and checked.

    make demo
    make demo CLIENTS=5000
    python -m examples.demo --help

The server is a process of its own (`examples.server`). Each client connects, sees a `Poll`, has
its own payloads echoed and compares them, and closes gracefully; whatever else happens is a
problem, and the exit code 1.

To be read in this order: `client` is one WebSocket in its greenlet and all that an application has
to know of this library; `crowd` leads many of them through the acts; `tally` collects what
happened; `machine` is what the operating system allows; `progress` and `report` are what one sees;
`__main__` puts it together.
"""
