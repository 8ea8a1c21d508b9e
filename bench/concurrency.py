"""Creates organizations with httpx, several at once; prints the seconds it took and the processor
seconds for each.

Usage: python3 concurrency.py URL ITEMS CONCURRENCY
"""

import asyncio
import sys
import time
import uuid

import httpx


async def main(url, items, concurrency):
    numbers = iter(range(1, items + 1))
    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    headers = {"Authorization": "Bearer bench", "X-Polytomic-Version": "2025-09-18"}
    async with httpx.AsyncClient(
        base_url=url, limits=limits, headers=headers, timeout=30, trust_env=False
    ) as client:

        async def worker():
            for number in numbers:
                reply = await client.post(
                    "/api/organizations",
                    json={"name": f"Acme {number}"},
                    headers={"Idempotency-Key": str(uuid.uuid4())},
                )
                assert reply.json()["data"]["id"], "not what was served"

        start, before = time.monotonic(), time.process_time()
        await asyncio.gather(*(worker() for _ in range(concurrency)))
        print(time.monotonic() - start, (time.process_time() - before) / items)


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
