"""Classification by port: what a port-based engine calls a packet, whatever the packet carries."""

from __future__ import annotations

SERVICE_NAMES = {
    20: "ftp-data",
    21: "ftp",
    22: "ssh",
    23: "telnet",
    25: "smtp",
    53: "domain",
    67: "bootps",
    68: "bootpc",
    69: "tftp",
    80: "http",
    110: "pop3",
    123: "ntp",
    143: "imap",
    161: "snmp",
    443: "https",
    554: "rtsp",
    853: "domain-s",
    993: "imaps",
    1883: "mqtt",
    1935: "macromedia-fcs",
    2055: "iop",
    3478: "stun",
    5004: "avt-profile-1",
    5005: "avt-profile-2",
    5060: "sip",
    5061: "sips",
    5353: "mdns",
    5683: "coap",
    8080: "http-alt",
    8554: "rtsp-alt",
    8883: "secure-mqtt",
}
"""Names of the IANA Service Name and Transport Protocol Port Number Registry (RFC 6335). They ship with
testbedctl, so that a class has the same name on every machine, with ``/etc/services`` or without."""


def service_name(source_port: int, destination_port: int) -> str:
    """The class of a packet by its ports: the destination's name, else the source's, else ``port-<n>``.

    Packets without ports (ICMP) have zeros and come out as ``port-0``.
    """
    for port in (destination_port, source_port):
        if port in SERVICE_NAMES:
            return SERVICE_NAMES[port]
    return f"port-{destination_port}"
