#!/usr/bin/env python3
"""The suite `http`: placing orders over HTTP against pgbench with the same statements, and commit to invoice.

Starts a release build of `atrium dev` in a folder of its own, so that both sides use one PostgreSQL with fsync on.
"""

import asyncio
import json
import os
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import bench
from bench import Atrium, percentile

SECONDS = int(os.environ.get("BENCH_SECONDS", "30"))
CONNECTIONS = 32
FLOW_RATE = 200
FLOW_CUSTOMER = "0198c0de-0000-7000-8000-00000000f10e"
WARM_UP_CUSTOMER = "0198c0de-0000-7000-8000-00000000f10f"
FLOW_SECONDS = int(os.environ.get("BENCH_FLOW_SECONDS", "20"))
PGBENCH_TENANT = "00000000-0000-7000-8000-0000000000be"


def report(figure, value, unit):
    bench.report("http", figure, value, unit)


def wrk(atrium, seconds, run):
    return bench.wrk(
        atrium, HERE / "place.lua", seconds, atrium.environment["ATRIUM_TENANT_1_KEY"], run, connections=CONNECTIONS)


def pgbench(atrium, seconds, run):
    # It prepares before it begins, when the login has no rights yet; so it logs in as the owner and steps into the role.
    binaries = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/pgbench"))
    program = str(binaries[-1]) if binaries else "pgbench"
    until, signature = atrium.unbound_signature(PGBENCH_TENANT, "orders_app")
    output = subprocess.run(
        [program, "-n", "-M", "prepared", "-c", str(CONNECTIONS), "-j", str(os.cpu_count()), "-T", str(seconds),
         "-D", f"n={run * 1_000_000}", "-D", f"until={until}", "-D", f"signature={signature}",
         "-f", HERE / "place.sql", atrium.administrator],
        capture_output=True, text=True)
    if output.returncode:
        sys.exit("bench: pgbench failed:\n" + output.stderr[:2000])
    for line in output.stdout.splitlines():
        if line.startswith("tps"):
            return float(line.split()[2])
    sys.exit("bench: pgbench said nothing:\n" + output.stdout)


class Client:
    """One keep-alive connection: enough HTTP for this server's answers."""

    async def open(self, atrium):
        host, _, port = atrium.environment["ATRIUM_URL"].removeprefix("http://").partition(":")
        self.reader, self.writer = await asyncio.open_connection(host, int(port))
        self.common = f"Host: {host}\r\nAuthorization: Bearer {atrium.environment['ATRIUM_TENANT_1_KEY']}\r\n"

    async def post(self, path, headers="", body=b""):
        if body:
            headers += "Content-Type: application/json\r\n"
        head = f"POST {path} HTTP/1.1\r\n{self.common}{headers}Content-Length: {len(body)}\r\n\r\n"
        self.writer.write(head.encode() + body)
        answer = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        length = next(
            (int(line.split(":")[1]) for line in answer.split("\r\n") if line.lower().startswith("content-length")), 0)
        content = await self.reader.readexactly(length)
        if not answer.startswith("HTTP/1.1 20"):
            sys.exit(f"bench: POST {path} was answered:\n{answer}{content.decode()}")
        etag = next((line.split(":")[1].strip() for line in answer.split("\r\n") if line.lower().startswith("etag")), "")
        return etag, content


async def order_flow(atrium, customer=FLOW_CUSTOMER, orders=FLOW_RATE * FLOW_SECONDS):
    """Takes FLOW_RATE orders a second from the first request to fulfilled; answers how many."""
    body = json.dumps({
        "customerId": customer, "currency": "EUR", "place": True,
        "lines": [{"sku": "SEAT-PRO", "quantity": 3, "unitPriceMinor": 1250}]}).encode()
    clients = asyncio.Queue()
    for _ in range(CONNECTIONS):
        client = Client()
        await client.open(atrium)
        clients.put_nowait(client)

    async def one(number):
        client = await clients.get()
        etag, content = await client.post("/api/v1/orders", f"Idempotency-Key: flow-{customer}-{number}\r\n", body)
        path = "/api/v1/orders/" + json.loads(content)["id"]
        etag, _ = await client.post(path + "/approve", f"If-Match: {etag}\r\n")
        await client.post(path + "/fulfil", f"If-Match: {etag}\r\n")
        clients.put_nowait(client)

    start = time.monotonic()
    tasks = []
    for number in range(orders):
        await asyncio.sleep(max(0, start + number / FLOW_RATE - time.monotonic()))
        tasks.append(asyncio.create_task(one(number)))
    await asyncio.gather(*tasks)
    return len(tasks), time.monotonic() - start


def commit_to_invoice(atrium, customer=FLOW_CUSTOMER):
    """Milliseconds between two commits, by PostgreSQL's own commit timestamps: order fulfilled, invoice there."""
    query = f"""
        SELECT extract(epoch FROM pg_xact_commit_timestamp(i.xmin) - pg_xact_commit_timestamp(h.xmin)) * 1000
        FROM orders.order_history h JOIN orders.orders o USING (tenant_id)
        JOIN billing.invoices i ON i.tenant_id = h.tenant_id AND i.order_id = h.order_id
        WHERE o.id = h.order_id AND h.change = 'fulfilled' AND o.customer_id = '{customer}'"""
    return [float(line) for line in atrium.sql(query).splitlines()]


def await_invoices(atrium, customer, count):
    deadline = time.monotonic() + 60
    while len(delays := commit_to_invoice(atrium, customer)) < count and time.monotonic() < deadline:
        time.sleep(0.2)
    if len(delays) != count:
        sys.exit(f"bench: {count} orders were fulfilled, {len(delays)} invoiced")
    return delays


def main():
    with Atrium() as atrium:
        # Commit to invoice first, while the tables are small and nothing else waits in the topics.
        # The embedded broker takes seconds to let the first consumers join their groups: not part of any order's way.
        warmed_up, _ = asyncio.run(order_flow(atrium, WARM_UP_CUSTOMER, 200))
        await_invoices(atrium, WARM_UP_CUSTOMER, warmed_up)
        count, took = asyncio.run(order_flow(atrium))
        delays = await_invoices(atrium, FLOW_CUSTOMER, count)
        report("flow_orders_per_second", count / took, "orders/s")
        report("commit_to_invoice_p50", percentile(delays, 0.50), "ms")
        report("commit_to_invoice_p99", percentile(delays, 0.99), "ms")

        # A B B A: the machine's moods fall on both sides alike.
        wrk(atrium, 5, "warm")
        pgbench(atrium, 3, 1)
        half = max(1, SECONDS // 2)
        first = wrk(atrium, half, "a")
        limit = [pgbench(atrium, half, 2), pgbench(atrium, half, 3)]
        second = wrk(atrium, half, "b")
        orders = (first[0] + second[0]) / 2
        ceiling = sum(limit) / 2
        report("place_order", orders, "orders/s")
        report("place_order_p50", (first[1] + second[1]) / 2, "ms")
        report("place_order_p99", max(first[2], second[2]), "ms")
        report("pgbench", ceiling, "transactions/s")
        report("place_order_vs_pgbench", orders / ceiling, "ratio")
        report("peak_memory", atrium.peak_memory(), "MiB")


if __name__ == "__main__":
    main()
