"""The real components that the tests and the benchmarks start: broker, cloud emulator, Prometheus."""
