"""What the command line checks by itself, without a database."""

import socket

import pytest

from commands.opening import Stop
from commands.serving import check_free


def test_a_port_in_use_is_said_in_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Stop) as stop:
            check_free("127.0.0.1", port)
    assert str(stop.value) == (
        f"Port {port} of 127.0.0.1 is in use: stop the program that listens there, or choose another port "
        "with --port."
    )
    check_free("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "nowhere.invalid"])
def test_an_address_of_another_machine_and_none(host: str) -> None:
    with pytest.raises(Stop, match=rf"^Cannot listen on {host}, port 8000: .+\.$"):
        check_free(host, 8000)
