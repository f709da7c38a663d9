"""The command line: what cannot be is refused with what to do, before anything listens."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from deploy.emulator.__main__ import main
from tests.deploy.emulator.conftest import ACCOUNT, TOKEN


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--account-sid", "AC1"], "--account-sid: it is AC and 32 hexadecimal digits"),
        (["--route", "https://ours.net"], "--route: it is two texts with = between them"),
        (["--application", "=https://ours.net"], "--application: it is two texts with = between them"),
        (["--faults", "nowhere.yaml"], "--faults: [Errno 2] No such file or directory: 'nowhere.yaml'"),
        (["--faults", "broken.yaml"], "--faults: while parsing"),
        (["--faults", "wrong.yaml"], "--faults: callbacks.drop: Input should be less than or equal to 1"),
        (["--auth-token", ""], "give --auth-token-file, --auth-token or $EMULATOR_AUTH_TOKEN"),
    ],
)
def test_what_cannot_be_is_refused(
    given: Sequence[str],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EMULATOR_AUTH_TOKEN", raising=False)
    Path("broken.yaml").write_text("callbacks: [\n")
    Path("wrong.yaml").write_text("callbacks: {drop: 2}\n")
    with pytest.raises(SystemExit) as ended:
        main(["--account-sid", ACCOUNT, "--auth-token", TOKEN, *given])
    assert ended.value.code == 2
    assert told in capsys.readouterr().err
