"""Which names of time zones are taken."""

import pytest

from investing.rules.errors import InvalidInput
from investing.rules.time_zones import checked_time_zone


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Argentina/Ushuaia", "Etc/GMT+5"])
def test_names_of_the_iana_data_base(name: str) -> None:
    assert checked_time_zone(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            "Berlin",
            "Europe/berlin",
            "europe/Berlin",
            "Europe/Atlantis",
            "EST",
            "EST5EDT",
            "UTC+3",
            "utc",
        ),
        *("localtime", "posix/Europe/Berlin", "right/UTC", "Etc/" + "x" * 70, "Europe/Berlin\n", "Europe/"),
        *("../../etc/passwd", "Europe/../Europe/Berlin", "/usr/share/zoneinfo/UTC", "Europe\\Berlin", "\0"),
    ],
)
def test_no_other_name(name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        checked_time_zone(name)
    assert refused.value.field == ("timeZone",)
