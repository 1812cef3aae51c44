"""How long a quiet tenant waits while another loads the server as hard as it can."""

import asyncio
import json
import os
import statistics
import subprocess
import time
import uuid

import bench
from tenants import ORDER, Tenant

SECONDS = int(os.environ.get("BENCH_NEIGHBOUR_SECONDS", "10"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
RATE = 20
NOISY_CONNECTIONS = 256


class Quiet:
    """Places RATE orders a second, whether the ones before were answered or not, each on a connection that is open."""

    def __init__(self, atrium, key):
        host, _, port = atrium.url.removeprefix("http://").partition(":")
        self.host, self.port, self.key = host, int(port), key
        self.body = json.dumps(ORDER).encode()
        self.times = []
        self.refused = 0

    async def one(self, connections):
        began = time.monotonic()
        reader, writer = connections.get_nowait() if not connections.empty() else await asyncio.open_connection(
            self.host, self.port)
        writer.write(
            (f"POST /api/v1/orders HTTP/1.1\r\nHost: {self.host}\r\nAuthorization: Bearer {self.key}\r\n"
             f"Content-Type: application/json\r\nIdempotency-Key: {uuid.uuid4()}\r\n"
             f"Content-Length: {len(self.body)}\r\n\r\n").encode() + self.body)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = next(int(line.split(":")[1]) for line in head.split("\r\n") if line.startswith("content-length"))
        await reader.readexactly(length)
        if head.startswith("http/1.1 201"):
            self.times.append((time.monotonic() - began) * 1000)
        else:
            self.refused += 1
        connections.put_nowait((reader, writer))

    async def run(self, seconds):
        connections = asyncio.Queue()
        tasks = []
        began = time.monotonic()
        for number in range(int(seconds * RATE)):
            await asyncio.sleep(max(0, began + number / RATE - time.monotonic()))
            tasks.append(asyncio.create_task(self.one(connections)))
        await asyncio.gather(*tasks)
        while not connections.empty():
            connections.get_nowait()[1].close()


def once(atrium, quiet_key, noisy_key):
    """The quiet one's p50 and p99 in milliseconds, how many it was refused, and the noisy one's requests a second."""
    noisy = None
    if noisy_key:
        noisy = subprocess.Popen(
            ["wrk", "-t", "1", "-c", str(NOISY_CONNECTIONS), "-d", f"{SECONDS + 2}s", "--timeout", "10s", "-s",
             str(bench.ROOT / "Benchmarks/http/place.lua"), atrium.url, "--", noisy_key, str(uuid.uuid4())],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        time.sleep(1)
    quiet = Quiet(atrium, quiet_key)
    asyncio.run(quiet.run(SECONDS))
    rate = 0.0
    if noisy:
        output, _ = noisy.communicate()
        words = next(line for line in output.splitlines() if line.startswith("RESULT")).split()
        rate = float(words[1]) / (float(words[2]) / 1e6)
    return bench.percentile(quiet.times, 0.5), bench.percentile(quiet.times, 0.99), float(quiet.refused), rate


def measure(atrium):
    quiet, noisy = Tenant(atrium, "pool", 1), Tenant(atrium, "pool", 2)
    # Atrium always shares fairly between tenants. Within one tenant it is first come, first served: two loads of one
    # tenant are what two tenants would be without fairness.
    cases = {"alone": (quiet.key, None), "fair": (quiet.key, noisy.key), "in_one_line": (noisy.key, noisy.key)}
    results = {name: [] for name in cases}
    quiet.place(), noisy.place()
    for round_number in range(ROUNDS):
        bench.say(f"noisy neighbour, round {round_number + 1} of {ROUNDS}")
        for name in cases if round_number % 2 == 0 else reversed(list(cases)):
            results[name].append(once(atrium, *cases[name]))
    columns = [("p50", "ms"), ("p99", "ms"), ("refused", "requests"), ("noisy_rate", "requests/s")]
    bench.table(
        "tenancy", "neighbour", columns,
        [[name, *(statistics.median(values) for values in zip(*rounds))] for name, rounds in results.items()])
