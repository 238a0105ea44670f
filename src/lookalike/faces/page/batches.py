"""The one queue in front of a model: requests that wait are answered together, and too many are turned away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

TOGETHER = 16  # items in one batch at most
GATHERS = 0.01  # seconds for more items to come: who is answered together also asks together
WAITING = 64  # items that wait at most


class BusyError(Exception):
    """More items wait than are taken."""


class Batches(Generic[Item, Result]):
    """Answers items in batches, one batch at a time, in a thread of its own.

    Parameters
    ----------
    work : callable
        Returns the results of a batch, one for each item.
    free : asyncio.Semaphore
        What all queues share, so that one batch is worked on at a time.
    """

    def __init__(self, work: Callable[[Sequence[Item]], Sequence[Result]], free: asyncio.Semaphore) -> None:
        self.work, self.free = work, free
        self.waiting: asyncio.Queue[tuple[Item, asyncio.Future[Result]]] = asyncio.Queue(WAITING)

    async def answer(self, item: Item) -> Result:
        """Return the result of an item. Raises BusyError where the queue is full, and what `work` raises."""
        result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        try:
            self.waiting.put_nowait((item, result))
        except asyncio.QueueFull:
            raise BusyError from None
        return await result

    async def run(self) -> None:
        """Work until it is cancelled."""
        while True:
            batch = [await self.waiting.get()]
            async with self.free:
                await asyncio.sleep(GATHERS)
                while len(batch) < TOGETHER and not self.waiting.empty():
                    batch.append(self.waiting.get_nowait())
                await self._perform(batch)

    async def _perform(self, batch: Sequence[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await asyncio.to_thread(self.work, [item for item, _ in batch])
        except Exception as error:  # noqa: BLE001  it goes to those who wait, and the queue goes on
            for _, waits in batch:
                if not waits.done():
                    waits.set_exception(error)
            return
        for (_, waits), result in zip(batch, results, strict=True):
            if not waits.done():  # who went away does not wait any more
                waits.set_result(result)
