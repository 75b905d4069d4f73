"""The client of tests that ask a server on the loopback."""

import httpx

from tests.waiting import PATIENCE

# Each request has a connection of its own. Certificates take longer to read than a server takes to answer.
loopback = httpx.Client(
    timeout=PATIENCE, trust_env=False, verify=False, limits=httpx.Limits(max_keepalive_connections=0)
)
