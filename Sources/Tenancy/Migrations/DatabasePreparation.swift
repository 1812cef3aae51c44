package import Postgres

/// What a database needs before any file: its fences against whoever may log in, and the table of what was applied.
///
/// Run by the administrator as often as one likes. Rights on functions and languages belong to a superuser, so where the
/// administrator is none they stay as they are, and the guard tells which are open.
package enum DatabasePreparation {
    static let script = """
        DO $$
        DECLARE
            open_function regprocedure;
            open_language name;
        BEGIN
            IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
                FOR open_function IN
                    SELECT p.oid FROM pg_proc p
                    WHERE (\(closedFunctions))
                        AND EXISTS (
                            SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                            WHERE a.grantee = 0 AND a.privilege_type = 'EXECUTE')
                LOOP
                    EXECUTE format('REVOKE EXECUTE ON ROUTINE %s FROM PUBLIC', open_function);
                END LOOP;
                -- platform.enter, which is the owner's, keeps the tenant of a transaction with it.
                GRANT EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) TO atrium_owner;
                -- What the migrator itself keeps other migrators out with.
                GRANT EXECUTE ON FUNCTION pg_catalog.pg_advisory_lock(bigint) TO atrium_owner;
                -- Without a language there is no DO block and no function of one's own.
                FOR open_language IN
                    SELECT l.lanname FROM pg_language l
                    WHERE l.lanispl AND l.lanpltrusted AND EXISTS (
                        SELECT FROM aclexplode(coalesce(l.lanacl, acldefault('l', l.lanowner))) a WHERE a.grantee = 0)
                LOOP
                    EXECUTE format('REVOKE USAGE ON LANGUAGE %I FROM PUBLIC', open_language);
                END LOOP;
                GRANT USAGE ON LANGUAGE plpgsql TO atrium_owner;
                REVOKE CREATE ON SCHEMA public FROM PUBLIC;
            END IF;
        END $$;
        CREATE SCHEMA IF NOT EXISTS atrium_migrations AUTHORIZATION atrium_owner;
        CREATE TABLE IF NOT EXISTS atrium_migrations.applied (
            schema_name text NOT NULL,
            number int NOT NULL,
            name text NOT NULL,
            checksum text NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (schema_name, number)
        );
        CREATE TABLE IF NOT EXISTS atrium_migrations.context_keys (
            key_id text PRIMARY KEY,
            stored_at timestamptz NOT NULL
        );
        ALTER TABLE atrium_migrations.applied OWNER TO atrium_owner;
        ALTER TABLE atrium_migrations.context_keys OWNER TO atrium_owner;
        GRANT USAGE ON SCHEMA atrium_migrations TO atrium_app;
        GRANT SELECT ON atrium_migrations.applied TO atrium_app;
        """

    /// A condition on `pg_proc p`: functions that let a transaction leave something behind in its session, change its
    /// tenant or role, write beside the tables or reach other servers. The advisory locks that end with a transaction
    /// stay open.
    static let closedFunctions = """
        p.pronamespace = 'pg_catalog'::regnamespace AND (
            p.proname = 'set_config' OR p.proname ~ '^pg_(try_)?advisory_(lock|unlock)'
            OR p.proname IN ('lo_creat', 'lo_create', 'lo_from_bytea', 'lo_import', 'lo_put', 'lowrite',
                -- The program cancels its own statements by the protocol; nobody ends other sessions.
                'pg_cancel_backend', 'pg_terminate_backend'))
        OR EXISTS (
            SELECT FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
            WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
                AND e.extname IN ('dblink', 'postgres_fdw', 'file_fdw', 'adminpack', 'lo'))
        """

    /// The rights on a database itself, which a copy of it does not have from its template.
    package static func rights(on database: String) -> [SQL] {
        [
            "REVOKE ALL ON DATABASE \(identifier: database) FROM PUBLIC",
            "GRANT CONNECT ON DATABASE \(identifier: database) TO atrium_app, atrium_provisioner",
            "GRANT CREATE ON DATABASE \(identifier: database) TO atrium_owner",
        ]
    }

    /// Keeps the key and the one before it, so that processes with the old secret go on while it is being rotated.
    ///
    /// Within a transaction of atrium_owner.
    static func store(_ key: ContextKey) -> [SQL] {
        let (id, inner, outer) = key.stored
        return [
            """
            INSERT INTO platform.context_keys (key_id, inner_key, outer_key) VALUES (\(id), \(inner), \(outer))
            ON CONFLICT (key_id) DO NOTHING
            """,
            """
            INSERT INTO atrium_migrations.context_keys (key_id, stored_at) VALUES (\(id), clock_timestamp())
            ON CONFLICT (key_id) DO UPDATE SET stored_at = clock_timestamp()
            """,
            """
            DELETE FROM platform.context_keys WHERE key_id NOT IN (
                SELECT key_id FROM atrium_migrations.context_keys ORDER BY stored_at DESC LIMIT 2)
            """,
            "DELETE FROM atrium_migrations.context_keys k WHERE NOT EXISTS (SELECT FROM platform.context_keys p WHERE p.key_id = k.key_id)",
        ]
    }
}
