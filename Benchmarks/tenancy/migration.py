"""How long `atrium migrate` takes for many tenants with schemas of their own, as a ratio to the files by hand."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import bench
from tenants import register

COUNT = int(os.environ.get("BENCH_BRIDGE_TENANTS", "200"))
CHANGE = "ALTER TABLE order_lines ADD COLUMN note text;\n"


def measure(atrium):
    register(atrium, "bridge", COUNT)
    with tempfile.TemporaryDirectory(prefix="atrium-bench-", dir="/var/tmp") as folder:
        schemas = pathlib.Path(folder) / "schemas"
        shutil.copytree(bench.ROOT / "schemas", schemas)
        (schemas / "sql/orders/0099_note.sql").write_text(CHANGE)
        environment = dict(os.environ, **atrium.environment, ATRIUM_SCHEMAS=str(schemas))
        began = time.monotonic()
        done = subprocess.run([bench.PROGRAM, "migrate"], env=environment, capture_output=True, text=True)
        took = time.monotonic() - began
        if done.returncode:
            sys.exit("bench: atrium migrate failed:\n" + done.stdout[-2000:] + done.stderr[-2000:])
    altered = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'order_lines' AND column_name = 'note'"
    count = int(atrium.sql(altered))
    # The pool's own besides.
    if count != COUNT + 1:
        sys.exit(f"bench: {count} schemas have the column, not {COUNT + 1}")
    bench.report("tenancy", "migrate_bridge_tenants", COUNT, "tenants")
    bench.report("tenancy", "migrate", took, "s")
    # The same change by hand, one transaction for each schema, without the state that makes it repeatable.
    schemas = atrium.sql("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'orders\\_\\_t%'").split()
    began = time.monotonic()
    atrium.sql("".join(f"ALTER TABLE {schema}.order_lines ADD COLUMN note2 text;\n" for schema in schemas))
    by_hand = time.monotonic() - began
    bench.report("tenancy", "migrate_by_hand", by_hand, "s")
    bench.report("tenancy", "migrate_vs_by_hand", took / by_hand, "ratio")
