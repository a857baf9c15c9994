"""The numbers of SageMaker Model Monitor: its sketch, its distances, and its statistics."""
