"""The reports and the command line of the load generator."""
