"""What the parts of the suite `events` share: a broker, processes of Atrium with some roles, and events by the thousand."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import bench

TENANTS = 32
# The embedded broker keeps about 5 MB of each partition: enough of them keep everything.
PARTITIONS = 16
TOPICS = ["identity.tenant", "orders.order", "billing.invoice", "metering.usage", "bench.raw"]
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))

UUID7 = """(lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || '7'
    || substr(md5(random()::text || {salt}), 1, 3) || '8' || substr(md5({salt} || random()::text), 1, 15))::uuid"""
# pgbench takes a colon before a digit or a letter for a variable.
PAYLOAD = """format('{"currency":"EUR","customerId":"0198c0de-0000-7000-8000-0000000000cc","fulfilledAt":"%s","lines":'
    || '[{"amountMinor": 3750,"number": 1,"quantity": 3,"sku":"SEAT-PRO","unitPriceMinor": 1250},'
    || '{"amountMinor": 9900,"number": 2,"quantity": 1,"sku":"SETUP","unitPriceMinor": 9900}],'
    || '"orderId":"%s","tenantId":"%s","totalMinor": 13650}',
    replace((now() AT TIME ZONE 'UTC')::text, ' ', 'T') || 'Z', aggregate_id, tenant_id)"""
COLUMNS = """tenant_id, event_id, topic, type, aggregate_id, aggregate_version, occurred_at, correlation_id,
    causation_id, traceparent, payload"""
CONSTANTS = """'orders.order', 'orders.order.fulfilled.v1', aggregate_id, 4, now(),
    '0198c0de-0000-7000-8000-00000000c002'::uuid, NULL, '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'"""


def report(figure, value, unit):
    bench.report("events", figure, value, unit)


def percentile(values, share):
    return bench.percentile(values, share)


class Backbone:
    """A PostgreSQL with tenants in it, whose own server is halted for good: the parts start what they measure."""

    def __enter__(self):
        self.atrium = bench.Atrium().__enter__()
        try:
            self.prepare()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.atrium.__exit__()

    def prepare(self):
        subprocess.run(
            ["gcc", "-O2", "-o", str(self.atrium.folder / "kafka"), str(HERE / "kafka.c"), "-lrdkafka"], check=True)
        self.tenants = [self.register(number) for number in range(TENANTS)]
        # Until they have been told of their tenants, and have nothing left to publish.
        self.until("every account is open", lambda: self.number("SELECT count(*) FROM billing.accounts") >= TENANTS)
        self.halted = self.atrium.halted()
        self.halted.__enter__()
        # Who would read what PostgreSQL says has been halted, and once its pipe is full every backend that has something
        # to say stands still.
        self.sql("ALTER SYSTEM SET log_min_messages = 'panic'")
        self.sql("SELECT pg_reload_conf()")
        # The replica would only write everything once more.
        for postmaster in self.atrium.postmasters[1:]:
            os.kill(postmaster, signal.SIGINT)
        self.sql("""
            CREATE TABLE public.bench_tenants (n int PRIMARY KEY, tenant uuid, orders text, orders_until bigint,
                orders_mac bytea, billing text, billing_until bigint, billing_mac bytea)""")
        for number, tenant in enumerate(self.tenants):
            signed = []
            for role in ("orders_app", "billing_app"):
                until, code = self.atrium.unbound_signature(tenant, role, 7200)
                signed.append(f"'{tenant.replace('-', '')},{role}', {until}, '\\x{code}'")
            self.sql(f"INSERT INTO public.bench_tenants VALUES ({number}, '{tenant}', {', '.join(signed)})")

    def register(self, number):
        slug = f"bench-{number}"
        body = {
            "slug": slug, "name": "Bench", "sku": "growth", "region": "eu-central",
            "administrator": {"email": f"a@{slug}.example", "name": "Ada", "password": "correct horse battery"}}
        answer, _ = bench.request(
            self.atrium, "POST", "/api/v1/tenants", self.atrium.environment["ATRIUM_OPERATOR_KEY"], body)
        return answer["tenant"]["id"]

    # MARK: PostgreSQL

    def sql(self, text):
        return self.atrium.sql(text)

    def number(self, text):
        return float(self.sql(text) or 0)

    def until(self, what, condition, seconds=120, every=0.1):
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                sys.exit(f"bench: after {seconds} s, this still had not come true: {what}")
            time.sleep(every)

    def insert_events(self, count):
        """Events of as many aggregates, spread over the tenants, in commits of a thousand."""
        for first in range(0, count, 1000):
            self.sql(f"""
                INSERT INTO orders.outbox ({COLUMNS})
                SELECT tenant_id, event_id, {CONSTANTS}, {PAYLOAD} FROM (
                    SELECT (SELECT tenant FROM public.bench_tenants WHERE n = g % {TENANTS}) AS tenant_id,
                        {UUID7.format(salt='g::text')} AS event_id, {UUID7.format(salt="'a' || g::text")} AS aggregate_id
                    FROM generate_series({first}, {min(first + 1000, count) - 1}) AS g) AS e""")

    def skip_published(self):
        """Moves the cursors behind everything that is there."""
        self.sql("UPDATE orders.outbox_cursor SET owner = NULL, lease_until = '-infinity'")
        self.sql("UPDATE orders.outbox_cursor SET transaction_id = pg_current_xact_id(), position = 0")

    def pgbench(self, script, seconds, clients, *arguments, rate=None):
        """Transactions a second."""
        binaries = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/pgbench"))
        path = self.atrium.folder / "script.sql"
        path.write_text(script)
        output = subprocess.run(
            [str(binaries[-1]) if binaries else "pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", "2",
             "-T", str(seconds), *(["-R", str(rate)] if rate else []), *arguments, "-f", path,
             self.atrium.administrator], capture_output=True, text=True)
        if output.returncode:
            sys.exit("bench: pgbench failed:\n" + output.stderr[:3000])
        return float(next(line for line in output.stdout.splitlines() if line.startswith("tps")).split()[2])

    # MARK: Programs

    def kafka(self, *arguments):
        """Seconds, as one of the raw clients measured them."""
        output = subprocess.run(
            [str(self.atrium.folder / "kafka"), *map(str, arguments)], capture_output=True, text=True)
        if output.returncode:
            sys.exit("bench: " + output.stderr)
        return float(output.stdout)

    def broker(self):
        """A new one, of which nothing is in the contexts' books: they would take it for one that has lost its data."""
        for context in ("identity", "orders", "billing", "metering"):
            self.sql(f"DELETE FROM {context}.consumed")
        return Broker(self.atrium.folder / "kafka")

    def serve(self, broker, roles, contexts):
        return Serve(self, broker, roles, contexts)


class Broker:
    """librdkafka's mock cluster, in a process of its own."""

    def __init__(self, program):
        self.program = program

    def __enter__(self):
        self.process = subprocess.Popen(
            [self.program, "broker", str(PARTITIONS), *TOPICS], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        self.servers = self.process.stdout.readline().strip()
        return self

    def command(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        self.process.stdout.readline()

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


class Serve:
    """`atrium serve` with some roles."""

    def __init__(self, backbone, broker, roles, contexts):
        self.port = bench.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        atrium = backbone.atrium
        secrets = json.loads((atrium.folder / "state/secrets.json").read_text())
        self.log = atrium.folder / f"serve-{self.port}.log"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ATRIUM_")},
            "ATRIUM_DATABASE_URL": atrium.environment["ATRIUM_DATABASE_URL"],
            "ATRIUM_KAFKA_BOOTSTRAP_SERVERS": broker.servers, "ATRIUM_KAFKA_TOPIC_PARTITIONS": str(PARTITIONS),
            "ATRIUM_OPERATOR_KEY": secrets["operatorKey"], "ATRIUM_SECRET": secrets["secret"],
            "ATRIUM_PORT": str(self.port), "ATRIUM_ROLES": roles, "ATRIUM_CONTEXTS": contexts,
            # The embedded broker holds news back as long as it would hold a request without any.
            "ATRIUM_KAFKA_FETCH_WAIT": "2", "ATRIUM_CANARY_INTERVAL": "0", "ATRIUM_LOG_LEVEL": "warning",
            "ATRIUM_SCHEMAS": str(bench.ROOT / "schemas")}

    def __enter__(self):
        self.process = subprocess.Popen(
            [bench.PROGRAM, "serve"], cwd=bench.ROOT, env=self.environment, stdout=open(self.log, "wb"),
            stderr=subprocess.STDOUT)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def counter(self, name, context):
        """0 as long as nobody answers or there is none."""
        if self.process.poll() is not None:
            sys.exit("bench: atrium serve ended:\n" + self.log.read_text()[-3000:])
        try:
            with urllib.request.urlopen(self.url + "/metrics", timeout=10) as answer:
                text = answer.read().decode()
        except OSError:
            return 0
        return sum(
            float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
            if line.startswith(name + "{") and f'context="{context}"' in line)

    def rate(self, counter, context, wanted, seconds=300):
        """How many a second, from the first that is seen to the last, and CPU microseconds of this process for each."""
        deadline = time.monotonic() + seconds
        while (first := self.counter(counter, context)) == 0:
            if time.monotonic() > deadline:
                sys.exit("bench: nothing began:\n" + self.log.read_text()[-3000:])
            time.sleep(0.01)
        begin, cpu = time.monotonic(), self.cpu()
        while (count := self.counter(counter, context)) < wanted:
            if time.monotonic() > deadline:
                sys.exit(f"bench: {count:.0f} of {wanted} in {seconds} s:\n" + self.log.read_text()[-3000:])
            time.sleep(0.02)
        done = max(1, count - first)
        return done / (time.monotonic() - begin), (self.cpu() - cpu) / done

    def cpu(self):
        return sum(
            bench.scheduled(path) for path in pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/schedstat"))


class InBackground(threading.Thread):
    """Runs something beside the measurement, and hands on what it threw."""

    def __init__(self, body):
        super().__init__()
        self.body, self.error = body, None
        self.start()

    def run(self):
        try:
            self.body()
        except BaseException as error:
            self.error = error

    def end(self):
        self.join()
        if self.error:
            raise self.error
