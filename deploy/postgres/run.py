"""One PostgreSQL cluster in the foreground, on loopback: `python -m deploy.postgres.run --port 5432 --dir DIR`.

What it holds stays in DIR, so it can be stopped and started again, and every commit is fsynced. Needs PostgreSQL 15 or
newer, which never runs as root: started as root, this becomes the user `postgres` (or `nobody`).
"""

import argparse
import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

NAME = "switchhook"
"""Of the role, its password and the database: a cluster for development, on loopback."""

OLDEST = 15
PACKAGED = Path("/usr/lib/postgresql")
USERS = ("postgres", "nobody")


class CannotRun(Exception):
    """What is missing, and what to do about it."""


def url(port: int, database: str = NAME) -> str:
    return f"postgresql+asyncpg://{NAME}:{NAME}@127.0.0.1:{port}/{database}"


def configuration(port: int) -> Mapping[str, str]:
    """https://www.postgresql.org/docs/15/runtime-config.html; nothing that trades durability for speed."""
    return {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }


def binaries(data: Path) -> Path:
    """The folder of the programs: on the PATH, else the newest packaged; of the data's own version where there is some.

    Raises CannotRun.
    """
    wanted = version_of(data)
    seen = []
    for folder in _folders():
        major = _major(folder / "initdb")
        if major is not None and (major == wanted if wanted else major >= OLDEST):
            return folder
        seen.append(str(major))
    if wanted and seen:
        raise CannotRun(
            f"{data} was made by PostgreSQL {wanted}, here is {', '.join(seen)}: "
            f"apt-get install postgresql-{wanted}, or name another folder"
        )
    if seen:
        raise CannotRun(
            f"PostgreSQL {OLDEST} or newer is needed, here is {', '.join(seen)}: apt-get install postgresql"
        )
    raise CannotRun(f"no initdb on the PATH or below {PACKAGED}: install PostgreSQL (apt-get install postgresql)")


def version_of(data: Path) -> int | None:
    """The major version that made the cluster there; None where there is none."""
    mark = data / "PG_VERSION"
    return int(mark.read_text(encoding="utf-8")) if mark.exists() else None


def _folders() -> Iterator[Path]:
    found = shutil.which("initdb")
    if found is not None:
        yield Path(found).resolve().parent
    yield from sorted((p.parent for p in PACKAGED.glob("*/bin/initdb")), key=_packaged_version, reverse=True)


def _packaged_version(folder: Path) -> float:
    found = re.fullmatch(r"\d+(\.\d+)?", folder.parent.name)
    return float(found[0]) if found else 0


def _major(initdb: Path) -> int | None:
    told = subprocess.run([str(initdb), "--version"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    found = re.search(r"\(PostgreSQL\) (\d+)", told.stdout)
    return int(found[1]) if found else None


def settle(folder: Path) -> pwd.struct_passwd | None:
    """Makes the folder. As root: who PostgreSQL is to run as, the folder's owner from now on. Raises CannotRun."""
    there = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if there and not {"data", "data.part"} & set(there):
        raise CannotRun(f"{folder} holds other things ({there[0]}, …): name an empty folder, or a new one")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.geteuid() != 0:
        return None
    owner = _unprivileged()
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    closed = _closed_to(owner, folder)
    if closed is not None:
        raise CannotRun(
            f"PostgreSQL does not run as root, and {owner.pw_name} may not enter {closed}: "
            f"chmod o+x {closed}, or name a folder elsewhere"
        )
    return owner


def _unprivileged() -> pwd.struct_passwd:
    for name in USERS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise CannotRun(f"PostgreSQL does not run as root, and there is no user {' or '.join(USERS)}: start it as another")


def _closed_to(user: pwd.struct_passwd, folder: Path) -> Path | None:
    """The first folder on the way there that the user may not enter. Asked as that user, and root again after."""
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(user.pw_gid)
    os.seteuid(user.pw_uid)
    try:
        ways = (parent for parent in reversed(folder.parents) if not os.access(parent, os.X_OK, effective_ids=True))
        return next(ways, None)
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def prepare(folder: Path, port: int, owner: pwd.struct_passwd | None = None) -> list[str]:
    """The command that is the server, its cluster made by that user, or by whoever asks. Raises CannotRun."""
    data = folder / "data"
    programs = binaries(data)
    if not data.exists():
        _initialise(programs, folder, data, owner)
    options = [f"--{name}={value}" for name, value in configuration(port).items()]
    return [str(programs / "postgres"), "-D", str(data), *options]


def _initialise(programs: Path, folder: Path, data: Path, owner: pwd.struct_passwd | None) -> None:
    part = folder / "data.part"  # one that breaks off leaves nothing that the next would take for whole
    shutil.rmtree(part, ignore_errors=True)
    password = folder / "password"
    password.write_text(f"{NAME}\n", encoding="utf-8")
    if owner is not None:
        os.chown(password, owner.pw_uid, owner.pw_gid)
    making = [
        str(programs / "initdb"), "-D", str(part), f"--username={NAME}", f"--pwfile={password}",
        "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C",
    ]  # fmt: skip
    try:
        _must(making, "initdb", folder, owner)
    finally:
        password.unlink()
    # Single-user mode: nobody can connect to a server that is not there yet.
    alone = [str(programs / "postgres"), "--single", "-D", str(part), "postgres"]
    _must(alone, "making the database", folder, owner, typed=f"CREATE DATABASE {NAME};\n")
    part.rename(data)


def _must(command: Sequence[str], what: str, where: Path, owner: pwd.struct_passwd | None, *, typed: str = "") -> None:
    """Runs it in that folder: the programs look where they are, and the owner may not be let in where we are."""
    user, group = (owner.pw_uid, owner.pw_gid) if owner else (None, None)
    done = subprocess.run(
        command,
        input=typed,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=where,
        user=user,
        group=group,
        extra_groups=[] if owner else None,
    )
    if done.returncode:
        print(done.stdout, file=sys.stderr)
        raise CannotRun(f"{what} failed; what PostgreSQL says is above")


def become(owner: pwd.struct_passwd) -> None:
    """For good. Python itself may be closed to that user: nothing is left to do after this but to become PostgreSQL."""
    os.setgroups([])
    os.setgid(owner.pw_gid)
    os.setuid(owner.pw_uid)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.postgres.run", description=__doc__)
    parser.add_argument("--port", type=int, default=5432)
    parser.add_argument("--dir", type=Path, required=True, help="where the cluster keeps its data")
    chosen = parser.parse_args(arguments)
    folder = chosen.dir.resolve()
    try:
        binaries(folder / "data")  # before anything is made or owned by somebody else
        owner = settle(folder)
        command = prepare(folder, chosen.port, owner)
    except CannotRun as error:
        parser.exit(2, f"PostgreSQL cannot run: {error}\n")
    os.chdir(folder)
    if owner is not None:
        become(owner)
    os.execv(command[0], command)  # noqa: S606  # this process becomes the server, so its signals are the server's


if __name__ == "__main__":
    main()
