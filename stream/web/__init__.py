"""Serves `/metrics`, `/healthz` and `/readyz`; may import `events` and below."""
