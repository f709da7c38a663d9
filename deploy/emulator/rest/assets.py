"""What an account has, as the REST API shows it: numbers for sale and its own, caller IDs, accounts.

Every property of the provider's OpenAPI file, with its type, as in `representations`.
"""

import re
from collections.abc import Mapping

from deploy.emulator.account import Account
from deploy.emulator.callbacks.parameters import API_VERSION
from deploy.emulator.errors import Json
from deploy.emulator.lives.inventory import COUNTRIES, Available
from deploy.emulator.resources import Call, CallerId, Number, SubAccount
from deploy.emulator.rest.representations import date, uri

# What there is below an account.
COLLECTIONS = (
    "AvailablePhoneNumbers",
    "Balance",
    "Calls",
    "Conferences",
    "IncomingPhoneNumbers",
    "Messages",
    "Notifications",
    "OutgoingCallerIds",
    "Recordings",
    "Transcriptions",
)
# What a number is configured with, and what it says where it is not.
SETTINGS: Mapping[str, str | None] = {
    "AddressSid": None,
    "ApiVersion": API_VERSION,
    "BundleSid": None,
    "EmergencyAddressSid": None,
    "EmergencyStatus": "Inactive",
    "IdentitySid": None,
    "SmsApplicationSid": None,
    "SmsFallbackMethod": "POST",
    "SmsFallbackUrl": "",
    "SmsMethod": "POST",
    "SmsUrl": "",
    "StatusCallback": "",
    "StatusCallbackMethod": "POST",
    "TrunkSid": None,
    "VoiceApplicationSid": None,
    "VoiceFallbackMethod": "POST",
    "VoiceFallbackUrl": "",
    "VoiceMethod": "POST",
    "VoiceReceiveMode": "voice",
    "VoiceUrl": "",
    "VoiceCallerIdLookup": "false",
}


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def country(account: Account, code: str) -> Json:
    sold = COUNTRIES[code]
    kinds = {_snake(kind): uri(account, "AvailablePhoneNumbers", code, kind) for kind in sold.kinds}
    return {
        "beta": sold.beta,
        "country": sold.name,
        "country_code": code,
        "subresource_uris": kinds,
        "uri": uri(account, "AvailablePhoneNumbers", code),
    }


def available(account: Account, shown: Available) -> Json:
    block = shown.block
    return {
        "address_requirements": shown.address_requirements,
        "beta": shown.beta,
        "capabilities": dict(shown.capabilities),
        "friendly_name": shown.friendly_name,
        "iso_country": shown.country,
        "lata": block.lata,
        "latitude": block.latitude,
        "locality": block.locality,
        "longitude": block.longitude,
        "phone_number": shown.phone_number,
        "postal_code": block.postal_code,
        "rate_center": block.rate_center,
        "region": block.region,
    }


def number(account: Account, shown: Number) -> Json:
    configured = {_snake(name): shown.settings.get(name) or default for name, default in SETTINGS.items()}
    return {
        **configured,
        "sid": shown.sid,
        "account_sid": shown.owner,
        "address_requirements": shown.address_requirements,
        "beta": shown.beta,
        "capabilities": dict(shown.capabilities),
        "date_created": date(shown.date_created),
        "date_updated": date(shown.date_updated),
        "emergency_address_status": "registered" if configured["emergency_address_sid"] else "unregistered",
        "friendly_name": shown.friendly_name,
        "origin": "twilio",
        "phone_number": shown.phone_number,
        "status": "in-use",
        "type": _snake(shown.kind),
        "uri": uri(account, "IncomingPhoneNumbers", shown.sid),
        "voice_caller_id_lookup": configured["voice_caller_id_lookup"] == "true",
    }


def number_of_kind(account: Account, shown: Number) -> Json:
    """As in the list of its kind, which does not repeat the kind."""
    return {name: value for name, value in number(account, shown).items() if name != "type"}


def caller_id(account: Account, shown: CallerId) -> Json:
    return {
        "sid": shown.sid,
        "account_sid": account.sid,
        "date_created": date(shown.date_created),
        "date_updated": date(shown.date_updated),
        "friendly_name": shown.friendly_name,
        "phone_number": shown.phone_number,
        "uri": uri(account, "OutgoingCallerIds", shown.sid),
    }


def validation(account: Account, call: Call, name: str, code: str) -> Json:
    return {
        "account_sid": account.sid,
        "call_sid": call.sid,
        "friendly_name": name,
        "phone_number": call.to,
        "validation_code": code,
    }


def account(account: Account, shown: SubAccount) -> Json:
    above = f"/{API_VERSION}/Accounts/{shown.sid}"
    return {
        "sid": shown.sid,
        "auth_token": shown.token,
        "date_created": date(shown.date_created),
        "date_updated": date(shown.date_updated),
        "friendly_name": shown.friendly_name,
        "owner_account_sid": account.sid,
        "status": shown.status,
        "subresource_uris": {_snake(name): f"{above}/{name}.json" for name in COLLECTIONS},
        "type": "Full",
        "uri": f"{above}.json",
    }
