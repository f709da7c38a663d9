"""`python -m deploy.emulator`: one account of the emulated provider, until SIGTERM."""

import argparse
import logging
import os
from collections.abc import Sequence
from pathlib import Path

import uvicorn
import yaml

from deploy.emulator.account import Account
from deploy.emulator.app import create_app
from deploy.emulator.connections import CuttableProtocol
from deploy.emulator.exchange import Exchange
from deploy.emulator.faults import BadPlan, plan_from

TOKEN_VARIABLE = "EMULATOR_AUTH_TOKEN"  # noqa: S105 the name of a variable


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.emulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=4010)
    parser.add_argument("--account-sid", required=True, help="AC and 32 hexadecimal digits")
    secret = parser.add_mutually_exclusive_group()
    secret.add_argument("--auth-token", help=f"or in ${TOKEN_VARIABLE}")
    secret.add_argument("--auth-token-file", type=Path)
    parser.add_argument("--seed", type=int, default=1, help="names SIDs, outcomes and faults")
    parser.add_argument("--faults", type=Path, help="a YAML plan; see the README beside this file")
    parser.add_argument("--speed", type=float, default=1, help="provider seconds in one real second")
    parser.add_argument(
        "--route",
        action="append",
        default=[],
        metavar="PUBLIC=LOCAL",
        help="send callbacks for URLs that begin with PUBLIC to LOCAL, signed as PUBLIC",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    parser = arguments()
    options = parser.parse_args(argv)
    token = options.auth_token or os.environ.get(TOKEN_VARIABLE, "")
    if options.auth_token_file:
        token = options.auth_token_file.read_text().strip()
    if not token:
        parser.error(f"give --auth-token-file, --auth-token or ${TOKEN_VARIABLE}")
    try:
        plan = plan_from(yaml.safe_load(options.faults.read_text()) if options.faults else None)
    except BadPlan as bad:
        parser.error(str(bad))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    routes = dict(route.split("=", 1) for route in options.route)
    exchange = Exchange(Account(options.account_sid, options.seed, plan), token, speed=options.speed, routes=routes)
    uvicorn.run(
        create_app(exchange),
        host=options.host,
        port=options.port,
        http=CuttableProtocol,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=2,
    )


if __name__ == "__main__":
    main()
