"""Nothing that the OpenAPI allows or forbids is answered by a fault of ours. Many more by ``make fuzz-http``."""

from __future__ import annotations


def test_p25_what_schemathesis_sends_is_no_fault_of_ours() -> None:
    from tests.service.fuzzed import fuzz  # schemathesis takes a second to import

    outcome = fuzz(2)
    assert outcome.faults == []
    assert len(outcome.requests) == 19
    assert {200, 404} <= set(outcome.statuses)
