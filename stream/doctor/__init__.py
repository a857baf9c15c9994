"""``driftline check --live``: asks the real source and sinks what they are like, and says what that means for the job.

It only asks: no group, topic, metric or message is made anywhere, and the state file is read beside a running owner. What a
kind of source or sink can be asked stands in one file, ``sources/<type>.py`` or ``sinks/<type>.py``, as a function
``look(part, setup)`` that returns findings; a kind without such a file is told as one that has no live check.
"""
