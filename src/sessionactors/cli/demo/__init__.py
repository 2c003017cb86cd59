"""``sessionactors demo``: the product's first minute. A caller asks, uses a tool, interrupts, says goodbye; offline.

:mod:`.script` what is said, :mod:`.voices` the caller's voice, :mod:`.front_desk` the agent, :mod:`.run` the call,
:mod:`.live` what is shown meanwhile, :mod:`.call_record` and :mod:`.timeline` what is made of it, :mod:`.verify`
whether it was as it should.
"""
