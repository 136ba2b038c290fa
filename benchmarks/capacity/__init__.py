"""What a connection and a message cost in `lomond-load` and in Locust, for `docs/capacity.md`."""
