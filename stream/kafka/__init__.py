"""The Kafka side of the source ``kafka``: its clients, and what a topic may do."""
