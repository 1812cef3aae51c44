import Postgres

/// Functions that run with others' rights, and those that must not be open at all.
enum FunctionChecks {
    static let all: [SQL] = [definers, enter, closed, languages]

    private static let definers: SQL = """
        SELECT format('the function %s runs with the rights of %I, whoever calls it%s%s; run: \
        ALTER FUNCTION %s SECURITY INVOKER', p.oid::regprocedure, p.proowner::regrole,
            CASE WHEN NOT coalesce(p.proconfig::text LIKE '%search_path=%', false)
                THEN ', and finds what it names where the caller says' ELSE '' END,
            CASE WHEN EXISTS (
                SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee = 0)
                THEN ', and everyone may call it' ELSE '' END,
            p.oid::regprocedure)
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE p.prosecdef AND \(Catalogue.ours) AND p.oid IS DISTINCT FROM to_regproc('platform.enter')
        ORDER BY 1
        """

    private static let enter: SQL = """
        SELECT format('platform.enter %s; run: %s', problem, remedy)
        FROM pg_proc p, LATERAL (VALUES
            ('finds what it names where the caller says',
                'ALTER FUNCTION platform.enter SET search_path = pg_catalog, pg_temp',
                coalesce(p.proconfig, '{}') <> '{"search_path=pg_catalog, pg_temp"}'),
            ('may be called by everyone', 'REVOKE EXECUTE ON FUNCTION platform.enter FROM PUBLIC',
                EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee = 0)),
            ('does not belong to atrium_owner', 'ALTER FUNCTION platform.enter OWNER TO atrium_owner',
                p.proowner::regrole::text <> 'atrium_owner'),
            ('does not run with its owner''s rights', 'ALTER FUNCTION platform.enter SECURITY DEFINER', NOT p.prosecdef)
        ) AS found (problem, remedy, holds)
        WHERE p.oid = to_regproc('platform.enter') AND holds
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
