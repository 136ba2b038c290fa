"""Peers, networks and proxies that mean harm, over real sockets, and what they cost."""
