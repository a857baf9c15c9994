"""Ownership of a state in S3, and takeovers.

S3 is moto's server (an emulator that honours conditional puts).
"""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from stream.errors import OwnershipLost, StateLocked
from tests.integration.machines import WHERE, Machine, Make, metadata_of, started
from tests.servers.faulty_proxy import FaultyProxy


def test_each_takeover_raises_the_epoch(machine: Make, s3: Any) -> None:
    for epoch in range(1, 4):
        owner = started(machine(f"disk {epoch}"))
        assert metadata_of(s3).epoch == epoch
        assert owner.takeover.silent_owner == "", "the object was new, or released"
        owner.chain.release()


def test_a_job_with_a_living_owner_is_refused(machine: Make) -> None:
    first = started(machine("a"))
    done = threading.Event()

    def beat() -> None:
        while not done.wait(0.2):
            first.chain.put(b"")

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        with pytest.raises(StateLocked, match=WHERE):
            machine("b", after_s=5.0).start()
    finally:
        done.set()
        thread.join()
    first.chain.put(b"")


def test_a_silent_owner_is_taken_over_and_its_next_put_fails(machine: Make, s3: Any) -> None:
    first = started(machine("a"))
    first.commit(5)
    second = started(machine("b"))
    assert second.takeover.silent_owner == first.chain.owner
    assert second.position() == 5
    assert not first.chain.may_deliver()
    with pytest.raises(OwnershipLost, match=second.chain.owner) as caught:
        first.chain.put(b"something else")
    assert caught.value.exit_code == 5
    assert not first.chain.may_deliver()
    first.chain.release()
    assert metadata_of(s3).owner == second.chain.owner, (
        "a service that lost the job releases nothing"
    )
    second.commit(6)


def test_after_a_crash_a_service_on_the_same_disk_does_not_wait(machine: Make) -> None:
    """It acquires the file lock that the crashed service held."""
    first = started(machine("a", after_s=30.0))
    first.commit(5)
    first.crash()
    began = time.monotonic()
    second = started(machine("a", after_s=30.0))
    assert second.position() == 5
    assert second.takeover.silent_owner == ""
    assert time.monotonic() - began < 10


def test_of_several_standbys_exactly_one_becomes_owner(machine: Make) -> None:
    started(machine("a")).commit(5)
    waiting = [machine(f"b{k}", after_s=1.5, standby=True) for k in range(4)]
    owners: list[Machine] = []

    def wait(standby: Machine) -> None:
        if standby.start():
            owners.append(standby)

    threads = [threading.Thread(target=wait, args=(standby,)) for standby in waiting]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 30
    while not owners and time.monotonic() < deadline:
        time.sleep(0.05)
    for _ in range(12):
        owners[0].chain.put(b"")
        time.sleep(0.25)
    assert len(owners) == 1
    assert all(standby.waited_for_owner.is_set() for standby in waiting if standby is not owners[0])
    for standby in waiting:
        standby.stop.set()
    for thread in threads:
        thread.join()
    assert len(owners) == 1


def test_an_outage_of_s3_is_not_mistaken_for_a_silent_owner(
    machine: Make, proxy: FaultyProxy
) -> None:
    """No owner can put while S3 is down: the wait restarts when S3 responds."""
    first = started(machine("a"))
    second = machine("b", proxy.url, after_s=6.0, standby=True)
    thread = threading.Thread(target=second.start)
    thread.start()
    time.sleep(1.0)
    proxy.fault = "down"
    time.sleep(7.0)
    proxy.fault = ""
    time.sleep(1.0)
    first.commit(5)  # raises if it was taken over
    second.stop.set()
    thread.join(20)
