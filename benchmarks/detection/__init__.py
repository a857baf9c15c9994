"""Quality of detection: false alarms, power, delay and cause, beside the peers in one run."""
