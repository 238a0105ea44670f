"""The queue in front of a model: waiting images go together, and none is lost or mixed up."""

from __future__ import annotations

import asyncio
import threading

import pytest

from lookalike.faces.page.batches import TOGETHER, WAITING, Batches, BusyError


def through(work, ask):
    """The result of `ask`, a coroutine of a queue, while the queue works with `work`."""

    async def main():
        queue = Batches(work, asyncio.Semaphore(1))
        task = asyncio.create_task(queue.run())
        try:
            return await ask(queue)
        finally:
            task.cancel()

    return asyncio.run(main())


def held():
    """Work that returns its items once it may go on, an event that it has begun, and the event that lets it go on."""
    begun, go = threading.Event(), threading.Event()

    def work(items):
        begun.set()
        assert go.wait(10)
        return items

    return work, begun, go


def test_waiting_items_go_together():
    """While one item is worked on, all others wait; they then go in batches of at most 16, each with its own result."""
    sizes, (hold, begun, go) = [], held()

    def work(items):
        sizes.append(len(items))
        return [10 * item for item in hold(items)]

    async def ask(queue):
        first = asyncio.create_task(queue.answer(0))
        await asyncio.to_thread(begun.wait, 10)
        others = [asyncio.create_task(queue.answer(i)) for i in range(1, 21)]
        await asyncio.sleep(0)
        go.set()
        return await asyncio.gather(first, *others)

    assert through(work, ask) == [10 * i for i in range(21)]
    assert sizes == [1, TOGETHER, 4]


def test_a_full_queue_turns_away():
    """More items than the queue holds are turned away at once, and those within are answered."""
    work, begun, go = held()

    async def ask(queue):
        first = asyncio.create_task(queue.answer(-1))
        await asyncio.to_thread(begun.wait, 10)
        waiting = [asyncio.create_task(queue.answer(i)) for i in range(WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await queue.answer(WAITING)
        go.set()
        return await asyncio.gather(first, *waiting)

    assert through(work, ask) == list(range(-1, WAITING))


def test_an_error_reaches_those_who_wait_and_the_queue_goes_on():
    """What the work raises is raised for its batch alone."""

    def work(items):
        if "bad" in items:
            raise ValueError("broken")
        return items

    async def ask(queue):
        with pytest.raises(ValueError, match="broken"):
            await queue.answer("bad")
        return await queue.answer("good")

    assert through(work, ask) == "good"


def test_who_goes_away_leaves_the_others():
    """A request that was given up has no result, and the next one has its own."""
    work, begun, go = held()

    async def ask(queue):
        gone = asyncio.create_task(queue.answer("gone"))
        await asyncio.to_thread(begun.wait, 10)
        gone.cancel()
        go.set()
        return await queue.answer("here")

    assert through(work, ask) == "here"
