/// A statement about a table that is there and in use, and the rules that refuse it; none means that it passes.
enum LintCases {
    typealias List = [(sql: String, rules: [String])]

    static let columns: List = [
        ("ALTER TABLE orders ADD COLUMN note text", []),
        ("ALTER TABLE orders ADD note text DEFAULT 'none'", []),
        ("ALTER TABLE orders ADD COLUMN at timestamptz NOT NULL DEFAULT now()", []),
        ("ALTER TABLE orders ADD COLUMN at timestamptz DEFAULT (now() + interval '1 day') NOT NULL", []),
        ("ALTER TABLE orders ADD COLUMN tags text[] NOT NULL DEFAULT '{}'::text[]", []),
        ("ALTER TABLE orders ADD COLUMN price numeric(10, 2) DEFAULT 0::numeric(10, 2)", []),
        ("ALTER TABLE orders ADD COLUMN flag boolean DEFAULT false NOT NULL", []),
        ("ALTER TABLE orders ADD COLUMN id2 uuid DEFAULT gen_random_uuid()", ["add-column-volatile-default"]),
        ("ALTER TABLE orders ADD COLUMN at timestamptz DEFAULT clock_timestamp()", ["add-column-volatile-default"]),
        ("ALTER TABLE orders ADD COLUMN n bigint DEFAULT nextval('numbers')", ["add-column-volatile-default"]),
        ("ALTER TABLE orders ADD COLUMN n bigserial", ["add-column-volatile-default"]),
        ("ALTER TABLE orders ADD COLUMN n bigint GENERATED ALWAYS AS IDENTITY", ["add-column-volatile-default"]),
        (
            "ALTER TABLE orders ADD COLUMN n bigint GENERATED ALWAYS AS (total_minor * 2) STORED",
            ["add-column-volatile-default"]
        ),
        ("ALTER TABLE orders ADD COLUMN note text NOT NULL", ["add-column-not-null"]),
        ("ALTER TABLE orders ADD COLUMN note text NOT NULL DEFAULT NULL", ["add-column-not-null"]),
        ("ALTER TABLE orders ADD COLUMN n int CHECK (n > 0)", ["add-check"]),
        ("ALTER TABLE orders ADD COLUMN n int UNIQUE", ["add-unique"]),
        ("ALTER TABLE orders ADD COLUMN other uuid REFERENCES others", ["add-foreign-key"]),
        ("ALTER TABLE orders ADD COLUMN a int, ADD COLUMN b int NOT NULL", ["add-column-not-null"]),
        ("ALTER TABLE orders ALTER COLUMN total_minor TYPE numeric", ["alter-column-type"]),
        ("alter table only orders.orders alter total_minor set data type numeric", ["alter-column-type"]),
        ("ALTER TABLE orders ALTER COLUMN note SET DEFAULT gen_random_uuid()::text", []),
        ("ALTER TABLE orders ALTER COLUMN note DROP NOT NULL", []),
        ("ALTER TABLE orders ALTER COLUMN note SET STATISTICS 500", []),
        ("ALTER TABLE orders ALTER COLUMN note SET NOT NULL", ["set-not-null"]),
        ("ALTER TABLE orders DROP COLUMN note", ["drop-column"]),
        ("ALTER TABLE IF EXISTS orders DROP IF EXISTS note CASCADE", ["drop-column"]),
        ("ALTER TABLE orders RENAME COLUMN note TO remark", ["rename"]),
        ("ALTER TABLE orders RENAME note TO remark", ["rename"]),
        ("ALTER TABLE orders RENAME TO purchases", ["rename"]),
        ("ALTER TABLE orders RENAME CONSTRAINT a TO b", []),
        ("ALTER TABLE orders SET SCHEMA billing", ["rename"]),
    ]

    static let constraints: List = [
        ("ALTER TABLE orders ADD CONSTRAINT positive CHECK (total_minor > 0)", ["add-check"]),
        ("ALTER TABLE orders ADD CHECK (total_minor > 0)", ["add-check"]),
        ("ALTER TABLE orders ADD CONSTRAINT positive CHECK (total_minor > 0) NOT VALID", []),
        ("ALTER TABLE orders VALIDATE CONSTRAINT positive", []),
        (
            "ALTER TABLE orders ADD CONSTRAINT positive CHECK (total_minor > 0) NOT VALID; ALTER TABLE orders VALIDATE CONSTRAINT positive",
            ["validate-apart"]
        ),
        (
            "ALTER TABLE orders ADD CONSTRAINT c FOREIGN KEY (tenant_id, customer_id) REFERENCES customers",
            ["add-foreign-key"]
        ),
        ("ALTER TABLE orders ADD FOREIGN KEY (tenant_id, customer_id) REFERENCES customers NOT VALID", []),
        ("ALTER TABLE orders ADD CONSTRAINT k UNIQUE (tenant_id, customer_id)", ["add-unique"]),
        ("ALTER TABLE orders ADD CONSTRAINT k UNIQUE USING INDEX k_index", []),
        ("ALTER TABLE orders ADD PRIMARY KEY (tenant_id, id)", ["add-unique"]),
        ("ALTER TABLE orders ADD CONSTRAINT k PRIMARY KEY USING INDEX k_index", []),
        ("ALTER TABLE orders ADD CONSTRAINT e EXCLUDE USING gist (span WITH &&)", ["add-exclusion"]),
        ("ALTER TABLE orders DROP CONSTRAINT positive", []),
        ("ALTER TABLE orders DROP CONSTRAINT own_tenant", ["row-security-off"]),
    ]

    static let indexes: List = [
        ("CREATE INDEX CONCURRENTLY by_note ON orders (tenant_id, note)", []),
        ("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS by_note ON orders (tenant_id, note)", []),
        ("CREATE INDEX by_note ON orders (tenant_id, note)", ["index-not-concurrent"]),
        ("CREATE UNIQUE INDEX by_note ON ONLY orders USING btree (tenant_id, note)", ["index-not-concurrent"]),
        ("CREATE INDEX CONCURRENTLY ON orders (tenant_id, note)", ["index-unnamed"]),
        ("CREATE INDEX CONCURRENTLY by_note ON orders (note); ANALYZE orders", ["concurrent-not-alone"]),
        ("DROP INDEX by_note", ["drop-index"]),
        ("DROP INDEX CONCURRENTLY by_note", []),
        ("DROP INDEX CONCURRENTLY by_note; ANALYZE orders", ["concurrent-not-alone"]),
        ("REINDEX TABLE orders", ["reindex"]),
        ("REINDEX INDEX CONCURRENTLY by_note", ["reindex"]),
        ("ALTER INDEX by_note RENAME TO by_remark", []),
    ]

    static let locks: List = [
        ("CLUSTER orders USING orders_pkey", ["cluster"]),
        ("VACUUM FULL orders", ["vacuum-full"]),
        ("LOCK TABLE orders IN EXCLUSIVE MODE", ["lock-table"]),
        ("TRUNCATE orders", ["truncate"]),
        ("UPDATE orders SET total_minor = 0", ["data-change"]),
        ("DELETE FROM orders WHERE state = 'draft'", ["data-change"]),
        ("WITH old AS (DELETE FROM orders RETURNING *) SELECT 1", ["data-change"]),
        ("INSERT INTO orders SELECT * FROM elsewhere", ["data-change"]),
        ("INSERT INTO skus (code) VALUES ('new') ON CONFLICT (code) DO UPDATE SET on_sale = true", []),
        ("MERGE INTO orders USING other ON true WHEN MATCHED THEN DELETE", ["data-change"]),
        ("CREATE TRIGGER t AFTER INSERT ON orders EXECUTE FUNCTION f()", ["create-trigger"]),
        ("ALTER TABLE orders SET TABLESPACE fast", ["rewrite"]),
        ("ALTER TABLE orders SET UNLOGGED", ["rewrite"]),
        ("ALTER TABLE orders SET (fillfactor = 80)", []),
        ("ALTER TABLE orders ATTACH PARTITION p DEFAULT", ["partition"]),
        ("ALTER TYPE state ADD VALUE 'lost'", ["alter-type"]),
        ("DROP TABLE orders", ["drop-table"]),
        ("DROP FUNCTION take_turns(text[])", ["drop-object"]),
    ]

    static let fences: List = [
        ("ALTER TABLE orders DISABLE ROW LEVEL SECURITY", ["row-security-off"]),
        ("ALTER TABLE orders NO FORCE ROW LEVEL SECURITY", ["row-security-off"]),
        ("DROP POLICY tenant_isolation ON orders", ["row-security-off"]),
        ("CREATE POLICY mine ON orders USING (true)", ["policy-by-hand"]),
        ("ALTER POLICY tenant_isolation ON orders USING (true)", ["policy-by-hand"]),
        ("CREATE TABLE notes (tenant_id uuid NOT NULL, id uuid)", ["tenant-table-unprotected"]),
        ("CREATE TABLE notes (tenant_id uuid NOT NULL, id uuid); SELECT platform.protect('notes', 'SELECT')", []),
        ("CREATE TABLE orders.notes (tenant_id uuid); SELECT platform.protect('orders.notes')", []),
        ("CREATE TABLE notes (tenant_id uuid); SELECT platform.protect('others')", ["tenant-table-unprotected"]),
        (
            "CREATE TABLE notes (tenant_id uuid); ALTER TABLE notes ENABLE ROW LEVEL SECURITY; "
                + "ALTER TABLE notes FORCE ROW LEVEL SECURITY",
            []
        ),
        (
            "CREATE TABLE notes (tenant_id uuid); ALTER TABLE notes ENABLE ROW LEVEL SECURITY",
            ["tenant-table-unprotected"]
        ),
        ("CREATE TABLE part PARTITION OF orders DEFAULT", ["tenant-table-unprotected"]),
        ("CREATE TABLE currencies (code text PRIMARY KEY)", []),
        ("CREATE VIEW open AS SELECT * FROM orders", ["view-definer"]),
        ("CREATE VIEW open WITH (security_invoker = true) AS SELECT * FROM orders", []),
        ("CREATE VIEW open WITH (security_invoker = false) AS SELECT * FROM orders", ["view-definer"]),
        ("CREATE MATERIALIZED VIEW kept AS SELECT * FROM orders", ["view-definer"]),
        ("CREATE FUNCTION peek() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'", ["security-definer"]),
        ("CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql RETURN n * 2", []),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC DELETE FROM orders; SELECT 1; END", []),
        ("ALTER FUNCTION platform.tenant_id() SECURITY DEFINER", ["security-definer"]),
    ]

    static let others: List = [
        ("DO $$ BEGIN DELETE FROM orders; END $$", ["do-block"]),
        ("COMMIT", ["transaction-control"]),
        ("BEGIN; ALTER TABLE orders ADD COLUMN a int; COMMIT", ["transaction-control", "transaction-control"]),
        ("SET row_security = off", ["session-setting"]),
        ("RESET ROLE", ["session-setting"]),
        ("SELECT platform.create_context()", []),
        ("SELECT platform.enter('x', 0, '')", ["unknown-statement"]),
        ("SELECT setval('numbers', 1)", ["unknown-statement"]),
        ("COPY orders FROM stdin", ["unknown-statement"]),
        ("CREATE EXTENSION dblink", ["unknown-statement"]),
        ("ALTER TABLE orders OWNER TO postgres", ["unknown-statement"]),
        ("CREATE SCHEMA elsewhere", ["unknown-statement"]),
        ("GRANT SELECT ON orders TO orders_app", []),
        ("COMMENT ON TABLE orders IS 'DROP TABLE orders; -- is what this must not be'", []),
        ("SELECT 'never closed", ["unknown-statement", "unreadable"]),
        ("/* ALTER TABLE orders DROP COLUMN a; /* nested */ */ ANALYZE orders", []),
        ("ALTER TABLE \"orders\" DROP COLUMN \"a;b\"", ["drop-column"]),
        ("ALTER TABLE orders ADD COLUMN a text DEFAULT $x$; DROP TABLE orders; $x$", []),
        ("ALTER TABLE orders ADD COLUMN a text DEFAULT E'\\'; DROP TABLE orders; --'", []),
    ]
}
