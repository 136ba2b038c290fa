"""What messages and connections cost, here and with others: `make bench`."""
