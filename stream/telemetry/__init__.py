"""The service's own metrics and log; may import `aggregation`, `config`, `web` and below."""
