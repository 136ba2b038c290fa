"""The Autobahn|Testsuite against both session classes: `make autobahn`."""
