"""The runtime: everything that knows brokers, files, processes and time."""
