"""Databases that hold Atrium's real tables, each with another way of keeping tenants apart."""

import concurrent.futures
import os

import bench

TENANT = "('0198c0dc-0000-7000-8000-' || lpad(to_hex(t), 12, '0'))::uuid"
ORDER = "('0198c0dd-0000-7000-8000-' || lpad(to_hex(t * 1000 + k), 12, '0'))::uuid"
CONTEXTS = ["identity", "orders", "billing", "metering"]
ORDERS_IN_ALL = 20_000
TABLES = ["orders.orders", "orders.order_lines", "orders.order_history", "orders.receipts", "orders.outbox"]


def digits(tenant):
    return f"0198c0dc000070008000{tenant:012x}"


def filling(tenants, orders, first=1, step=1, schema="orders"):
    """Orders of two lines each for every `step`-th tenant from `first` on."""
    source = f"generate_series({first}, {tenants}, {step}) t, generate_series(1, {orders}) k"
    customer = "'0198c0de-0000-7000-8000-00000000c001'"
    return f"""
        INSERT INTO {schema}.orders SELECT {TENANT}, {ORDER}, {customer}, 'EUR', 'placed', 13650, now(), now(), 2
            FROM {source};
        INSERT INTO {schema}.order_lines
            SELECT {TENANT}, {ORDER}, n, CASE n WHEN 1 THEN 'SEAT-PRO' ELSE 'SETUP' END, 1, 1250
            FROM {source}, generate_series(1, 2) n;
        INSERT INTO {schema}.order_history
            SELECT {TENANT}, {ORDER}, n, 'placed', NULL, 'operator', {customer}, now()
            FROM {source}, generate_series(1, 2) n;
        """


def without_row_security():
    return "".join(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;" for table in TABLES)


def with_policy(condition):
    return "".join(
        f"DROP POLICY tenant_isolation ON {table}; CREATE POLICY tenant_isolation ON {table} "
        f"USING (tenant_id = {condition}) WITH CHECK (tenant_id = {condition});" for table in TABLES)


# Keys as in a program that knows of one tenant only.
ONE_TENANT_KEYS = """
    ALTER TABLE orders.order_lines DROP CONSTRAINT order_lines_tenant_id_order_id_fkey;
    ALTER TABLE orders.order_history DROP CONSTRAINT order_history_tenant_id_order_id_fkey;
    ALTER TABLE orders.orders DROP CONSTRAINT orders_pkey, ADD PRIMARY KEY (id);
    ALTER TABLE orders.order_lines DROP CONSTRAINT order_lines_pkey, ADD PRIMARY KEY (order_id, number),
        ADD FOREIGN KEY (order_id) REFERENCES orders.orders (id);
    ALTER TABLE orders.order_history DROP CONSTRAINT order_history_pkey, ADD PRIMARY KEY (order_id, version),
        ADD FOREIGN KEY (order_id) REFERENCES orders.orders (id);
    ALTER TABLE orders.receipts DROP CONSTRAINT receipts_pkey, ADD PRIMARY KEY (key);
    DROP INDEX orders.orders_by_state, orders.orders_by_customer;
    CREATE INDEX ON orders.orders (state, id DESC);
    CREATE INDEX ON orders.orders (customer_id, id DESC);
    """

# platform.enter without the proof, and with nothing left but the setting of a parameter.
UNCHECKED_ENTER = """
    CREATE OR REPLACE FUNCTION platform.enter(context text, valid_until bigint, mac bytea) RETURNS void
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    BEGIN
        PERFORM set_config('backtrace_functions', context, true);
    END
    $$;
    """
PLAIN_SETTING_ENTER = """
    GRANT SET ON PARAMETER backtrace_functions TO PUBLIC;
    GRANT EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) TO PUBLIC;
    CREATE OR REPLACE FUNCTION platform.enter(context text, valid_until bigint, mac bytea) RETURNS void
        LANGUAGE sql SECURITY INVOKER AS $$ SELECT set_config('backtrace_functions', context, true) $$;
    ALTER FUNCTION platform.enter RESET ALL;
    """

# The same proof, but in each statement that asks whose rows it may see.
PROVEN_IN_POLICY = """
    CREATE SCHEMA bench;
    GRANT USAGE ON SCHEMA bench TO PUBLIC;
    CREATE FUNCTION bench.proven_tenant() RETURNS uuid
        LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DECLARE
        context text := current_setting('atrium.context');
        mac bytea := current_setting('atrium.mac')::bytea;
        message bytea := convert_to(context || ',' || pg_backend_pid()::text, 'UTF8');
    BEGIN
        IF NOT EXISTS (
            SELECT FROM platform.context_keys k WHERE sha256(k.outer_key || sha256(k.inner_key || message)) = mac)
        THEN
            RAISE EXCEPTION 'not signed';
        END IF;
        RETURN split_part(context, ',', 1)::uuid;
    END
    $$;
    """
MAY_SET = "GRANT EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) TO orders_app;"


def schema_script(tenants):
    """The schemas that Atrium makes for a bridge tenant, from the same files, one transaction for each tenant."""
    files = {
        context: "\n".join(path.read_text() for path in sorted((bench.ROOT / "schemas/sql" / context).glob("*.sql")))
        for context in CONTEXTS}
    script = []
    for tenant in tenants:
        script.append("BEGIN; SET LOCAL ROLE atrium_owner; SET LOCAL client_min_messages = error;")
        for context in CONTEXTS:
            name = f"{context}__t{digits(tenant)}"
            script.append(
                f"CREATE SCHEMA {name} AUTHORIZATION atrium_owner; SET LOCAL search_path = {name}, pg_temp;"
                + files[context])
        script.append("COMMIT;")
    return "\n".join(script)


class Tables:
    """Makes the databases, once each; a database is a copy of the template that silos are copies of."""

    def __init__(self, atrium):
        self.atrium = atrium

    def create(self, name, template="atrium_template"):
        # One statement by itself: CREATE DATABASE takes no part in a transaction.
        self.atrium.sql(f"CREATE DATABASE {name} TEMPLATE {template} OWNER atrium_owner", "postgres")

    def settle(self, name):
        self.atrium.sql("VACUUM ANALYZE", name)

    def pool(self, separation, tenants):
        name = f"bench_{separation}"
        self.create(name)
        changes = {
            "none": without_row_security() + ONE_TENANT_KEYS,
            "where": without_row_security(),
            "setting": with_policy("current_setting('atrium.tenant_id')::uuid") + MAY_SET,
            "unchecked": UNCHECKED_ENTER,
            "signed": "",
            "policy": PROVEN_IN_POLICY + with_policy("(SELECT bench.proven_tenant())") + MAY_SET,
        }[separation]
        self.atrium.sql(changes + filling(tenants, ORDERS_IN_ALL // tenants), name)
        self.settle(name)
        return [name]

    def silos(self, count, tenants):
        names = [f"bench_silo_{count}_{number}" for number in range(count)]
        for number, name in enumerate(names):
            self.create(name)
            # The driver sends the n-th tenant to the n-th database, counted round.
            self.atrium.sql(filling(tenants, ORDERS_IN_ALL // tenants, first=number + 1, step=count), name)
            self.settle(name)
        return names

    def bridges(self, counts):
        """Databases with so many tenants' schemas, each begun as a copy of the one before."""
        before, made = "atrium_template", 0
        for count in sorted(counts):
            name = f"bench_bridge_{count}_empty"
            self.create(name, before)
            wanted = list(range(made + 1, count + 1))
            with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
                parts = [wanted[start:start + 25] for start in range(0, len(wanted), 25)]
                list(pool.map(lambda part: self.atrium.sql(schema_script(part), name), parts))
            before, made = name, count
        for count in sorted(counts):
            name = f"bench_bridge_{count}"
            self.create(name, f"{name}_empty")
            # Each statement by itself: all at once would need a lock for each table of each.
            filled = "SET synchronous_commit = off;\n" + "\n".join(
                filling(tenant, max(1, ORDERS_IN_ALL // count), first=tenant, schema=f"orders__t{digits(tenant)}")
                for tenant in range(1, count + 1))
            self.atrium.sql(filled, name)
            self.settle(name)
        return {count: [f"bench_bridge_{count}"] for count in counts}
