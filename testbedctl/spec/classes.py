"""Classes files: the limits of the three types of VNF, and how wishes and domains follow from a type.

The shipped one is ``profiles/classes.yaml``; ``testbedctl classify fit`` writes others. The format follows
§5.1 of the predictive-slicing paper: Table 3 (limits), Table 2 (performance) and the three kinds of cloud.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from testbedctl.spec.testbed import Bandwidth, Latency, Name, Slice, Strict, Text, VnfClass, broken_rule

Cores = Annotated[float, Field(gt=0, le=65_536)]
MemoryGib = Annotated[float, Field(gt=0, le=1_048_576)]
Share = Annotated[float, Field(ge=0, le=1)]


class Limits(Strict):
    """Table 3: T1 has at most the first limit of both, T3 more than the second of both, T2 is all else."""

    vcpus: Annotated[list[Cores], Field(min_length=2, max_length=2, description="two limits in cores")]
    ram_gib: Annotated[list[MemoryGib], Field(min_length=2, max_length=2, description="two limits in GiB")]

    @field_validator("vcpus", "ram_gib")
    @classmethod
    def _rise(cls, limits: list[float]) -> list[float]:
        if limits[0] >= limits[1]:
            raise broken_rule(f"the second limit ({limits[1]:g}) is not above the first ({limits[0]:g})")
        return limits


class VnfType(Strict):
    """One type: what a VNF of it is given when only its performance is wished, and where it goes."""

    vcpus: Annotated[float, Field(gt=0, le=256, description="cores of a VNF of this type")]
    ram_gib: Annotated[float, Field(ge=0.0625, le=4096, description="memory of a VNF of this type in GiB")]
    bandwidth_mbps: Annotated[
        Bandwidth, Field(description="the most that a VNF of this type carries, in Mb/s")
    ]
    domains: Annotated[
        list[Name], Field(min_length=1, description="where it goes: the first of them that does")
    ]


class Types(Strict):
    """The three types, by growing resources."""

    T1: VnfType
    T2: VnfType
    T3: VnfType


class SliceKind(Strict):
    """What a slice type asks for where a wish leaves it open."""

    bandwidth_mbps: Annotated[Bandwidth, Field(description="bandwidth in Mb/s")]
    latency_ms: Annotated[Latency, Field(description="longest one-way delay in ms")]


class Slices(Strict):
    """All slice types (GSMA NG.116), as the paper names them."""

    eMBB: SliceKind
    URLLC: SliceKind
    mMTC: SliceKind


class Range(Strict):
    """The values of one feature that count as ordinary; others are outliers."""

    low: Annotated[float, Field(description="least ordinary value")]
    high: Annotated[float, Field(description="largest ordinary value")]


class Ranges(Strict):
    """The ordinary values of the data of a fit."""

    vcpus: Range
    ram_gib: Range


class Proportions(Strict):
    """Parts of the VMs that are of each type."""

    T1: Annotated[Share, Field(description="part of T1")]
    T2: Annotated[Share, Field(description="part of T2")]
    T3: Annotated[Share, Field(description="part of T3")]


class Fitted(Strict):
    """Where limits come from that were fitted, and what the next fit compares itself with."""

    dataset: Annotated[Text, Field(description="name of the data set")]
    sha256: Annotated[Text, Field(description="hash of its samples")]
    vms: Annotated[int, Field(ge=1, description="VMs with CPU and RAM")]
    seed: Annotated[int, Field(ge=0, description="seed of k-means")]
    limits_from: Annotated[Text, Field(description="'fit', or 'previous' where outliers came")]
    ordinary: Annotated[Ranges, Field(description="outside of these a VM is an outlier")]
    proportions: Annotated[Proportions, Field(description="parts of the VMs by type")]


class Classes(Strict):
    """A classes file."""

    name: Annotated[Name, Field(description="the file's name")]
    description: Annotated[Text, Field(description="one line for people")] = ""
    limits: Annotated[Limits, Field(description="the limits between the types")]
    types: Annotated[Types, Field(description="the three types", validate_default=True)]
    delays_ms: Annotated[
        dict[Name, Latency], Field(min_length=1, description="one-way delay in ms to each kind of domain")
    ]
    slices: Annotated[Slices, Field(description="what slice types ask for")]
    fitted: Annotated[Fitted | None, Field(description="written by `testbedctl classify fit`")] = None

    @field_validator("types")
    @classmethod
    def _each_is_of_its_type(cls, types: Types, info: ValidationInfo) -> Types:
        limits = info.data.get("limits")
        for name, each in ((n, getattr(types, n)) for n in ("T1", "T2", "T3")):
            found = class_within(limits, each.vcpus, each.ram_gib) if limits else name
            if found != name:
                resources = f"{each.vcpus:g} vCPU and {each.ram_gib:g} GiB"
                raise broken_rule(f"{name} has {resources}, which the limits call {found}")
        return types

    @field_validator("delays_ms")
    @classmethod
    def _types_name_known_domains(cls, delays_ms: dict[str, float], info: ValidationInfo) -> dict[str, float]:
        types = info.data.get("types")
        for name in ("T1", "T2", "T3") if types else ():
            unknown = [each for each in getattr(types, name).domains if each not in delays_ms]
            if unknown:
                raise broken_rule(f"{name} goes to {unknown[0]!r}, which is not here")
        return delays_ms

    def type_of(self, vnf_class: VnfClass) -> VnfType:
        """What belongs to a type."""
        each: VnfType = getattr(self.types, vnf_class)
        return each

    def slice_of(self, slice_type: Slice) -> SliceKind:
        """What a slice type asks for."""
        each: SliceKind = getattr(self.slices, slice_type)
        return each


def class_within(limits: Limits, vcpus: float, ram_gib: float) -> VnfClass:
    """The type of so many cores and GiB of memory (the paper's §5.1, Table 3).

    T1: at most the lower limits, both. T3: above the upper limits, both. T2: everything else.
    """
    if vcpus <= limits.vcpus[0] and ram_gib <= limits.ram_gib[0]:
        return "T1"
    return "T3" if vcpus > limits.vcpus[1] and ram_gib > limits.ram_gib[1] else "T2"
