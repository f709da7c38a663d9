"""Naming: what a file is called in the store, and what it must look like. Pure; the same action gives the same name."""

import re
from collections.abc import Mapping

from processors.contract.actions import Download, DownloadRecording

# https://www.twilio.com/docs/messaging/guides/accepted-mime-types; whoever writes to us may send no other either.
EXTENSIONS: Mapping[str, str] = {
    "audio/3gpp": "3gp",
    "audio/3gpp2": "3g2",
    "audio/aac": "aac",
    "audio/ac3": "ac3",
    "audio/amr": "amr",
    "audio/amr-nb": "amr",
    "audio/basic": "au",
    "audio/l24": "l24",
    "audio/mp4": "m4a",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/ogg": "ogg",
    "audio/opus": "opus",
    "audio/vnd.rn-realaudio": "ra",
    "audio/vnd.wave": "wav",
    "audio/wav": "wav",
    "audio/wave": "wav",
    "audio/x-wav": "wav",
    "audio/webm": "weba",
    "application/msword": "doc",
    "application/pdf": "pdf",
    "application/vcard": "vcf",
    "application/vnd.apple.pkpass": "pkpass",
    "application/vnd.ms-excel": "xls",
    "application/vnd.ms-powerpoint": "ppt",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "image/bmp": "bmp",
    "image/gif": "gif",
    "image/heic": "heic",
    "image/heif": "heif",
    "image/jpeg": "jpg",
    "image/jpg": "jpg",
    "image/png": "png",
    "image/tiff": "tiff",
    "image/webp": "webp",
    "text/calendar": "ics",
    "text/csv": "csv",
    "text/directory": "vcf",
    "text/plain": "txt",
    "text/richtext": "rtx",
    "text/rtf": "rtf",
    "text/vcard": "vcf",
    "text/x-vcard": "vcf",
    "video/3gpp": "3gp",
    "video/3gpp-tt": "3gp",
    "video/3gpp2": "3g2",
    "video/h261": "h261",
    "video/h263": "h263",
    "video/h263-1998": "h263",
    "video/h263-2000": "h263",
    "video/h264": "h264",
    "video/mp4": "mp4",
    "video/mpeg": "mpeg",
    "video/mpeg4": "mp4",
    "video/quicktime": "mov",
    "video/webm": "webm",
}
"""Types that are taken, by name; those with one extension are one type."""

UNNAMED = frozenset({"", "application/octet-stream", "binary/octet-stream"})
"""What a host of files says of one whose type it does not know."""

SOUNDS: Mapping[str, str] = {"wav": "audio/x-wav", "mp3": "audio/mpeg"}
BEGINNINGS: Mapping[str, re.Pattern[bytes]] = {
    "wav": re.compile(rb"RIFF....WAVE", re.DOTALL),
    # An ID3 tag, or the sync word of a frame: https://www.rfc-editor.org/rfc/rfc3003, ISO/IEC 11172-3, 2.4.1.3.
    "mp3": re.compile(rb"ID3|\xff[\xe2-\xff]"),
}
HEAD = 12
"""Bytes of a recording that say what it is."""


def plain(content_type: object) -> str:
    """Without parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower() if isinstance(content_type, str) else ""


def extension(content_type: str) -> str | None:
    """None for what is not taken."""
    return EXTENSIONS.get(content_type)


def pattern(action: Download) -> str:
    """Its path within the store; the extension is `*` where only the provider knows the type."""
    if not isinstance(action, DownloadRecording):
        return f"{action.account_sid}/messages/{action.message_sid}/{action.media_sid}.*"
    channels = {None: "", 1: "-mono", 2: "-dual"}[action.requested_channels]
    return f"{action.account_sid}/recordings/{action.recording_sid}{channels}.{action.format}"


def is_of(answered: str, wanted: str) -> bool:
    """Whether the type that a host says may be the one that the provider said."""
    return answered in UNNAMED or EXTENSIONS.get(answered) == EXTENSIONS[wanted]


def begins_well(action: Download, head: bytes) -> bool:
    """Whether a file begins as its type does. What people send each other is only known by its content type."""
    return not isinstance(action, DownloadRecording) or BEGINNINGS[action.format].match(head) is not None


def type_of(extension: str) -> str:
    """The first type that has the extension."""
    return next(content_type for content_type, each in EXTENSIONS.items() if each == extension)
