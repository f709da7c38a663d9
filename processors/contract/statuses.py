"""Statuses: how far along each one is. A resource's status is the highest one ever seen of it.

Rank is progress; within a rank the second number decides between statuses that contradict each other, so that every
order of arrival ends the same. https://www.twilio.com/docs/messaging/api/message-resource#message-status-values,
https://www.twilio.com/docs/voice/api/call-resource#call-status-values.
"""

from collections.abc import Mapping, Set

from processors.contract.changes import Kind

Rank = tuple[int, int]

MESSAGE: Mapping[str, Rank] = {
    "scheduled": (0, 0),
    "accepted": (0, 1),
    "queued": (1, 0),
    "sending": (2, 0),
    "receiving": (2, 1),
    "sent": (3, 0),
    "canceled": (4, 0),
    "failed": (4, 1),
    "undelivered": (4, 2),
    "partially_delivered": (4, 3),
    # A message in segments can report both; part of it was read by somebody, and sending again would double it.
    "delivered": (4, 4),
    "received": (4, 5),
    "read": (5, 0),
}
CALL: Mapping[str, Rank] = {
    "queued": (0, 0),
    "initiated": (1, 0),
    "ringing": (2, 0),
    "in-progress": (3, 0),
    "canceled": (4, 0),
    "no-answer": (4, 1),
    "busy": (4, 2),
    "failed": (4, 3),
    "completed": (5, 0),
}
RECORDING: Mapping[str, Rank] = {
    # Pausing and resuming repeat without a sequence number, so the two cannot be told apart in rank.
    "paused": (0, 0),
    "resumed": (0, 1),
    "started": (0, 2),
    "in-progress": (0, 3),
    "stopped": (1, 0),
    "processing": (2, 0),
    "absent": (3, 0),
    "failed": (3, 1),
    "completed": (3, 2),
    "deleted": (4, 0),
}
CONFERENCE: Mapping[str, Rank] = {"init": (0, 0), "in-progress": (1, 0), "completed": (2, 0)}

RANKS: Mapping[Kind, Mapping[str, Rank]] = {
    "message": MESSAGE,
    "call": CALL,
    "recording": RECORDING,
    "conference": CONFERENCE,
}

TERMINAL: Mapping[Kind, Set[str]] = {
    "message": {"canceled", "failed", "undelivered", "partially_delivered", "delivered", "received", "read"},
    "call": {"canceled", "no-answer", "busy", "failed", "completed"},
    "recording": {"absent", "failed", "completed", "deleted"},
    "conference": {"completed"},
    "participant": {"left"},
}
