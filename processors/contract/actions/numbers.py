"""Actions on numbers: those for sale, those that are ours, and those of others that we may call from.

https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource
"""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ingest.contract.sids import AccountSid, NumberSid
from processors.contract.actions.action import (
    E164,
    ActionBase,
    ApplicationSid,
    Cleared,
    Line,
    ListAction,
    ListForResult,
    Method,
    Url,
    refuse_both,
    require_one,
    require_with,
)

Kind = Literal["local", "toll_free", "mobile", "national", "voip", "shared_cost", "machine_to_machine"]
AddressSid = Annotated[str, Field(pattern=r"^AD[0-9a-fA-F]{32}$")]
Place = Annotated[str, Field(min_length=1, max_length=128)]
PartOfNumber = Annotated[str, Field(pattern=r"^\+?[0-9A-Za-z*]{1,20}$")]


class SearchNumbers(ListForResult):
    """GET /AvailablePhoneNumbers/{CountryCode}/{Kind}. Repeatable. The numbers stand in the result.

    Areas, `near_…` and all but `in_locality` of `in_…` are for the US and Canada.
    https://www.twilio.com/docs/phone-numbers/api/availablephonenumber-resource
    """

    type: Literal["numbers.search"] = "numbers.search"
    country_code: Annotated[str, Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1")]
    kind: Kind = "local"
    area_code: Annotated[int, Field(ge=200, le=999)] | None = None
    contains: Annotated[str, Field(pattern=r"^[0-9A-Za-z*%+$]{2,16}$")] | None = None
    sms_enabled: bool | None = None
    mms_enabled: bool | None = None
    voice_enabled: bool | None = None
    fax_enabled: bool | None = None
    exclude_all_address_required: bool | None = None
    exclude_local_address_required: bool | None = None
    exclude_foreign_address_required: bool | None = None
    beta: bool | None = None
    near_number: E164 | None = None
    near_lat_long: Annotated[str, Field(pattern=r"^-?\d{1,2}(\.\d+)?,-?\d{1,3}(\.\d+)?$")] | None = None
    distance: Annotated[int, Field(ge=1, le=500, description="miles")] | None = None
    in_postal_code: Place | None = None
    in_region: Place | None = None
    in_rate_center: Place | None = None
    in_lata: Place | None = None
    in_locality: Place | None = None

    @model_validator(mode="after")
    def _can_be_found(self) -> Self:
        refuse_both(self, "near_number", "near_lat_long")
        if self.distance is not None and self.near_lat_long is None:
            require_with(self, "distance", "near_number")
        require_with(self, "in_rate_center", "in_lata")
        return self


class Configured(ActionBase):
    """What a number of ours does when it is called or written to. An application or a trunk goes before URLs."""

    friendly_name: Line | None = None
    api_version: Line | None = None
    voice_url: Url | Cleared | None = None
    voice_method: Method | None = None
    voice_fallback_url: Url | Cleared | None = None
    voice_fallback_method: Method | None = None
    voice_application_sid: ApplicationSid | Cleared | None = None
    voice_caller_id_lookup: bool | None = None
    voice_receive_mode: Literal["voice", "fax"] | None = None
    sms_url: Url | Cleared | None = None
    sms_method: Method | None = None
    sms_fallback_url: Url | Cleared | None = None
    sms_fallback_method: Method | None = None
    sms_application_sid: ApplicationSid | Cleared | None = None
    status_callback: Url | Cleared | None = None
    status_callback_method: Method | None = None
    trunk_sid: Annotated[str, Field(pattern=r"^TK[0-9a-fA-F]{32}$")] | Cleared | None = None
    emergency_status: Literal["Active", "Inactive"] | None = None
    emergency_address_sid: AddressSid | Cleared | None = None
    identity_sid: Annotated[str, Field(pattern=r"^RI[0-9a-fA-F]{32}$")] | Cleared | None = None
    address_sid: AddressSid | Cleared | None = None
    bundle_sid: Annotated[str, Field(pattern=r"^BU[0-9a-fA-F]{32}$")] | Cleared | None = None

    @model_validator(mode="after")
    def _is_answered_by_one(self) -> Self:
        refuse_both(self, "trunk_sid", "voice_application_sid")
        return self


class BuyNumber(Configured):
    """POST /IncomingPhoneNumbers: this one, or any of an area. Costs money. Not repeatable.

    https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource#provision-a-phone-number
    """

    is_repeatable: ClassVar[bool] = False
    type: Literal["numbers.buy"] = "numbers.buy"
    phone_number: E164 | None = None
    area_code: Annotated[str, Field(pattern=r"^[2-9][0-9]{2}$")] | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        require_one(self, "phone_number", "area_code")
        return self


class ListNumbers(ListForResult):
    """GET /IncomingPhoneNumbers. Repeatable. `phone_number` may be a part of one, with `*` for any digit."""

    type: Literal["numbers.list"] = "numbers.list"
    phone_number: PartOfNumber | None = None
    friendly_name: Line | None = None
    beta: bool | None = None
    origin: Literal["twilio", "hosted"] | None = None


class WireNumbers(ListAction):
    """GET /IncomingPhoneNumbers, and compare where each of them sends calls, messages and statuses with the URLs of the
    front door; with `fix`, POST …/{Sid} of what differs. Repeatable.

    The result shows those that differ, and counts all. What an application or a trunk answers is told and left alone;
    that a number belongs to a Messaging Service, which may answer in its place, this API does not tell.
    """

    type: Literal["numbers.wire"] = "numbers.wire"
    phone_number: PartOfNumber | None = None
    friendly_name: Line | None = None
    fix: bool = False


class NumberAction(ActionBase):
    number_sid: NumberSid


class FetchNumber(NumberAction):
    """GET /IncomingPhoneNumbers/{Sid}. Repeatable."""

    type: Literal["numbers.fetch"] = "numbers.fetch"


class ConfigureNumber(Configured):
    """POST /IncomingPhoneNumbers/{Sid}. Repeatable. An empty text takes a value away; what is not given stays.

    `to_account_sid` moves it to another account of ours, which may then no longer be asked for it here.
    """

    type: Literal["numbers.configure"] = "numbers.configure"
    number_sid: NumberSid
    to_account_sid: AccountSid | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        names = (Configured.model_fields.keys() | {"to_account_sid"}) - ActionBase.model_fields.keys()
        if all(getattr(self, name) is None for name in names):
            raise ValueError("numbers.configure needs something to change, such as `voice_url`")
        return self


class ReleaseNumber(NumberAction):
    """DELETE /IncomingPhoneNumbers/{Sid}: anybody may buy it then. Repeatable: one that is gone is released."""

    type: Literal["numbers.release"] = "numbers.release"


class VerifyCallerId(ActionBase):
    """POST /OutgoingCallerIds: the provider calls the number, and whoever answers types the code that stands in the
    result. Not repeatable: each is a call. https://www.twilio.com/docs/voice/api/outgoing-caller-ids
    """

    is_repeatable: ClassVar[bool] = False
    type: Literal["caller_ids.verify"] = "caller_ids.verify"
    phone_number: E164
    friendly_name: Line | None = None
    call_delay: Annotated[int, Field(ge=0, le=60, description="seconds")] | None = None
    extension: Annotated[str, Field(pattern=r"^[0-9*#wW]{1,32}$")] | None = None
    status_callback: Url | None = None
    status_callback_method: Method | None = None


class ListCallerIds(ListForResult):
    """GET /OutgoingCallerIds. Repeatable. Of the numbers the result shows no more than their last digits."""

    type: Literal["caller_ids.list"] = "caller_ids.list"
    phone_number: E164 | None = None
    friendly_name: Line | None = None


class CallerIdAction(ActionBase):
    caller_id_sid: NumberSid


class FetchCallerId(CallerIdAction):
    """GET /OutgoingCallerIds/{Sid}. Repeatable."""

    type: Literal["caller_ids.fetch"] = "caller_ids.fetch"


class UpdateCallerId(CallerIdAction):
    """POST /OutgoingCallerIds/{Sid}. Repeatable."""

    type: Literal["caller_ids.update"] = "caller_ids.update"
    friendly_name: Line


class DeleteCallerId(CallerIdAction):
    """DELETE /OutgoingCallerIds/{Sid}. Repeatable: one that is gone is deleted."""

    type: Literal["caller_ids.delete"] = "caller_ids.delete"


NumbersAction = (
    SearchNumbers
    | BuyNumber
    | ListNumbers
    | FetchNumber
    | ConfigureNumber
    | ReleaseNumber
    | WireNumbers
    | VerifyCallerId
    | ListCallerIds
    | FetchCallerId
    | UpdateCallerId
    | DeleteCallerId
)
