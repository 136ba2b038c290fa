"""Mutation testing: does a test fail when a line of the protocol is wrong? See `run`."""
