"""Resources: what stands in a result of what has no topic of its own. Of the provider's properties, those named here.

Numbers that are ours or for sale are nobody's personal data; of any other, the last digits are left. Texts and names of
people, tokens, and passwords and queries in URLs are left out. Everything may be missing: the provider leaves out what
it likes.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from ingest.contract.events import Frozen
from ingest.contract.sids import AccountSid, AnySid, CallSid, MediaSid, MessageSid, NumberSid, RecordingSid
from ingest.contract.times import Instant

Text = Annotated[str, Field(max_length=256)]
Amount = Annotated[str, Field(max_length=32)]
Masked = Annotated[str, Field(max_length=5, description="`…` and the last four digits")]
Url = Annotated[str, Field(max_length=4000, description="without a user's name and password; of a query, `?…` is left")]
Capabilities = Annotated[Mapping[str, bool], Field(description="voice, sms, mms, fax")]


class AvailableNumber(Frozen):
    """https://www.twilio.com/docs/phone-numbers/api/availablephonenumber-resource"""

    kind: Literal["available_number"]
    phone_number: Text | None = None
    iso_country: Text | None = None
    region: Text | None = None
    locality: Text | None = None
    postal_code: Text | None = None
    rate_center: Text | None = None
    lata: Text | None = None
    latitude: Amount | None = None
    longitude: Amount | None = None
    address_requirements: Text | None = None
    beta: bool | None = None
    capabilities: Capabilities | None = None


class OwnedNumber(Frozen):
    """https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource"""

    kind: Literal["number"]
    sid: NumberSid | None = None
    account_sid: AccountSid | None = None
    phone_number: Text | None = None
    friendly_name: Text | None = None
    status: Text | None = None
    type: Text | None = None
    origin: Text | None = None
    beta: bool | None = None
    capabilities: Capabilities | None = None
    date_created: Instant | None = None
    date_updated: Instant | None = None
    api_version: Text | None = None
    voice_url: Url | None = None
    voice_method: Text | None = None
    voice_fallback_url: Url | None = None
    voice_fallback_method: Text | None = None
    voice_application_sid: Text | None = None
    voice_caller_id_lookup: bool | None = None
    voice_receive_mode: Text | None = None
    sms_url: Url | None = None
    sms_method: Text | None = None
    sms_fallback_url: Url | None = None
    sms_fallback_method: Text | None = None
    sms_application_sid: Text | None = None
    status_callback: Url | None = None
    status_callback_method: Text | None = None
    trunk_sid: Text | None = None
    emergency_status: Text | None = None
    emergency_address_sid: Text | None = None
    emergency_address_status: Text | None = None
    address_requirements: Text | None = None
    address_sid: Text | None = None
    identity_sid: Text | None = None
    bundle_sid: Text | None = None


class CallerId(Frozen):
    """Somebody's number. Its name is the number, until somebody names it after its owner: so neither is here.

    https://www.twilio.com/docs/voice/api/outgoing-caller-ids
    """

    kind: Literal["caller_id"]
    sid: NumberSid | None = None
    account_sid: AccountSid | None = None
    phone_number: Masked | None = None
    date_created: Instant | None = None
    date_updated: Instant | None = None


class Verification(Frozen):
    """What the provider asks for when it calls the number: `validation_code` is for whoever answers, and once."""

    kind: Literal["verification"]
    account_sid: AccountSid | None = None
    call_sid: CallSid | None = None
    phone_number: Masked | None = None
    validation_code: Text | None = None


class Account(Frozen):
    """Without its token, and without its name while that is its owner's e-mail address, as at first.

    https://www.twilio.com/docs/iam/api/account
    """

    kind: Literal["account"]
    sid: AccountSid | None = None
    friendly_name: Text | None = None
    status: Text | None = None
    type: Text | None = None
    owner_account_sid: AccountSid | None = None
    date_created: Instant | None = None
    date_updated: Instant | None = None


class Balance(Frozen):
    kind: Literal["balance"]
    account_sid: AccountSid | None = None
    balance: Amount | None = None
    currency: Text | None = None


class Media(Frozen):
    """What is known of a message's file. https://www.twilio.com/docs/messaging/api/media-resource"""

    kind: Literal["media"]
    sid: MediaSid | None = None
    account_sid: AccountSid | None = None
    parent_sid: MessageSid | None = None
    content_type: Text | None = None
    date_created: Instant | None = None
    date_updated: Instant | None = None


class Transcription(Frozen):
    """Without its text. https://www.twilio.com/docs/voice/api/recording-transcription"""

    kind: Literal["transcription"]
    sid: Annotated[str, Field(pattern=r"^TR[0-9a-fA-F]{32}$")] | None = None
    account_sid: AccountSid | None = None
    recording_sid: RecordingSid | None = None
    status: Text | None = None
    type: Text | None = None
    duration: Amount | None = Field(default=None, description="seconds")
    price: Amount | None = None
    price_unit: Text | None = None
    date_created: Instant | None = None
    date_updated: Instant | None = None


class Reference(Frozen):
    """One of what a list found, where it has a topic of its own and the list was to name what it finds (`sids`)."""

    kind: Literal["reference"]
    sid: AnySid | None = None


class Download(Frozen):
    """A file of a recording or a message, whole, in the store of media."""

    kind: Literal["download"]
    sid: AnySid | None = None
    account_sid: AccountSid | None = None
    location: Annotated[str, Field(max_length=256, description="its path within the store")] | None = None
    content_type: Text | None = None
    bytes: Annotated[int, Field(ge=0)] | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    deleted: Annotated[bool, Field(description="at the provider")] | None = None


class Difference(Frozen):
    """One property of a number. A URL of the front door is told by what follows its address; of others, that there is
    one (`another`) or none (`none`)."""

    field: Text
    as_is: Text
    wanted: Text


class Wiring(Frozen):
    """A number of ours that does not call the front door as it should. `answered_by` is what answers calls or messages
    in place of its URLs, which are left alone then: `trunk`, `voice_application`, `sms_application`.

    `differences` are as it was found; `outcome` says whether they were put right.
    """

    kind: Literal["wiring"]
    sid: NumberSid | None = None
    account_sid: AccountSid | None = None
    phone_number: Masked | None = None
    differences: tuple[Difference, ...] = ()
    answered_by: tuple[Text, ...] = ()
    outcome: Literal["found", "fixed", "refused"] | None = None
    error_code: int | None = None


Resource = Annotated[
    AvailableNumber
    | OwnedNumber
    | CallerId
    | Verification
    | Account
    | Balance
    | Media
    | Transcription
    | Reference
    | Download
    | Wiring,
    Field(discriminator="kind"),
]
