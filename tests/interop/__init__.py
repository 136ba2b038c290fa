"""Conversations with the servers that people run: `make interop`."""
