"""Serves `/metrics`, `/healthz` and `/readyz`; may import `event_time`, `outcomes` and `errors`."""
