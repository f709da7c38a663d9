"""Which settings name a store; nobody is asked, and nothing is made, before there is a file."""

import os
from pathlib import Path

import pytest

from processors.contract.actions import DownloadMedia
from sinks.media import naming
from sinks.media.folder import Folder
from sinks.media.objects import Objects
from sinks.media.opening import open_store
from tests.sinks.media.conftest import picture, recording


@pytest.fixture(autouse=True)
def without_a_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "AZURE_", "GOOGLE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")


@pytest.mark.parametrize("place", ["{}", "file://{}", "file://{}%20a"])
def test_a_path_is_a_folder_which_need_not_be_there(tmp_path: Path, place: str) -> None:
    assert isinstance(open_store(place.format(tmp_path / "media")), Folder)
    assert not (tmp_path / "media").exists()


@pytest.mark.parametrize("place", ["s3://bucket", "s3://bucket/some/prefix", "gs://bucket/prefix", "az://container/a"])
def test_a_url_is_an_object_store(place: str) -> None:
    assert isinstance(open_store(place), Objects)


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("", "whole path"),
        ("media", "whole path"),
        ("file://", "whole path"),
        (__file__, "no folder"),
        ("ftp://host/media", "no store"),
        ("memory://", "no store"),
        ("https://host/media", "no store"),
        ("s3:///media", "no store"),
        ("s3://key:secret@bucket", "environment"),
        ("s3://bucket?region=x", "environment"),
    ],
)
def test_what_is_no_store_is_refused_with_what_to_do(place: str, told: str) -> None:
    with pytest.raises(ValueError, match=told) as error:
        open_store(place)
    assert "secret" not in str(error.value)


def test_every_type_that_is_taken_has_an_extension_that_names_it() -> None:
    for content_type, extension in naming.EXTENSIONS.items():
        assert naming.plain(f" {content_type.upper()}; a=b") == content_type
        assert naming.extension(naming.type_of(extension)) == extension
    assert (
        {naming.extension(each) for each in naming.SOUNDS.values()} == naming.SOUNDS.keys() == naming.BEGINNINGS.keys()
    )


@pytest.mark.parametrize(
    ("head", "form"),
    [
        (b"RIFF\x00\x00\x00\x00WAVE", "wav"),
        (b"ID3\x04\x00\x00\x00\x00\x00\x00\x00\x00", "mp3"),
        (b"\xff\xfb\x90\x64" + bytes(8), "mp3"),
        (b"\xff\xe3\x18\xc0" + bytes(8), "mp3"),
        (b"RIFF\x00\x00\x00\x00AVI ", None),
        (b"<!DOCTYPE html>", None),
        (b"\xff\xd8\xff\xe0" + bytes(8), None),
        (b"", None),
    ],
)
def test_a_recording_begins_as_its_form_does(head: bytes, form: str | None) -> None:
    for each in naming.SOUNDS:
        assert naming.begins_well(recording(format=each), head) == (each == form)
    assert isinstance(picture(), DownloadMedia)
    assert naming.begins_well(picture(), head)
