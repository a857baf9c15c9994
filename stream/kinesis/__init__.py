"""The Kinesis side of the source ``kinesis``: its shards and how each is read."""
