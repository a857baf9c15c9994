"""Tests of SageMaker's numbers."""
