"""What each kind of sink can be asked: one file a kind, its name is the `type` of the sink."""
