"""Recording a session, and reading what was recorded.

A journal holds what came to a session from outside, in the order of its delivery, and how its actors went on from
there. ``encoding`` and ``decoding`` turn values into bytes and back; what only lives where it was recorded comes back
as one of the ``stand_ins``.
"""
