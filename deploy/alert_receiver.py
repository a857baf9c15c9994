"""Prints each alert that Alertmanager delivers, as the place of a pager or a chat.

It needs nothing but Python.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MAX_BYTES = 1_000_000


class Receiver(BaseHTTPRequestHandler):
    """Answers every notification with 200 and prints its alerts."""

    def do_POST(self) -> None:
        """Print the alerts of a notification."""
        size = min(int(self.headers.get("Content-Length") or 0), MAX_BYTES)
        try:
            alerts = json.loads(self.rfile.read(size))["alerts"]
        except (ValueError, KeyError, TypeError):
            self.send_error(400, "not a notification of Alertmanager")
            return
        for alert in alerts:
            print(line_of(alert), flush=True)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Log no requests: the alerts are the output."""


def line_of(alert: dict[str, Any]) -> str:
    """Return an alert in one line: its state, name and texts.

    >>> texts = {"summary": "m drifts", "description": "driftline explain ID FEATURE"}
    >>> line_of({"status": "firing", "labels": {"alertname": "A"}, "annotations": texts})
    'firing A: m drifts | driftline explain ID FEATURE'
    """
    texts = alert.get("annotations", {})
    sentences = " | ".join(filter(None, (texts.get("summary"), texts.get("description"))))
    return f"{alert.get('status')} {alert.get('labels', {}).get('alertname')}: {sentences}"


if __name__ == "__main__":
    host, port = (sys.argv[1:] or ["0.0.0.0:8080"])[0].rsplit(":", 1)
    ThreadingHTTPServer((host, int(port)), Receiver).serve_forever()
