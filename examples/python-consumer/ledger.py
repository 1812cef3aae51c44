"""What the events are used for here: each tenant's placed orders, and what they amount to by currency.

Everything that one message sets off is one transaction of one SQLite file: the note that its fact is known, the effect,
and the offset behind it. Killed at any moment, the next run goes on where the last transaction ended.
"""

import base64
import json
import sqlite3
import time

from events import Unreadable, read

TABLES = """
CREATE TABLE IF NOT EXISTS offsets (
    topic TEXT NOT NULL, partition INTEGER NOT NULL, next INTEGER NOT NULL, PRIMARY KEY (topic, partition));
CREATE TABLE IF NOT EXISTS facts (
    tenant TEXT NOT NULL, source TEXT NOT NULL, fact TEXT NOT NULL, PRIMARY KEY (tenant, source, fact)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tenants (tenant TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS orders (
    tenant TEXT NOT NULL, id TEXT NOT NULL, currency TEXT NOT NULL, minor INTEGER NOT NULL, channel TEXT NOT NULL,
    is_open INTEGER NOT NULL DEFAULT 1, PRIMARY KEY (tenant, id));
-- SQLite would turn a sum that is too large into floating point without a word.
CREATE TABLE IF NOT EXISTS totals (
    tenant TEXT NOT NULL, currency TEXT NOT NULL, orders INTEGER NOT NULL,
    minor INTEGER NOT NULL CHECK (typeof(minor) = 'integer'), PRIMARY KEY (tenant, currency));
CREATE TABLE IF NOT EXISTS parked (
    number INTEGER PRIMARY KEY, topic TEXT NOT NULL, key BLOB, headers TEXT NOT NULL, value BLOB, reason TEXT NOT NULL,
    parked_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS warned (type TEXT PRIMARY KEY);
"""


class Books:
    """One tenant's part of the ledger: there is no statement in here without the tenant."""

    def __init__(self, database, tenant):
        self.database = database
        self.tenant = tenant.lower()

    def name(self, name):
        self.database.execute("INSERT OR REPLACE INTO tenants VALUES (?, ?)", (self.tenant, name))

    def place(self, order, currency, minor, channel):
        self.database.execute(
            "INSERT INTO orders (tenant, id, currency, minor, channel) VALUES (?, ?, ?, ?, ?)",
            (self.tenant, order, currency, minor, channel))
        self.add(currency, 1, minor)

    def call_off(self, order):
        row = self.database.execute(
            "UPDATE orders SET is_open = 0 WHERE tenant = ? AND id = ? AND is_open RETURNING currency, minor",
            (self.tenant, order)).fetchone()
        if row is None:
            raise Unreadable("an order ends that was never placed")
        self.add(row[0], -1, -row[1])

    def add(self, currency, orders, minor):
        self.database.execute(
            """
            INSERT INTO totals VALUES (?, ?, ?, ?) ON CONFLICT (tenant, currency)
            DO UPDATE SET orders = orders + excluded.orders, minor = minor + excluded.minor
            """, (self.tenant, currency, orders, minor))


def order_placed_v2(data):
    """Version 1 of a placed order in the words of version 2."""
    def money(minor):
        return {"minor": minor, "currency": data["currency"]}

    return {
        **{name: data[name] for name in ("tenantId", "orderId", "customerId", "placedAt")},
        "channel": "unknown",
        "total": money(data["totalMinor"]),
        "lines": [
            {**{name: line[name] for name in ("number", "sku", "quantity")},
             "unitPrice": money(line["unitPriceMinor"]), "amount": money(line["amountMinor"])}
            for line in data["lines"]
        ],
    }


# What each event does; written for its newest version alone.
EFFECTS = {
    "identity.tenant.registered": lambda books, data: books.name(data["name"]),
    "orders.order.placed": lambda books, data: books.place(
        data["orderId"], data["total"]["currency"], data["total"]["minor"], data["channel"]),
    "orders.order.cancelled": lambda books, data: books.call_off(data["orderId"]),
    "orders.order.rejected": lambda books, data: books.call_off(data["orderId"]),
}
# From a version to the next one.
UPCASTERS = {("orders.order.placed", 1): order_placed_v2}
NEWEST = {"orders.order.placed": 2}
TOPICS = sorted({".".join(family.split(".")[:2]) for family in EFFECTS})


def is_readable(event_type):
    family, _, version = event_type.rpartition(".v")
    return family in EFFECTS and version.isascii() and version.isdigit() and len(version) <= 9 and 1 <= int(version) <= NEWEST.get(family, 1)


def newest(event):
    data = event.data
    for version in range(event.version, NEWEST.get(event.family, 1)):
        data = UPCASTERS[event.family, version](data)
    return data


class Ledger:
    def __init__(self, file, contracts):
        self.contracts = contracts
        # Transactions begin where the code says so, and not by themselves.
        self.database = sqlite3.connect(file, isolation_level=None, timeout=30)
        self.database.execute("PRAGMA journal_mode = WAL")
        self.database.execute("PRAGMA synchronous = FULL")
        self.database.executescript(TABLES)

    def close(self):
        self.database.close()

    def offset(self, topic, partition):
        row = self.database.execute(
            "SELECT next FROM offsets WHERE topic = ? AND partition = ?", (topic, partition)).fetchone()
        return row and row[0]

    def take(self, topic, partition, offset, key, headers, value):
        """Deals with a message for good; answers what became of it, and a warning or None."""
        with Transaction(self.database):
            outcome = self.settle(topic, key, headers, value)
            self.database.execute("INSERT OR REPLACE INTO offsets VALUES (?, ?, ?)", (topic, partition, offset + 1))
        return outcome

    def settle(self, topic, key, headers, value):
        if key is not None and self.database.execute(
                "SELECT 1 FROM parked WHERE topic = ? AND key = ?", (topic, key)).fetchone():
            # What follows on something that could not be read must not overtake it.
            return self.park(topic, key, headers, value, "an earlier message of its key is parked")
        try:
            return self.apply(headers, value)
        except Unreadable as error:
            return self.park(topic, key, headers, value, str(error))

    def apply(self, headers, value):
        event = read(headers, value)
        if event.family not in EFFECTS:
            return "ignored", None
        if not is_readable(event.type):
            if any(is_readable(other) for other in event.also_as):
                return "ignored", None
            raise Unreadable(f"{event.type} is a version that is not known here")
        self.contracts.check(event)
        self.database.execute("SAVEPOINT effect")
        try:
            known = self.database.execute(
                "INSERT OR IGNORE INTO facts VALUES (?, ?, ?)",
                (event.tenant.lower(), event.attributes["source"], event.fact)).rowcount == 0
            if not known:
                EFFECTS[event.family](Books(self.database, event.tenant), newest(event))
        except (Unreadable, sqlite3.IntegrityError, OverflowError) as error:
            self.database.execute("ROLLBACK TO effect")
            raise Unreadable(str(error)) from None
        finally:
            self.database.execute("RELEASE effect")
        if known:
            return "known", None
        return "applied", self.warning(event)

    def warning(self, event):
        """Once for each version that goes, and only where that was the one that counted."""
        if event.deprecation is None:
            return None
        new = self.database.execute("INSERT OR IGNORE INTO warned VALUES (?)", (event.type,)).rowcount == 1
        return event.deprecation if new else None

    def park(self, topic, key, headers, value, reason):
        kept = json.dumps([[name, base64.b64encode(content or b"").decode()] for name, content in headers or []])
        self.database.execute(
            "INSERT INTO parked (topic, key, headers, value, reason, parked_at) VALUES (?, ?, ?, ?, ?, ?)",
            (topic, key, kept, value, reason, time.time()))
        return "parked", reason

    def retry(self):
        """Takes what is parked again, in order; of a key no further than the first that fails still."""
        done, blocked = 0, set()
        for number, topic, key, headers, value in self.database.execute(
                "SELECT number, topic, key, headers, value FROM parked ORDER BY number").fetchall():
            if key is not None and (topic, key) in blocked:
                continue
            with Transaction(self.database):
                try:
                    self.apply([(name, base64.b64decode(content)) for name, content in json.loads(headers)], value)
                except Unreadable as error:
                    blocked.add((topic, key))
                    self.database.execute("UPDATE parked SET reason = ? WHERE number = ?", (str(error), number))
                else:
                    self.database.execute("DELETE FROM parked WHERE number = ?", (number,))
                    done += 1
        return done

    def totals(self):
        return [
            dict(zip(("tenant", "name", "currency", "orders", "minor"), row))
            for row in self.database.execute(
                "SELECT tenant, name, currency, orders, minor FROM totals LEFT JOIN tenants USING (tenant) ORDER BY 1, 3")
        ]

    def parked(self):
        return [
            dict(zip(("number", "topic", "reason"), row))
            for row in self.database.execute("SELECT number, topic, reason FROM parked ORDER BY number")
        ]


class Transaction:
    def __init__(self, database):
        self.database = database

    def __enter__(self):
        self.database.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind, error, trace):
        self.database.execute("COMMIT" if kind is None else "ROLLBACK")
