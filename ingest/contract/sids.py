"""SIDs: the provider's identifiers, two letters and 32 hexadecimal digits.

Source: pattern fields of the provider's OpenAPI file, https://github.com/twilio/twilio-oai.
"""

from typing import Annotated

from pydantic import StringConstraints

AccountSid = Annotated[str, StringConstraints(pattern=r"^AC[0-9a-fA-F]{32}$")]
MessageSid = Annotated[str, StringConstraints(pattern=r"^(SM|MM)[0-9a-fA-F]{32}$")]
CallSid = Annotated[str, StringConstraints(pattern=r"^CA[0-9a-fA-F]{32}$")]
RecordingSid = Annotated[str, StringConstraints(pattern=r"^RE[0-9a-fA-F]{32}$")]
ConferenceSid = Annotated[str, StringConstraints(pattern=r"^CF[0-9a-fA-F]{32}$")]
MessagingServiceSid = Annotated[str, StringConstraints(pattern=r"^MG[0-9a-fA-F]{32}$")]
TranscriptionSid = Annotated[str, StringConstraints(pattern=r"^(TR|GT)[0-9a-fA-F]{32}$")]
"""`TR…` of a recording's transcription, `GT…` of a real-time one."""
MediaSid = Annotated[str, StringConstraints(pattern=r"^ME[0-9a-fA-F]{32}$")]
NumberSid = Annotated[str, StringConstraints(pattern=r"^PN[0-9a-fA-F]{32}$")]
"""Of a number that is ours, and of a caller ID too."""
ErrorSid = Annotated[str, StringConstraints(pattern=r"^NO[0-9a-fA-F]{32}$")]
AnySid = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}[0-9a-fA-F]{32}$")]
