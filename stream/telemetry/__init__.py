"""The metrics and the log of the service; may import `aggregation`, `config`, `web` and below."""
