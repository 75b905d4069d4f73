"""A queue takes one of each source in turn, and is full for whoever fills it."""

from investing.auth.fair_queue import FairQueue


def drained(queue: FairQueue[str]) -> list[str | None]:
    return [queue.take() for _ in range(len(queue) + 1)]


def test_each_source_has_its_turn() -> None:
    queue = FairQueue[str]()
    for item in ("a1", "a2", "a3", "b1", "c1", "c2"):
        assert queue.put(item[0], item) is None
    assert len(queue) == 6
    assert queue.take() == "a1"
    # Whoever comes next stands before the second item of those who are there.
    queue.put("d", "d1")
    assert drained(queue) == ["b1", "c1", "a2", "d1", "c2", "a3", None]
    assert len(queue) == 0


def test_a_full_queue_drops_the_newest_of_whoever_has_most() -> None:
    queue = FairQueue[str](4)
    for item in ("a1", "a2", "a3", "b1"):
        queue.put(item[0], item)
    assert queue.put("a", "a4") == "a4"
    assert queue.put("c", "c1") == "a3"
    assert queue.put("b", "b2") == "b2"
    assert queue.put("d", "d1") == "a2"
    # With one of each, nobody loses the place that they have.
    assert queue.put("e", "e1") == "e1"
    assert drained(queue) == ["a1", "b1", "c1", "d1", None]
    assert len(queue) == 0


def test_what_is_removed_has_no_turn() -> None:
    queue = FairQueue[str](3)
    for item in ("a1", "a2", "b1"):
        queue.put(item[0], item)
    queue.remove("a", "a1")
    queue.remove("b", "b1")
    queue.remove("b", "b1")
    queue.remove("c", "a2")
    assert drained(queue) == ["a2", None]
