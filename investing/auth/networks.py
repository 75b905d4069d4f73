"""Networks: what one client may control entirely."""

import ipaddress


def network_of(address: str | None) -> str:
    """Return an IPv4 address, or the /64 of an IPv6 address; the empty text for anything else."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found.packed[:8] + bytes(8), 64)))
    return str(found)
