import Postgres

/// Functions that run with others' rights, and those that must not be open at all.
enum FunctionChecks {
    static let all: [SQL] = [definers, known, closed, languages]

    /// What runs with its owner's rights because nothing else would do: what enters a tenant, what numbers events, and what
    /// keeps the partitions of outbox and inbox, for the context's worker alone.
    private static let needed: SQL = """
        needed AS MATERIALIZED (
            SELECT p.*, p.oid::regproc::text AS name, coalesce(n.nspname || '_worker', '') AS worker,
                p.proname IN ('extend_outbox', 'shorten_outbox', 'extend_inbox', 'shorten_inbox') AS is_upkeep
            FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
            WHERE p.oid IN (to_regproc('platform.enter'), to_regproc('platform.number_event'))
                OR n.nspname !~ '__' AND (
                    p.proname = 'extend_outbox' AND p.prosrc = format('SELECT platform.extend_outbox(%L, days)', n.nspname)
                    OR p.proname = 'extend_inbox' AND p.prosrc = format('SELECT platform.extend_inbox(%L, days)', n.nspname)
                    OR p.proname = 'shorten_inbox'
                        AND p.prosrc = format('SELECT platform.shorten_inbox(%L, before)', n.nspname)
                    OR p.proname = 'shorten_outbox'
                        AND p.prosrc = format('SELECT platform.shorten_outbox(%L, retention)', n.nspname)))
        """

    private static let definers: SQL = """
        WITH \(needed)
        SELECT format('the function %s runs with the rights of %I, whoever calls it%s%s; run: \
        ALTER FUNCTION %s SECURITY INVOKER', p.oid::regprocedure, p.proowner::regrole,
            CASE WHEN NOT coalesce(p.proconfig::text LIKE '%search_path=%', false)
                THEN ', and finds what it names where the caller says' ELSE '' END,
            CASE WHEN EXISTS (
                SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee = 0)
                THEN ', and everyone may call it' ELSE '' END,
            p.oid::regprocedure)
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE p.prosecdef AND \(Catalogue.ours) AND p.oid NOT IN (SELECT oid FROM needed)
        ORDER BY 1
        """

    private static let known: SQL = """
        WITH \(needed)
        SELECT format('%s %s; run: %s', name, problem, remedy)
        FROM needed p, LATERAL (VALUES
            ('finds what it names where the caller says',
                format('ALTER FUNCTION %s SET search_path = pg_catalog, pg_temp', name),
                NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false)),
            ('may be called by everyone', format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', name),
                EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee = 0)),
            ('may be called by others than ' || worker,
                format('REVOKE EXECUTE ON FUNCTION %s FROM whoever else has it', name),
                is_upkeep AND EXISTS (SELECT FROM aclexplode(p.proacl) a
                    WHERE a.grantee NOT IN (0, p.proowner) AND a.grantee::regrole::text <> worker)),
            ('does not belong to atrium_owner', format('ALTER FUNCTION %s OWNER TO atrium_owner', name),
                p.proowner::regrole::text <> 'atrium_owner'),
            ('does not run with its owner''s rights', format('ALTER FUNCTION %s SECURITY DEFINER', name), NOT p.prosecdef)
        ) AS found (problem, remedy, holds)
        WHERE holds
        ORDER BY 1
        """

    private static let closed: SQL = SQL(
        unsafeSQL: """
            WITH \(Catalogue.acting.text)
            SELECT DISTINCT format('%s may call %s; have a superuser run: REVOKE EXECUTE ON FUNCTION %s FROM %s',
                CASE WHEN a.grantee = 0 THEN 'everyone' ELSE 'role ' || a.grantee::regrole END, p.oid::regprocedure,
                p.oid::regprocedure, CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END)
            FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
            WHERE (\(DatabasePreparation.closedFunctions))
                AND (a.grantee = 0 OR a.grantee IN (SELECT oid FROM acting) AND a.grantee <> p.proowner)
            ORDER BY 1
            """)

    private static let languages: SQL = """
        SELECT format('everyone may run code in %I; have a superuser run: REVOKE USAGE ON LANGUAGE %I FROM PUBLIC',
            l.lanname, l.lanname)
        FROM pg_language l
        WHERE l.lanispl AND l.lanpltrusted AND EXISTS (
            SELECT FROM aclexplode(coalesce(l.lanacl, acldefault('l', l.lanowner))) a WHERE a.grantee = 0)
        ORDER BY 1
        """
}
