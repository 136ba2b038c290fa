"""What the load generator itself costs: CPU beside a plain loop, and memory for each client."""
