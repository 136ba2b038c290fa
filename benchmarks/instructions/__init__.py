"""The gate on the cost of a message, in instructions: `python -m benchmarks.instructions`."""
