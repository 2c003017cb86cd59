"""One provider object for many rooms: connections are used again, and requests that are given up leave nothing.

`python benchmarks/providers.py` does it with 500 requests and gives the figures.
"""

from __future__ import annotations

import pytest

from sessionactors.testing.conformance import LLMRig, RealtimeRig, STTRig, TTSRig
from sessionactors.testing.conformance.footprint import footprint, settled

from tests.conformance.our_rigs import AnyRig, vendors
from tests.providers.sharing import most_connections, share, warm

ROOMS, EACH = 2, 6
RIGS = [rig for kind in (LLMRig, RealtimeRig, STTRig, TTSRig) for rig in vendors(kind)]


@pytest.mark.parametrize("rig", RIGS, ids=str)
async def test_requests_of_many_rooms_half_of_them_given_up_reuse_connections_and_leave_nothing(rig: AnyRig) -> None:
    async with rig.opened() as provider:
        await warm(rig, provider, rooms=ROOMS)
        before = await footprint()
        shared = await share(rig, provider, rooms=ROOMS, each=EACH)
        assert (shared.answered, shared.given_up) == (ROOMS * EACH // 2, ROOMS * EACH // 2)
        assert shared.connections <= most_connections(rig, shared, ROOMS)
        # A warm connection more is none that was left; one for each that was given up is.
        assert await settled(before, 5.0, allowed=shared.given_up - 1) == ""
