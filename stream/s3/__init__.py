"""The state as an object in S3, and who owns it."""
