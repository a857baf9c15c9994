"""Existing CloudWatch alarms whose meaning a configuration would change."""
