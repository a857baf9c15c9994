"""Decodes the capture records of SageMaker endpoints; may import `formats` and `events`."""
