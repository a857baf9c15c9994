"""What each kind of source can be asked: one file a kind, its name is the `type` of the source."""
