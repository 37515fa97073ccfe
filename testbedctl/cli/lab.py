"""Commands that make a lab, look into it and remove it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from testbedctl.cli.options import Json, Lab, Spec, Wait
from testbedctl.cli.output import emit_json, err, json_asked, out
from testbedctl.errors import TestbedError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from testbedctl.backends.local.lab import Lab as LocalLab

Node = Annotated[
    str, typer.Argument(metavar="NODE", help="A node: service/vnf, or the last part where it is unique.")
]


def register(app: typer.Typer) -> None:
    """Add this group's commands to the application."""
    panel = "The testbed"
    app.command("up", rich_help_panel=panel)(up)
    app.command("down", rich_help_panel=panel)(down)
    app.command("status", rich_help_panel=panel)(status)
    app.command("exec", rich_help_panel=panel)(execute)
    app.command("logs", rich_help_panel=panel)(logs)
    app.command("capture", rich_help_panel=panel)(capture)
    app.command("forward", rich_help_panel=panel)(forward)


def up(
    spec: Spec = "slice-sharing",
    lab: Lab = None,
    plan: Annotated[
        bool,
        typer.Option("--plan", envvar="TESTBEDCTL_PLAN", help="Show what would be made, and make nothing."),
    ] = False,
    wait: Wait = 0,
    json: Json = False,  # noqa: ARG001 - read through output.json_asked
) -> None:
    """Bring a testbed up on this machine."""
    from testbedctl.spec.loader import load_testbed

    testbed = load_testbed(spec)
    if plan:
        _show_plan(testbed, lab)
        return
    made, seconds = bring_up(testbed, lab, wait)
    if json_asked():
        from testbedctl.backends.local.status import document

        emit_json({**document(made), "up_s": round(seconds, 2)})
        return
    out().print(f"lab [bold]{made.name}[/] is up ({seconds:.1f} s): {_counts(made)}")
    if made.plan.services:
        out().print("next: testbedctl stress quick --arm none --arm reactive", style="dim")


def bring_up(testbed: object, lab: str | None, wait: float) -> tuple[LocalLab, float]:
    """``up`` with its progress on stderr; returns the lab and the seconds that it took."""
    import time

    from testbedctl.backends.local.up import up as up_local
    from testbedctl.cli.progress import phases
    from testbedctl.spec.testbed import Testbed

    assert isinstance(testbed, Testbed)
    begun = time.monotonic()
    with phases(f"up {lab or testbed.name}") as progress:
        made = up_local(testbed, lab, progress=progress, wait_s=wait)
    return made, time.monotonic() - begun


def down(
    lab: Lab = None,
    everything: Annotated[
        bool, typer.Option("--all", envvar="TESTBEDCTL_ALL", help="Every lab of ours on this host.")
    ] = False,
    wait: Wait = 0,
    json: Json = False,  # noqa: ARG001
) -> None:
    """Take a testbed down, and say what is left of it: nothing."""
    from testbedctl.backends.local.lab import find, require_root
    from testbedctl.host import paths

    require_root()
    known = paths.begun()
    labs = [find(name, known) for name in known] if everything else [find(lab, known)]
    done, failed = [], []
    for each in labs:
        try:
            done.append(take_down(each, wait))
        except TestbedError as error:  # the others shall go all the same
            failed.append(error)
    if failed:
        raise failed[0] if len(failed) == 1 else _together(failed)
    if json_asked():
        emit_json({"labs": done})
    elif not labs:
        out().print("no lab is up")


def _together(failed: list[TestbedError]) -> TestbedError:
    """One error of several, of the kind that matters most."""
    worst = max(failed, key=lambda error: error.exit_code)
    return type(worst)("; ".join(error.message for error in failed), hint=worst.hint)


def take_down(lab: LocalLab, wait: float, tell: Console | None = None) -> dict[str, object]:
    """``down`` of one lab, told on ``tell``, or on stdout unless JSON was asked for."""
    import time

    from testbedctl.backends.local.down import down as down_local

    begun = time.monotonic()
    removed = down_local(lab, wait_s=wait)
    seconds = time.monotonic() - begun
    console = tell or (None if json_asked() else out())
    if console:
        console.print(f"lab [bold]{lab.name}[/] is down ({seconds:.1f} s): {', '.join(removed)}; 0 left")
    return {"lab": lab.name, "removed": removed, "left": [], "down_s": round(seconds, 2)}


def status(lab: Lab = None, json: Json = False) -> None:  # noqa: ARG001
    """Show a lab's nodes, programs and shares in force."""
    from testbedctl.backends.local.lab import find
    from testbedctl.backends.local.status import document, table

    found = find(lab)
    described = document(found)
    if json_asked():
        emit_json(described)
    else:
        out().print(table(described))


def execute(
    node: Node,
    command: Annotated[list[str], typer.Argument(metavar="-- CMD...", help="The command and its arguments.")],
    lab: Lab = None,
) -> None:
    """Run a command on a node, inside its namespace and its CPU quota."""
    import os
    import shutil

    from testbedctl.backends.local.lab import find
    from testbedctl.host.process import argv_on_node
    from testbedctl.spec.quoting import quote

    found = find(lab)
    there = found.plan.node(node)
    if shutil.which(command[0]) is None:
        raise UsageError(f"there is no program {quote(command[0])}", hint="nodes have the host's programs")
    argv = argv_on_node(command, netns=there.netns, cgroups=found.groups(there.key))
    try:
        os.execvp(argv[0], argv)
    except OSError as error:
        raise UsageError(f"cannot run {argv[0]}: {error.strerror}") from error


def logs(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Part of a program's name; all if left out.")
    ] = None,
    lab: Lab = None,
    lines: Annotated[
        int, typer.Option("--lines", "-n", envvar="TESTBEDCTL_LINES", min=1, help="Last lines of each.")
    ] = 20,
) -> None:
    """Print the last lines that the lab's programs wrote."""
    from testbedctl.backends.local.lab import find

    found = find(lab)
    wanted = (name or "").replace("/", ".").replace(" ", ".")
    files = [f for f in sorted(found.logs.glob("*.log")) if wanted in f.name]
    if not files:
        known = ", ".join(f.stem for f in sorted(found.logs.glob("*.log")))
        raise UsageError(f"no program of the lab {found.name} is called {name!r}", hint=f"there are: {known}")
    for file in files:
        tail = file.read_text(errors="replace").splitlines()[-lines:]
        out().print(f"[bold]{file.stem}[/]{'' if tail else '  (nothing)'}")
        for line in tail:
            typer.echo(f"  {line}")


def capture(
    node: Node,
    output: Annotated[
        Path, typer.Option("--output", "-o", envvar="TESTBEDCTL_PCAP", help="The pcap file to write.")
    ],
    lab: Lab = None,
    interface: Annotated[
        str,
        typer.Option("--interface", "-i", envvar="TESTBEDCTL_INTERFACE", help="One interface of the node."),
    ] = "any",
    packets: Annotated[
        int | None,
        typer.Option("--packets", "-c", envvar="TESTBEDCTL_PACKETS", min=1, help="Stop after so many."),
    ] = None,
    expression: Annotated[
        str,
        typer.Option("--filter", envvar="TESTBEDCTL_FILTER", help="A pcap filter such as 'udp port 5004'."),
    ] = "",
) -> None:
    """Capture packets on a node into a pcap file, until Ctrl-C or so many packets."""
    count = ["-c", str(packets)] if packets else []
    argv = ["tcpdump", "-U", "-n", "-i", interface, "-w", str(output.resolve()), *count]
    execute(node, [*argv, *([expression] if expression else [])], lab)


def forward(
    node: Node,
    port: Annotated[int, typer.Argument(metavar="PORT", min=1, max=65535, help="The port on the node.")] = 80,
    lab: Lab = None,
    listen: Annotated[
        int,
        typer.Option(
            "--listen", envvar="TESTBEDCTL_LISTEN", min=0, max=65535, help="Port on loopback; 0: any."
        ),
    ] = 0,
) -> None:
    """Make a node's TCP port reachable at 127.0.0.1, until Ctrl-C: a service's web page in your browser."""
    from testbedctl.backends.local.forward import serve
    from testbedctl.backends.local.lab import find

    found = find(lab)
    there = found.plan.node(node)
    serve(there, port, listen, lambda at: out().print(f"http://127.0.0.1:{at} → {there.key}:{port}"))


def _counts(lab: LocalLab) -> str:
    plan = lab.plan
    parts = [f"{len(plan.services)} services", f"{len(plan.vnfs)} VNFs"] if plan.services else []
    if plan.testbed.hosts or plan.testbed.switches:
        parts += [f"{len(plan.testbed.hosts)} hosts", f"{len(plan.testbed.switches)} switches"]
    return f"{', '.join(parts)}, {len(lab.daemons())} programs"


def _show_plan(testbed: object, lab: str | None) -> None:
    from testbedctl.backends.local.planner import plan
    from testbedctl.backends.local.status import plan_document, plan_table
    from testbedctl.spec.testbed import Testbed

    assert isinstance(testbed, Testbed)
    resolved = plan(testbed, lab)
    if json_asked():
        emit_json(plan_document(resolved))
    else:
        out().print(plan_table(resolved))
        err().print("nothing was made", style="dim")
