"""Runs the controller on os-ken in this process: ``python -m testbedctl.sdn --listen ADDRESS …``."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import sys
import threading

from testbedctl.errors import Foreign, TestbedError
from testbedctl.sdn.northbound import check_private

ECHO_INTERVAL_S = 1.0
UNANSWERED_ECHOES = 3


def main() -> int:
    """Run until SIGTERM or SIGINT; the exit code follows the tree of errors."""
    arguments = _arguments()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(name)s: %(message)s")
    try:
        run(arguments.listen, arguments.port, arguments.northbound, arguments.token_file)
    except TestbedError as error:
        print(f"error: {error.message}" + (f"\nhint: {error.hint}" if error.hint else ""), file=sys.stderr)
        return error.exit_code
    return 0


def run(listen: str, port: int, northbound: str, token_file: str) -> None:
    """Start os-ken with the application and wait for the signal to end."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    check_private(listen)
    _refuse_taken_port(listen, port)
    os.environ.setdefault("OSKEN_HUB_TYPE", "native")
    os.environ["TESTBEDCTL_SDN_NORTHBOUND"] = northbound
    os.environ["TESTBEDCTL_SDN_TOKEN_FILE"] = token_file
    failures: list[BaseException] = []
    starter = threading.Thread(target=_start, args=(listen, port, failures), daemon=True)
    starter.start()  # threads inherit "daemon" from it: os-ken's block for ever and would keep us alive
    starter.join()
    if failures:
        raise failures[0]
    ended.wait()
    _close()


def _start(listen: str, port: int, failures: list[BaseException]) -> None:
    from os_ken import cfg
    from os_ken.base.app_manager import AppManager

    try:
        manager = AppManager.get_instance()
        manager.load_apps(["testbedctl.sdn.app"])
        cfg.CONF(args=[], project="os_ken")
        cfg.CONF.set_override("ofp_listen_host", listen)
        cfg.CONF.set_override("ofp_tcp_listen_port", port)
        # With native threads os-ken notices the end of a connection only when it next sends something.
        cfg.CONF.set_override("echo_request_interval", ECHO_INTERVAL_S)
        cfg.CONF.set_override("maximum_unreplied_echo_requests", UNANSWERED_ECHOES)
        manager.instantiate_apps(**manager.create_contexts())
    except BaseException as error:  # noqa: BLE001  handed to the main thread, which raises it
        failures.append(error)


def _close() -> None:
    from os_ken.base.app_manager import AppManager

    for app in AppManager.get_instance().applications.values():
        app.close()


def _refuse_taken_port(listen: str, port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((listen, port))
        except OSError as error:
            raise Foreign(f"cannot listen for switches at {listen}:{port}: {error.strerror}") from error


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m testbedctl.sdn", description=__doc__)
    parser.add_argument("--listen", required=True, metavar="ADDRESS", help="IPv4 address for the switches")
    parser.add_argument("--port", type=int, default=6653, help="TCP port for the switches (default 6653)")
    parser.add_argument("--northbound", required=True, metavar="unix:/PATH|tcp:ADDRESS:PORT")
    parser.add_argument(
        "--token-file", required=True, metavar="FILE", help="file of mode 0600 with the token"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
