"""Tenants made over HTTP, as customers are."""

import concurrent.futures
import time

import bench

SKUS = {"pool": "growth", "bridge": "scale", "silo": "enterprise"}
# Letters of which none looks like another: slugs that look alike are refused.
LETTERS = "abefghkptx"
ORDER = {
    "customerId": "0198c0de-0000-7000-8000-00000000c001", "currency": "EUR", "place": True,
    "lines": [
        {"sku": "SEAT-PRO", "quantity": 3, "unitPriceMinor": 1250},
        {"sku": "SETUP", "quantity": 1, "unitPriceMinor": 9900}]}


class Tenant:
    def __init__(self, atrium, tier, number, sku=None):
        self.atrium = atrium
        self.slug = f"bench-{tier}-" + "".join(LETTERS[int(digit)] for digit in str(number))
        began = time.monotonic()
        answer, _ = bench.request(atrium, "POST", "/api/v1/tenants", atrium.environment["ATRIUM_OPERATOR_KEY"], {
            "slug": self.slug, "name": f"Bench {self.slug}", "sku": sku or SKUS[tier], "region": "eu-central",
            "administrator": {
                "email": "bench@bench.example", "name": "Bench", "password": "a password for the bench 7"}})
        self.took = time.monotonic() - began
        self.key = answer["apiKey"]["key"]

    def place(self):
        order, self.token = bench.request(self.atrium, "POST", "/api/v1/orders", self.key, ORDER)
        return order["id"]

    def read(self, order):
        """A replica that has not come so far must not be asked: hence the token."""
        return bench.request(self.atrium, "GET", f"/api/v1/orders/{order}", self.key, token=self.token)


def register(atrium, tier, count, first=1):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda number: Tenant(atrium, tier, number), range(first, first + count)))
