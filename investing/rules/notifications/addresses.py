"""The network addresses that the server may send to: those of the public internet and no others."""

import ipaddress
import socket

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# IPv6 prefixes with an IPv4 address embedded in them: NAT64 (RFC 6052) and IPv4-compatible (RFC 4291).
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")


def is_public(address: Address) -> bool:
    """Return whether an address is on the public internet.

    Private, loopback, link-local, multicast and reserved addresses are not. An IPv6 address that stands for
    an IPv4 one (mapped, NAT64, 6to4, Teredo) is judged by the IPv4 address.
    """
    if isinstance(address, ipaddress.IPv6Address):
        inner = _embedded(address)
        if inner is not None:
            return is_public(inner)
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def literal(host: str) -> Address | None:
    """Return the address that a host is written as, None for a name.

    The forms that only a resolver accepts count too: `2130706433`, `0x7f.1` and `0177.0.0.1` all are
    127.0.0.1 to a resolver.
    """
    bare = host.removeprefix("[").removesuffix("]").partition("%")[0]
    try:
        return ipaddress.ip_address(bare)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(bare))
    except (OSError, UnicodeEncodeError):
        return None


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64 or address in _COMPATIBLE:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address.teredo is not None:
        return address.teredo[1]
    return address.sixtofour
