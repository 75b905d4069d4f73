"""A script: holds an embedded server until its input ends, so that tests can kill a real process and look."""

import json
import sys
import threading
import time
from pathlib import Path

from db.server import DatabaseUnavailable
from db.server.embedded import embedded_database


def hold(data_dir: str, watcher: bool | None, durable: bool) -> None:
    """Start, print one line of JSON, wait for the end of the input, stop."""
    began = time.perf_counter()
    try:
        with embedded_database(Path(data_dir), durable=durable, watcher=watcher) as database:
            told = {"url": database.url, "owner_url": database.owner_url}
            print(json.dumps({**told, "seconds": time.perf_counter() - began}), flush=True)
            sys.stdin.read()
    except DatabaseUnavailable as error:
        print(json.dumps({"error": str(error)}), flush=True)


if __name__ == "__main__":
    folder, *flags = sys.argv[1:]
    how = (folder, True if "watcher" in flags else None, "durable" in flags)
    if "thread" in flags:
        thread = threading.Thread(target=hold, args=how)
        thread.start()
        thread.join()
    else:
        hold(*how)
