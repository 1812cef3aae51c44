/// What is planted, as statements of the superuser parted by semicolons, and the finding that must come of it; `TENANT`
/// stands for the suffix of a tenant with schemas of its own.
enum Faults {
    typealias List = [(sql: String, finding: String)]

    private static func policy(_ rest: String) -> String {
        "DROP POLICY tenant_isolation ON orders.orders; CREATE POLICY tenant_isolation ON orders.orders \(rest)"
    }

    static let tables: List = [
        ("ALTER TABLE orders.orders DISABLE ROW LEVEL SECURITY", "orders.orders has row security switched off"),
        ("ALTER TABLE billing.inbox NO FORCE ROW LEVEL SECURITY", "billing.inbox does not force row security"),
        (
            "ALTER TABLE orders__TENANT.orders DISABLE ROW LEVEL SECURITY",
            "orders__TENANT.orders has row security switched off"
        ),
        (
            "CREATE TABLE metering.planted (tenant_id uuid NOT NULL)",
            "metering.planted has row security switched off"
        ),
        (
            "CREATE TABLE orders.whole (tenant_id uuid) PARTITION BY LIST (tenant_id); "
                + "SELECT platform.protect('orders.whole', 'SELECT'); "
                + "CREATE TABLE orders.part PARTITION OF orders.whole DEFAULT",
            "orders.part has row security switched off, and that of orders.whole, whose part it is, does not hold"
        ),
        (
            "CREATE TABLE orders.child () INHERITS (orders.orders)",
            "orders.child does not force row security on its owner, and that of orders.orders"
        ),
        (
            "CREATE TABLE orders.notes (note text); GRANT SELECT ON orders.notes TO orders_app",
            "orders.notes, which orders_app may use, has no tenant_id"
        ),
        (
            "CREATE TABLE orders__TENANT.notes (note text); GRANT INSERT ON orders__TENANT.notes TO orders_app",
            "orders__TENANT.notes, which orders_app may use, has no tenant_id"
        ),
        (
            "CREATE TABLE orders.loose (tenant_id uuid); SELECT platform.protect('orders.loose', 'SELECT')",
            "orders.loose, which orders_app may use, takes rows of no tenant"
        ),
    ]

    static let policies: List = [
        (policy("USING (true) WITH CHECK (true)"), "tenant_isolation of orders.orders lets every row through"),
        (
            policy("USING (tenant_id = (SELECT platform.tenant_id()))"),
            "tenant_isolation of orders.orders has no WITH CHECK"
        ),
        (
            policy("USING (tenant_id = platform.tenant_id()) WITH CHECK (tenant_id = platform.tenant_id())"),
            "tenant_isolation of orders.orders is worked out anew for every row"
        ),
        (
            policy(
                "USING (tenant_id = current_setting('a.b')::uuid) WITH CHECK (tenant_id = current_setting('a.b')::uuid)"
            ),
            "tenant_isolation of orders.orders reads a setting"
        ),
        (
            "CREATE FUNCTION orders.mine(uuid) RETURNS boolean VOLATILE LANGUAGE sql AS 'SELECT true'; "
                + policy("USING (orders.mine(tenant_id)) WITH CHECK (orders.mine(tenant_id))"),
            "tenant_isolation of orders.orders calls a function that is VOLATILE"
        ),
        (
            policy("TO orders_app USING (tenant_id IS NOT NULL) WITH CHECK (tenant_id IS NOT NULL)"),
            "tenant_isolation of orders.orders is not bound to the tenant"
        ),
        (
            policy(
                "TO orders_app USING ((SELECT platform.is_entered())) WITH CHECK ((SELECT platform.is_entered()))"),
            "tenant_isolation of orders.orders opens every tenant's rows to a role that works for one"
        ),
        (
            policy(
                "USING (tenant_id = (SELECT platform.tenant_id()) OR id IS NOT NULL) "
                    + "WITH CHECK (tenant_id = (SELECT platform.tenant_id()))"),
            "tenant_isolation of orders.orders is not bound to the tenant"
        ),
        (
            "CREATE POLICY more ON orders__TENANT.orders USING (tenant_id = (SELECT platform.tenant_id())) "
                + "WITH CHECK (tenant_id = (SELECT platform.tenant_id()))",
            "orders__TENANT.orders has 2 policies for everyone"
        ),
        (
            "CREATE POLICY more ON orders.orders TO orders_app USING (tenant_id = (SELECT platform.tenant_id())) "
                + "WITH CHECK (tenant_id = (SELECT platform.tenant_id()))",
            "orders.orders has 2 policies for orders_app"
        ),
        (
            "CREATE POLICY more ON orders.outbox TO orders_worker USING ((SELECT platform.is_entered())) "
                + "WITH CHECK ((SELECT platform.is_entered()))",
            "orders.outbox has 2 policies for orders_worker"
        ),
        (
            "DROP POLICY control_plane ON control.signing_keys; "
                + "CREATE POLICY control_plane ON control.signing_keys TO control_plane USING (true) WITH CHECK (true)",
            "control_plane of control.signing_keys lets every row through"
        ),
    ]

    static let rights: List = [
        ("GRANT SELECT ON orders.orders TO atrium_app", "atrium_app has rights of its own on orders.orders"),
        (
            "GRANT SELECT ON orders.orders TO PUBLIC",
            "atrium_app has rights of its own on orders.orders; revoke them from PUBLIC"
        ),
        ("ALTER TABLE orders.orders OWNER TO atrium_app", "login role atrium_app owns orders.orders"),
        ("ALTER SCHEMA orders OWNER TO atrium_app", "login role atrium_app owns schema orders"),
        ("ALTER FUNCTION platform.enter OWNER TO orders_app", "role orders_app owns platform.enter"),
        (
            "GRANT INSERT ON orders.outbox_default TO orders_app",
            "orders.outbox_default, a partition of orders.outbox, is open to role orders_app by itself"
        ),
        (
            "GRANT SELECT (payload) ON orders.outbox_default TO PUBLIC",
            "orders.outbox_default, a partition of orders.outbox, is open to everyone by itself"
        ),
        (
            "ALTER TABLE orders.outbox_default NO FORCE ROW LEVEL SECURITY",
            "orders.outbox_default does not force row security on its owner"
        ),
        ("GRANT TRUNCATE ON orders.orders TO orders_app", "orders_app has TRUNCATE on orders.orders"),
        ("GRANT REFERENCES (id) ON orders.orders TO orders_app", "orders_app has REFERENCES on orders.orders"),
        (
            "GRANT TRIGGER, TRUNCATE ON orders__TENANT.orders TO orders_app",
            "orders_app has TRIGGER, TRUNCATE on orders__TENANT.orders"
        ),
        (
            "GRANT SELECT ON billing.invoices TO orders_app",
            "orders_app has rights on billing.invoices, which is not its context's"
        ),
        (
            "GRANT UPDATE (state) ON billing__TENANT.invoices TO orders_app",
            "orders_app has rights on billing__TENANT.invoices"
        ),
        (
            "GRANT SELECT ON platform.cross_tenant_access TO orders_worker",
            "orders_worker has rights on platform.cross_tenant_access"
        ),
        (
            "GRANT INSERT ON platform.cross_tenant_access TO orders_app",
            "orders_app has rights on platform.cross_tenant_access"
        ),
        (
            "GRANT DELETE ON platform.backfill_progress TO orders_app",
            "orders_app has rights on platform.backfill_progress"
        ),
        (
            "GRANT SELECT ON platform.backfill_progress TO orders_worker",
            "orders_worker has rights on platform.backfill_progress"
        ),
        ("GRANT USAGE ON SCHEMA billing TO orders_app", "orders_app has rights on the schema billing"),
        ("GRANT USAGE ON SCHEMA orders TO atrium_app", "atrium_app has rights on the schema orders"),
        (
            "GRANT EXECUTE ON FUNCTION metering.take_turns TO orders_app",
            "orders_app may call metering.take_turns(text[])"
        ),
        ("GRANT CREATE ON SCHEMA orders TO orders_app", "role orders_app may make objects in the schema orders"),
        ("GRANT CREATE ON SCHEMA public TO PUBLIC", "everyone may make objects in the schema public"),
        (
            "GRANT SELECT ON platform.context_keys TO orders_app",
            "orders_app may read or change platform.context_keys"
        ),
        (
            "GRANT SELECT (inner_key) ON platform.context_keys TO PUBLIC",
            "everyone may read or change platform.context_keys"
        ),
    ]

    static let code: List = [
        (
            "CREATE VIEW orders.seen AS SELECT * FROM orders.orders",
            "the view orders.seen looks with its owner's eyes"
        ),
        (
            "CREATE MATERIALIZED VIEW orders.kept AS SELECT * FROM orders.orders; GRANT SELECT ON orders.kept TO orders_app",
            "role orders_app may read the materialized view orders.kept"
        ),
        (
            "CREATE FUNCTION orders.peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM orders.orders'",
            "the function orders.peek() runs with the rights of postgres, whoever calls it, and finds what it names "
                + "where the caller says, and everyone may call it"
        ),
        (
            "ALTER FUNCTION platform.tenant_id() SECURITY DEFINER",
            "the function platform.tenant_id() runs with the rights of atrium_owner"
        ),
        (
            "ALTER FUNCTION platform.enter RESET search_path",
            "platform.enter finds what it names where the caller says"
        ),
        (
            "GRANT EXECUTE ON FUNCTION orders.shorten_outbox TO orders_app",
            "orders.shorten_outbox may be called by others than orders_worker"
        ),
        (
            "CREATE OR REPLACE FUNCTION orders.shorten_outbox(retention interval) RETURNS text LANGUAGE sql "
                + "SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT ''any''::text'",
            "the function orders.shorten_outbox(interval) runs with the rights of atrium_owner"
        ),
        (
            "ALTER FUNCTION platform.number_event RESET search_path",
            "platform.number_event finds what it names where the caller says"
        ),
        ("GRANT EXECUTE ON FUNCTION platform.enter TO PUBLIC", "platform.enter may be called by everyone"),
        ("ALTER FUNCTION platform.enter OWNER TO postgres", "platform.enter does not belong to atrium_owner"),
        (
            "GRANT EXECUTE ON FUNCTION set_config(text, text, boolean) TO PUBLIC",
            "everyone may call set_config(text,text,boolean)"
        ),
        (
            "GRANT EXECUTE ON FUNCTION pg_advisory_lock(bigint) TO orders_app",
            "role orders_app may call pg_advisory_lock(bigint)"
        ),
        (
            "GRANT EXECUTE ON FUNCTION pg_try_advisory_lock_shared(integer, integer) TO PUBLIC",
            "everyone may call pg_try_advisory_lock_shared(integer,integer)"
        ),
        ("GRANT EXECUTE ON FUNCTION lo_create(oid) TO PUBLIC", "everyone may call lo_create(oid)"),
        ("CREATE EXTENSION dblink SCHEMA public", "everyone may call dblink("),
        ("GRANT USAGE ON LANGUAGE plpgsql TO PUBLIC", "everyone may run code in plpgsql"),
    ]

    static let keys: List = [
        (
            "ALTER TABLE orders.orders ADD CONSTRAINT one_customer UNIQUE (customer_id)",
            "unique index orders.one_customer of orders.orders is without tenant_id"
        ),
        (
            "CREATE UNIQUE INDEX one_sku ON orders__TENANT.order_lines (sku) INCLUDE (tenant_id)",
            "unique index orders__TENANT.one_sku of orders__TENANT.order_lines is without tenant_id"
        ),
        (
            "ALTER TABLE orders.order_lines DROP CONSTRAINT order_lines_pkey; "
                + "ALTER TABLE orders.order_lines ADD CONSTRAINT order_lines_pkey PRIMARY KEY (order_id, number)",
            "unique index orders.order_lines_pkey of orders.order_lines is without tenant_id"
        ),
        (
            "ALTER TABLE orders.orders ADD CONSTRAINT by_id UNIQUE (id); "
                + "ALTER TABLE orders.order_lines ADD CONSTRAINT of_order FOREIGN KEY (order_id) REFERENCES orders.orders (id)",
            "foreign key of_order of orders.order_lines does not pair tenant_id"
        ),
    ]

    static let applied: List = [
        (
            "DELETE FROM atrium_migrations.applied WHERE schema_name = 'orders'",
            "migration orders/0001_orders.sql has not been applied to orders;"
        ),
        (
            "DELETE FROM atrium_migrations.applied WHERE schema_name = 'orders__TENANT'",
            "migration orders/0001_orders.sql has not been applied to orders__TENANT;"
        ),
        (
            "DROP SCHEMA billing__TENANT CASCADE; "
                + "DELETE FROM atrium_migrations.applied WHERE schema_name = 'billing__TENANT'",
            "migration billing/0001_billing.sql has not been applied to billing__TENANT;"
        ),
        (
            "UPDATE atrium_migrations.applied SET checksum = 'x' WHERE schema_name LIKE 'orders%'",
            "orders/0001_orders.sql was changed after it was applied; put it back as it was and add a new file instead "
                + "(in orders, orders__TENANT)"
        ),
        (
            "UPDATE atrium_migrations.applied SET number = 99 WHERE schema_name = 'orders'",
            "the database has orders/99"
        ),
        ("DROP SCHEMA atrium_migrations CASCADE", "never been migrated"),
    ]

    static let signatures: List = [
        ("DELETE FROM platform.context_keys", "the database does not accept what this program signs"),
        (
            "CREATE OR REPLACE FUNCTION platform.enter(context text, valid_until bigint, mac bytea) RETURNS void "
                + "LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp "
                + "AS $$ BEGIN PERFORM set_config('backtrace_functions', context, true)\\; END $$",
            "platform.enter accepts a context that is signed by nobody"
        ),
        (
            "CREATE OR REPLACE FUNCTION platform.tenant_id() RETURNS uuid LANGUAGE sql STABLE "
                + "RETURN gen_random_uuid()",
            "platform.tenant_id() does not answer with the tenant that was entered"
        ),
    ]
}
