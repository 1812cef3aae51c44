"""What every suite uses: a release build of `atrium dev` with a PostgreSQL of its own, load, and the report."""

import hashlib
import hmac
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[1]
# Another program than the release build, to work on a suite itself.
PROGRAM = os.environ.get("BENCH_PROGRAM", str(ROOT / ".build/release/atrium"))


def report(suite, figure, value, unit):
    if os.environ.get("JSON") == "1":
        print(json.dumps({"suite": suite, "figure": figure, "value": round(value, 4), "unit": unit}), flush=True)
    else:
        print(f"{figure:<46} {value:>12,.3f}  {unit}", flush=True)


def table(suite, title, columns, rows):
    """A row is a name, then a value for each of the columns; a column is a name and a unit."""
    if os.environ.get("JSON") == "1":
        for name, *values in rows:
            for (column, unit), value in zip(columns, values):
                report(suite, f"{title}_{name}_{column}", value, unit)
        return
    print(f"\n{title:<26}" + "".join(f"{column:>16}" for column, _ in columns))
    print(" " * 26 + "".join(f"{unit:>16}" for _, unit in columns))
    for name, *values in rows:
        shown = (f"{value:>16,.{0 if abs(value) >= 1000 else 2}f}" for value in values)
        print(f"{name:<26}" + "".join(shown), flush=True)


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def percentile(values, share):
    if len(values) < 2:
        return values[0] if values else float("nan")
    return statistics.quantiles(values, n=1000, method="inclusive")[int(share * 1000) - 1]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Atrium:
    """`atrium dev` on a port of its own, in a folder that goes with it."""

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="atrium-bench-", dir="/var/tmp"))
        self.folder.chmod(0o755)
        self.log = open(self.folder / "output.log", "wb")
        environment = dict(os.environ, ATRIUM_DEV_FOLDER=str(self.folder / "state"), ATRIUM_PORT=str(free_port()))
        self.process = subprocess.Popen([PROGRAM, "dev"], cwd=ROOT, env=environment, stdout=self.log, stderr=self.log)
        try:
            self.await_start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def await_start(self):
        deadline = time.monotonic() + 120
        path = self.folder / "state/dev.env"
        while not path.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit("bench: atrium dev did not start:\n" + self.output())
            time.sleep(0.1)
        self.environment = {}
        for line in path.read_text().splitlines():
            name, _, value = line.removeprefix("export ").partition("=")
            self.environment[name] = value.strip("'\"")
        self.url = self.environment["ATRIUM_URL"]
        self.administrator = self.environment["ATRIUM_ADMIN_DATABASE_URL"]
        process = "SELECT split_part(pg_read_file('postmaster.pid'), chr(10), 1)"
        self.postmaster = int(self.sql(process))
        replica = self.environment["ATRIUM_REPLICA_URL"].rpartition("@")[2]
        self.replica = self.administrator.rpartition("@")[0] + "@" + replica
        self.postmasters = [self.postmaster, int(self.sql(process, url=self.replica))]

    def __exit__(self, *_):
        if self.process.poll() is None:
            # One that is halted would not hear of it.
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        if self.process.returncode:
            say("the last words of atrium dev:\n" + self.output()[-2000:])
        shutil.rmtree(self.folder, ignore_errors=True)

    def output(self):
        return (self.folder / "output.log").read_text(errors="replace")

    def halted(self):
        return Halted(self)

    # MARK: PostgreSQL

    def database_url(self, name, login=None):
        """The administrator's way to another database of the cluster, or that of the server's login."""
        return (login or self.administrator).rsplit("/", 1)[0] + "/" + name

    def sql(self, text, database=None, url=None):
        """Runs a script as the administrator."""
        url = url or (self.database_url(database) if database else self.administrator)
        result = subprocess.run(
            ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", url], input=text, capture_output=True, text=True)
        if result.returncode:
            sys.exit("bench: psql failed:\n" + result.stderr[:2000])
        return result.stdout.strip()

    def context_key(self):
        """The key that contexts are signed with, from what the database holds: HMAC's inner key."""
        inner = bytes.fromhex(self.sql("SELECT encode(inner_key, 'hex') FROM platform.context_keys LIMIT 1"))
        return bytes(byte ^ 0x36 for byte in inner)[:32]

    def unbound_signature(self, tenant, role, seconds=3600):
        """The time until which a signature of the context holds on any connection, and the signature in hex digits."""
        until = int(time.time()) + seconds
        message = f"{tenant.replace('-', '')},{role},until {until}"
        return until, hmac.new(self.context_key(), message.encode(), hashlib.sha256).hexdigest()

    # MARK: What processes take

    def peak_memory(self):
        return status(self.process.pid, "VmHWM") / 1024

    def cpu(self):
        """Microseconds that each thread of Atrium and each process of PostgreSQL, replica included, has used so far."""
        threads = {path: scheduled(path) for path in pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")}
        servers = {
            pid: scheduled(f"/proc/{pid}/schedstat") for server in self.postmasters for pid in children(server)}
        return threads, servers


def used(before, after):
    """Microseconds between two samples of `cpu`: of Atrium, of PostgreSQL. What has ended in between is left out."""
    return [
        sum(value - start.get(key, 0) for key, value in end.items()) for start, end in zip(before, after)]


class Halted:
    """Atrium halted, with its PostgreSQL going on: for measuring that alone."""

    def __init__(self, atrium):
        self.atrium = atrium

    def __enter__(self):
        open_transactions = """
            SELECT count(*) FROM pg_stat_activity
            WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"""
        for _ in range(100):
            self.atrium.process.send_signal(signal.SIGSTOP)
            time.sleep(0.2)
            if self.atrium.sql(open_transactions) == "0":
                return
            self.atrium.process.send_signal(signal.SIGCONT)
            time.sleep(0.05)
        sys.exit("bench: atrium can't be halted outside of a transaction")

    def __exit__(self, *_):
        self.atrium.process.send_signal(signal.SIGCONT)


def scheduled(path):
    try:
        return int(pathlib.Path(path).read_text().split()[0]) / 1000
    except (OSError, IndexError):
        return 0


def status(pid, name):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    return float("nan")


def children(pid):
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def wrk(atrium, script, seconds, *arguments, connections=32):
    """Requests a second, then milliseconds at half and at 99 % of the requests."""
    output = subprocess.run(
        ["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--timeout", "10s", "-s", str(script),
         atrium.url, "--", *arguments], capture_output=True, text=True, check=True)
    sys.stderr.write(output.stderr)
    for line in output.stdout.splitlines():
        if line.startswith("RESULT"):
            requests, microseconds, p50, p99, errors = map(float, line.split()[1:])
            if errors:
                sys.exit(f"bench: {errors:.0f} requests failed:\n{output.stdout}")
            return requests / (microseconds / 1e6), p50 / 1000, p99 / 1000
    sys.exit("bench: wrk said nothing:\n" + output.stdout)


def request(atrium, method, path, key, body=None, token=None):
    """One request, repeated while the server asks for patience; answers the JSON and the consistency token."""
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": str(uuid.uuid4())}
    if token:
        headers["Atrium-Consistency"] = token
    data = None
    if body is not None:
        data = json.dumps(body).encode()
        headers["Content-Type"] = "application/json"
    for attempt in range(20):
        try:
            with urllib.request.urlopen(
                urllib.request.Request(atrium.url + path, data, headers, method=method), timeout=60
            ) as answer:
                return json.load(answer), answer.headers.get("Atrium-Consistency")
        except urllib.error.HTTPError as error:
            said = error.read().decode()
            if error.code != 503 or attempt == 19:
                sys.exit(f"bench: {method} {path} was answered with {error.code}:\n{said}")
            time.sleep(float(error.headers.get("Retry-After", "1")))
