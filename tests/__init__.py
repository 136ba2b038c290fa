"""The tests: protocol rules with literal bytes, and conversations over real sockets."""
