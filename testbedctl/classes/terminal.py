"""A fit for people, at 80 columns: clusters, curve, types, the paper's claims, and VMs unlike the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table


def shown(document: dict[str, Any]) -> Iterator[Table | str]:
    """What to print of a fit's ``summary``, from top to bottom; text is plain, without markup."""
    data = document["dataset"]
    yield f"{data['vms']} VMs of {data['name']}, k-means with k = {document['k']}"
    for name, label in (("vcpus", "CPU, cores"), ("ram_gib", "RAM, GiB")):
        yield ""
        yield from _feature(label, document["features"][name])
    if document["types"]:
        yield ""
        yield _types_table(document)
        if document["claims"]:
            yield ""
            yield _claims_table(document["claims"])
    yield from _remarks(document)


def _feature(label: str, feature: dict[str, Any]) -> Iterator[Table | str]:
    if feature["clusters"]:
        yield _clusters_table(label, feature)
        yield from _curve(feature)
    else:
        yield f"{label}: too few sizes are left for clusters"


def _clusters_table(label: str, feature: dict[str, Any]) -> Table:
    from rich.table import Table

    table = Table("cluster", "from", "to", "VMs", title=label, title_justify="left", box=None)
    for number, cluster in enumerate(feature["clusters"], 1):
        table.add_row(str(number), f"{cluster['low']:.4g}", f"{cluster['high']:.4g}", str(cluster["vms"]))
    return table


def _curve(feature: dict[str, Any]) -> list[str]:
    curve, without = feature["distortion"], feature["elbow_without_k_1"]
    also = f" (at {without} if the curve begins at k = 2)" if without else ""
    shown = " ".join(f"{value / curve[0]:.3f}" for value in curve)
    return [f"distortion over k, k = 1 as 1: {shown}", f"elbow at k = {feature['elbow']}{also}"]


def _types_table(document: dict[str, Any]) -> Table:
    from rich.table import Table

    limits = document["limits"]
    (low_cpu, high_cpu), (low_ram, high_ram) = limits["vcpus"], limits["ram_gib"]
    rules = {
        "T1": f"≤ {low_cpu:g} vCPU and ≤ {low_ram:.4g} GiB",
        "T2": "everything else",
        "T3": f"> {high_cpu:g} vCPU and > {high_ram:.4g} GiB",
    }
    title = "Types" if document["limits_from"] == "fit" else "Types, by the previous limits"
    table = Table("type", "resources", "VMs", "%", title=title, title_justify="left", box=None)
    for each in document["types"]:
        share = f"{100 * each['proportion']:.1f}"
        table.add_row(each["class"], rules[each["class"]], str(each["vms"]), share)
    return table


def _claims_table(claims: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    table = Table("claim", "of", "paper", "here", "", title="The paper", title_justify="left", box=None)
    for claim in claims:
        verdict = "met" if claim["met"] else "not met"
        here = f"{claim['measured']:.4g}"
        table.add_row(claim["id"], claim["quantity"], f"{claim['paper']:g}", here, verdict)
    return table


def _remarks(document: dict[str, Any]) -> list[str]:
    """Which VMs were treated unlike the others."""
    lines = []
    for name, unit in (("vcpus", "vCPU"), ("ram_gib", "GiB")):
        outliers = document["features"][name]["outliers"]
        told = ", ".join(f"{vm} ({value:.4g} {unit})" for vm, value in outliers.items())
        if told:
            lines.append(f"left out of the clusters as outliers: {told}")
    if document["limits_from"] == "previous" and not document["fitted_limits"]:
        lines.append("no limits were fitted: the previous ones hold")
    wanted = [f"{100 * each['proportion_kept']:.1f}" for each in document["types"]]
    kept = [str(len(each["kept"])) for each in document["types"]]
    if any(len(each["kept"]) != each["vms"] for each in document["types"]):
        lines.append(f"to keep the proportions {' : '.join(wanted)} of before, {' + '.join(kept)} VMs stay")
    for key, words in (
        ("cores_from_mhz", "without cores at any time, taken from their MHz"),
        ("without_cpu_or_ram", "left out, without CPU or RAM"),
    ):
        if document["vms"][key]:
            lines.append(f"{words}: {', '.join(document['vms'][key])}")
    return lines + [f"warning: {each}" for each in document["warnings"]]
