"""The job that every worker does: keep the furthest status of each message, and say so whenever it gets further.

Input: a value in JSON with `message_sid` and `status`, the SID as key. Output: the SID as key, and the JSON of `said`.
The standard library alone, since the peers have environments of their own.
"""

from collections.abc import Mapping

# The order of processors.contract.statuses; what contradicts each other is ordered too, so that all end the same.
RANK: Mapping[str, int] = {
    "scheduled": 0,
    "accepted": 1,
    "queued": 10,
    "sending": 20,
    "sent": 30,
    "canceled": 40,
    "failed": 41,
    "undelivered": 42,
    "delivered": 44,
    "read": 50,
}


def is_further(status: str, known: str | None) -> bool:
    return known is None or RANK[status] > RANK[known]


def said(sid: str, status: str, previous: str | None, version: int) -> Mapping[str, object]:
    """`version` counts the changes of that message, from 1."""
    return {"sid": sid, "status": status, "previous": previous, "version": version}
