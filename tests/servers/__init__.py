"""Servers and tools for tests and benchmarks: Kafka, cloud emulators, proxies, Prometheus."""
