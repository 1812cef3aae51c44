"""The consumer's rules, without a broker: python -m unittest examples/python-consumer/test_consumer.py"""

import base64
import json
import os
import sqlite3
import sys
import tempfile
import unittest
import uuid
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from events import Contracts, Unreadable, read  # noqa: E402
from ledger import Ledger, order_placed_v2  # noqa: E402
from watch import harmless, line  # noqa: E402

CONTRACTS = Contracts.load(HERE.parents[1] / "schemas" / "events")
A, B = "0198c0de-0000-7000-8000-00000000000a", "0198c0de-0000-7000-8000-00000000000b"


def placed(tenant=A, order=None, minor=3750, version=1):
    data = {
        "tenantId": tenant, "orderId": order or str(uuid.uuid4()), "customerId": str(uuid.uuid4()), "currency": "EUR",
        "lines": [{"number": 1, "sku": "S", "quantity": 1, "unitPriceMinor": minor, "amountMinor": minor}],
        "totalMinor": minor, "placedAt": "2026-01-15T09:30:00Z",
    }
    return data if version == 1 else {**order_placed_v2(data), "channel": "api"}


def attributes(kind, tenant=A, **more):
    context, _, rest = kind.partition(".")
    return {
        "specversion": "1.0", "id": str(uuid.uuid4()), "source": "/atrium/orders", "type": kind, "tenantid": tenant,
        "time": "2026-01-15T09:30:00Z", "dataschema": f"https://atrium.dev/schemas/events/{context}/{rest}.json", **more,
    }


def headers(named, content_type="application/json"):
    return [(f"ce_{name}", text.encode()) for name, text in named.items()] + [("content-type", content_type.encode())]


class LedgerCase(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.file = os.path.join(self.folder.name, "ledger.sqlite")
        self.ledger = Ledger(self.file, CONTRACTS)
        self.offset = 0

    def tearDown(self):
        self.ledger.close()
        self.folder.cleanup()

    def take(self, kind, data, key=b"k", tenant=A, **more):
        return self.message(headers(attributes(kind, tenant, **more)), json.dumps(data).encode(), key)

    def message(self, headers, value, key=b"k"):
        outcome = self.ledger.take("orders.order", 0, self.offset, key, headers, value)
        self.offset += 1
        return outcome[0]

    def total(self, tenant=A):
        return {row["currency"]: (row["orders"], row["minor"]) for row in self.ledger.totals() if row["tenant"] == tenant}


class Effects(LedgerCase):
    def test_both_versions_of_one_fact_count_once_whichever_comes_first(self):
        for first, second in ((2, 1), (1, 2)):
            order, fact = str(uuid.uuid4()), str(uuid.uuid4())
            outcomes = [
                self.take(
                    f"orders.order.placed.v{version}", placed(order=order, version=version), factid=fact,
                    alsoas=f"orders.order.placed.v{3 - version}")
                for version in (first, second)
            ]
            self.assertEqual(outcomes, ["applied", "known"])
        self.assertEqual(self.total(), {"EUR": (2, 7500)})

    def test_the_same_event_again_changes_nothing(self):
        again = headers(attributes("orders.order.placed.v1"))
        value = json.dumps(placed()).encode()
        self.assertEqual([self.message(again, value) for _ in range(3)], ["applied", "known", "known"])
        self.assertEqual(self.total(), {"EUR": (1, 3750)})

    def test_an_order_that_is_called_off_is_taken_out(self):
        order = str(uuid.uuid4())
        self.take("orders.order.placed.v2", placed(order=order, version=2))
        data = {"tenantId": A, "orderId": order, "reason": "no", "cancelledAt": "2026-01-15T09:30:00Z"}
        self.assertEqual(self.take("orders.order.cancelled.v1", data), "applied")
        self.assertEqual(self.total(), {"EUR": (0, 0)})

    def test_tenants_are_apart(self):
        order, fact = str(uuid.uuid4()), str(uuid.uuid4())
        self.take("orders.order.placed.v1", placed(A, order), tenant=A, id=fact)
        self.take("orders.order.placed.v1", placed(B, order, 1), tenant=B, id=fact)
        self.assertEqual((self.total(A), self.total(B)), ({"EUR": (1, 3750)}, {"EUR": (1, 1)}))
        data = {"tenantId": B, "orderId": str(uuid.uuid4()), "reason": "no", "rejectedAt": "2026-01-15T09:30:00Z"}
        order = self.ledger.database.execute("SELECT id FROM orders WHERE tenant = ?", (A,)).fetchone()[0]
        self.take("orders.order.rejected.v1", {**data, "orderId": order}, tenant=B)
        self.assertEqual((self.total(A), self.total(B)), ({"EUR": (1, 3750)}, {"EUR": (0, 0)}))

    def test_the_offset_is_kept_with_the_effect_or_not_at_all(self):
        self.take("orders.order.placed.v1", placed())
        self.assertEqual(self.ledger.offset("orders.order", 0), 1)
        # The process dies within the transaction.
        self.ledger.database.execute("BEGIN IMMEDIATE")
        self.ledger.settle(
            "orders.order", b"k", headers(attributes("orders.order.placed.v1")), json.dumps(placed()).encode())
        self.ledger.close()
        self.ledger = Ledger(self.file, CONTRACTS)
        self.assertEqual(self.ledger.offset("orders.order", 0), 1)
        self.assertEqual(self.total(), {"EUR": (1, 3750)})

    def test_a_sum_that_is_too_large_is_parked_and_nothing_of_it_stays(self):
        largest = 2**63 - 1
        self.take("orders.order.placed.v1", placed(minor=largest), key=b"1")
        self.assertEqual(self.take("orders.order.placed.v1", placed(minor=1), key=b"2"), "parked")
        self.assertEqual(self.total(), {"EUR": (1, largest)})
        count = self.ledger.database.execute("SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM facts)")
        self.assertEqual(count.fetchone(), (1, 1))

    def test_a_version_that_goes_is_told_of_once_and_only_where_it_counted(self):
        goes = {"deprecated": "true", "deprecationsunset": "2027-06-01T00:00:00Z", "deprecationmigration": "https://x"}
        remarks = []
        for kind, version, more in (("v2", 2, {}), ("v1", 1, {**goes, "factid": "f"}), ("v1", 1, goes), ("v1", 1, goes)):
            if version == 2:
                more = {"factid": "f"}
            named = attributes(f"orders.order.placed.{kind}", **more)
            remarks.append(self.ledger.take(
                "t", 0, 0, None, headers(named), json.dumps(placed(version=version)).encode())[1])
        self.assertEqual([remark is None for remark in remarks], [True, True, False, True])
        self.assertIn("2027-06-01", remarks[2])


class Parking(LedgerCase):
    def test_what_is_of_no_interest_is_ignored_and_what_can_not_be_read_is_parked(self):
        self.assertEqual(self.take("orders.order.approved.v1", {}), "ignored")
        self.assertEqual(self.take("some.thing.else", {}), "ignored")
        self.assertEqual(self.take("orders.order.placed.v3", {}, alsoas="orders.order.placed.v2"), "ignored")
        for number, (data, more, kind) in enumerate((
            (placed(), {}, "orders.order.placed.v3"),
            (placed(B), {}, "orders.order.placed.v1"),
            ({**placed(), "totalMinor": "3750"}, {}, "orders.order.placed.v1"),
            (placed(), {"dataschema": "https://atrium.dev/schemas/events/orders/order.placed.v2.json"},
             "orders.order.placed.v1"),
            (placed(), {"specversion": "0.3"}, "orders.order.placed.v1"),
            (placed(), {"tenantid": ""}, "orders.order.placed.v1"),
            ([], {}, "orders.order.placed.v1"),
        )):
            named = {**attributes(kind), **more}
            self.assertEqual(
                self.message(headers(named), json.dumps(data).encode(), key=b"%d" % number), "parked", (kind, more))
        said_twice = json.dumps(placed()).encode()[:-1] + b', "totalMinor": 1}'
        for value in (None, b"", b"{", said_twice, b'{"a": NaN}', b"\xff"):
            self.assertEqual(
                self.message(headers(attributes("orders.order.placed.v1")), value, key=repr(value).encode()), "parked")
        self.assertEqual(self.message([("ce_type", b"\xff")], b"{}", key=b"odd"), "parked")
        self.assertEqual(self.message(None, b"{}", key=b"none"), "parked")
        self.assertEqual(self.ledger.totals(), [])
        self.assertEqual(len(self.ledger.parked()), 15)
        self.assertFalse(any("3750" in row["reason"] for row in self.ledger.parked()))

    def test_what_follows_on_something_parked_waits_and_is_dealt_with_in_order(self):
        order = str(uuid.uuid4())
        self.ledger.contracts = Contracts(CONTRACTS.by_address, {
            kind: schema for kind, schema in CONTRACTS.by_type.items() if kind != "orders.order.placed.v1"})
        self.assertEqual(self.take("orders.order.placed.v1", placed(order=order), key=b"1"), "parked")
        ended = {"tenantId": A, "orderId": order, "reason": "no", "cancelledAt": "2026-01-15T09:30:00Z"}
        self.assertEqual(self.take("orders.order.cancelled.v1", ended, key=b"1"), "parked")
        self.assertEqual(self.take("orders.order.placed.v2", placed(version=2), key=b"1"), "parked")
        self.assertEqual(self.take("orders.order.placed.v2", placed(version=2), key=b"2"), "applied")
        self.assertEqual(self.ledger.retry(), 0)
        self.assertEqual(len(self.ledger.parked()), 3)
        self.ledger.contracts = CONTRACTS
        self.assertEqual(self.ledger.retry(), 3)
        self.assertEqual((self.ledger.parked(), self.total()), ([], {"EUR": (2, 7500)}))


class Modes(LedgerCase):
    def test_a_structured_event_is_the_same_event(self):
        named, data = attributes("orders.order.placed.v1"), placed()
        kind = "application/cloudevents+json; charset=UTF-8"
        encoded = base64.b64encode(json.dumps(data).encode()).decode()
        outcomes = [
            self.message([("Content-Type", kind.encode())], json.dumps({**named, "data": data}).encode()),
            self.message([("content-type", kind.encode())], json.dumps({**named, "data_base64": encoded}).encode()),
            self.message(headers(named), json.dumps(data).encode()),
        ]
        self.assertEqual(outcomes, ["applied", "known", "known"])

    def test_other_formats_and_broken_envelopes_are_refused(self):
        good = attributes("orders.order.placed.v1")
        for headers_, value in (
            ([("content-type", b"application/cloudevents+avro")], b"{}"),
            ([("content-type", b"application/cloudevents-batch+json")], b"[]"),
            ([("content-type", b"application/cloudevents+json")], b"[]"),
            ([("content-type", b"application/cloudevents+json")], json.dumps({**good, "data_base64": "%"}).encode()),
            (headers(good, "text/plain"), b"{}"),
            (headers(good) + [("CE_ID", b"again")], b"{}"),
        ):
            with self.assertRaises(Unreadable):
                read(headers_, value)


class Terminal(unittest.TestCase):
    def test_what_strangers_wrote_moves_no_cursor(self):
        shown = line({
            "tenant": "\x1b]0;title\x07", "time": "now\r\n", "type": "a\x9b2J\x7f", "subject": "\u202eé", "topic": "t"})
        self.assertTrue(shown.isprintable(), ascii(shown))
        self.assertIn("\\x1b]0;title\\x07", shown)
        self.assertIn("\\u202eé", shown)
        self.assertEqual(harmless("orders.order.placed.v1 – 3 €"), "orders.order.placed.v1 – 3 €")


class Golden(LedgerCase):
    def test_every_event_ever_published_can_be_taken_in(self):
        files = sorted((HERE.parents[1] / "schemas" / "golden").rglob("*.json"))
        self.assertGreater(len(files), 60)
        for file in files:
            data = json.loads(file.read_text(encoding="utf-8"))
            kind = f"{file.parent.parent.name}.{file.parent.name}"
            CONTRACTS.check(read(headers(attributes(kind, data["tenantId"])), file.read_bytes()))
            if file.parent.name == "order.placed.v1":
                CONTRACTS.by_type["orders.order.placed.v2"].validate(order_placed_v2(data))


if __name__ == "__main__":
    unittest.main()
