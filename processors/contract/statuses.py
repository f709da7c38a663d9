"""Statuses: how far along each one is, and which may follow which. A resource's status is the highest one ever seen.

Rank is progress; within a rank the second number decides between statuses that contradict each other, so that every
order of arrival ends the same. https://www.twilio.com/docs/messaging/api/message-resource#message-status-values,
https://www.twilio.com/docs/voice/api/call-resource#call-status-values,
https://www.twilio.com/docs/voice/api/recording#recording-status-values,
https://www.twilio.com/docs/voice/api/conference-resource.
"""

from collections.abc import Mapping, Sequence, Set

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
# A participant comes and goes; whether it is there is an attribute that the provider's sequence numbers order.
PARTICIPANT: Mapping[str, Rank] = {"joined": (0, 0), "left": (1, 0)}

RANKS: Mapping[Kind, Mapping[str, Rank]] = {
    "message": MESSAGE,
    "call": CALL,
    "recording": RECORDING,
    "conference": CONFERENCE,
    "participant": PARTICIPANT,
}

TERMINAL: Mapping[Kind, Set[str]] = {
    "message": {"canceled", "failed", "undelivered", "partially_delivered", "delivered", "received", "read"},
    "call": {"canceled", "no-answer", "busy", "failed", "completed"},
    "recording": {"absent", "failed", "completed", "deleted"},
    "conference": {"completed"},
    "participant": {"left"},
}
"""Where nothing more is expected, but `read` after `delivered`, `deleted` after a recording ended, or a rejoin."""

FIRST: Mapping[Kind, Sequence[str]] = {
    "message": ("accepted", "scheduled", "queued", "receiving", "received"),
    "call": ("queued", "initiated", "ringing"),
    "recording": ("in-progress", "started"),
    "conference": ("init",),
    "participant": ("joined", "left"),
}
"""Where a life begins. A participant that could not be added leaves without having joined, and a recording of a
participant may first be heard of as `started`, which is an event of its own to subscribe to."""

NEXT: Mapping[Kind, Mapping[str, Sequence[str]]] = {
    "message": {
        "accepted": ("queued", "failed"),
        "scheduled": ("queued", "canceled", "failed"),
        "queued": ("sending", "sent", "failed", "canceled"),
        "sending": ("sent", "failed"),
        "sent": ("delivered", "undelivered", "partially_delivered"),
        "delivered": ("read",),
        "receiving": ("received",),
    },
    "call": {
        "queued": ("initiated", "canceled", "failed", "busy", "no-answer"),
        "initiated": ("ringing", "busy", "no-answer", "failed", "canceled"),
        "ringing": ("in-progress", "busy", "no-answer", "failed", "canceled"),
        "in-progress": ("completed", "failed"),
    },
    "recording": {
        "in-progress": ("paused", "stopped", "processing", "completed", "absent", "failed"),
        "started": ("in-progress",),
        "paused": ("in-progress", "resumed", "stopped", "processing", "completed", "absent", "failed"),
        "resumed": ("in-progress", "paused"),
        "stopped": ("processing", "completed", "absent", "failed"),
        "processing": ("completed", "absent", "failed"),
        "completed": ("deleted",),
        "absent": ("deleted",),
        "failed": ("deleted",),
    },
    "conference": {"init": ("in-progress", "completed"), "in-progress": ("completed",)},
    "participant": {"joined": ("left",), "left": ("joined",)},
}
"""What the provider may say next. Its callbacks skip what nobody subscribed to, so a path, not an edge, is legal."""
