"""`python -m deploy.emulator`: one account of the emulated provider, until SIGTERM. `traffic` loads one that runs."""

import argparse
import logging
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn
import yaml

from deploy.emulator import traffic
from deploy.emulator.account import Account
from deploy.emulator.app import create_app
from deploy.emulator.callbacks.carrying import HttpCarrier
from deploy.emulator.callbacks.signing import Keys
from deploy.emulator.clocks import RealClock, VirtualClock
from deploy.emulator.connections import CuttableProtocol
from deploy.emulator.exchange import Exchange
from deploy.emulator.faults import BadPlan, plan_from
from deploy.emulator.resources import Target

KEYS_VARIABLE = "EMULATOR_API_KEYS"
ACCOUNT_SID = re.compile(r"AC[0-9a-fA-F]{32}")
TOKEN_VARIABLE = "EMULATOR_AUTH_TOKEN"  # noqa: S105 the name of a variable


def arguments() -> argparse.ArgumentParser:
    epilog = f"API keys, where there are some, are in ${KEYS_VARIABLE}: SK…:secret, separated by spaces."
    parser = argparse.ArgumentParser(prog="python -m deploy.emulator", description=__doc__, epilog=epilog)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=4010)
    parser.add_argument("--account-sid", type=account_sid, required=True, help="AC and 32 hexadecimal digits")
    secret = parser.add_mutually_exclusive_group()
    secret.add_argument("--auth-token", help=f"or in ${TOKEN_VARIABLE}")
    secret.add_argument("--auth-token-file", type=Path)
    parser.add_argument("--seed", type=int, default=1, help="names SIDs, outcomes and faults")
    parser.add_argument("--faults", type=Path, help="a YAML plan; see the README beside this file")
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument("--speed", type=float, default=1, help="provider seconds in one real second")
    pace.add_argument("--virtual", action="store_true", help="time stands still until POST /emulator/time moves it")
    parser.add_argument(
        "--route",
        type=pair,
        action="append",
        default=[],
        metavar="PUBLIC=LOCAL",
        help="send callbacks for URLs that begin with PUBLIC to LOCAL, signed as PUBLIC",
    )
    parser.add_argument(
        "--application",
        type=pair,
        action="append",
        default=[],
        metavar="AP…=URL",
        help="the voice URL of a TwiML application, for calls made with its ApplicationSid",
    )
    return parser


def account_sid(text: str) -> str:
    if not ACCOUNT_SID.fullmatch(text):
        raise argparse.ArgumentTypeError("it is AC and 32 hexadecimal digits")
    return text


def pair(text: str) -> tuple[str, str]:
    first, equals, second = text.partition("=")
    if not (first and equals and second):
        raise argparse.ArgumentTypeError("it is two texts with = between them")
    return first, second


def main(argv: Sequence[str] | None = None) -> None:
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["traffic"]:
        traffic.main(argv[1:])
        return
    parser = arguments()
    options = parser.parse_args(argv)
    token = options.auth_token or os.environ.get(TOKEN_VARIABLE, "")
    if options.auth_token_file:
        token = options.auth_token_file.read_text().strip()
    if not token:
        parser.error(f"give --auth-token-file, --auth-token or ${TOKEN_VARIABLE}")
    try:
        plan = plan_from(yaml.safe_load(options.faults.read_text()) if options.faults else None)
    except (BadPlan, OSError, UnicodeDecodeError, yaml.YAMLError) as bad:
        parser.error(f"--faults: {bad}")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    keys = [key.partition(":") for key in os.environ.get(KEYS_VARIABLE, "").split()]
    if not all(name.startswith("SK") and secret for name, _, secret in keys):
        parser.error(f"${KEYS_VARIABLE} holds API keys as SK…:secret, separated by spaces")
    api_keys = {name: secret for name, _, secret in keys}
    clock = VirtualClock() if options.virtual else RealClock(options.speed)
    applications = {sid: Target(url) for sid, url in options.application}
    account = Account(options.account_sid, options.seed, plan, applications=applications)
    exchange = Exchange(account, Keys(token), clock, HttpCarrier(dict(options.route)))
    uvicorn.run(
        create_app(exchange, api_keys),
        host=options.host,
        port=options.port,
        http=CuttableProtocol,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=2,
    )


if __name__ == "__main__":
    main()
