"""The six checks of SageMaker Model Monitor, counted and decided as it does."""
