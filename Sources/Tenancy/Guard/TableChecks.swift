import Postgres

/// Row security, policies and views.
enum TableChecks {
    static let all: [SQL] = [fences, partitions, policies, severalPolicies, unfenced, views]

    private static let fences: SQL = """
        SELECT format('tenant table %I.%I %s%s; see platform.protect', n.nspname, c.relname, problem,
            coalesce(', and that of ' || (SELECT inhparent::regclass FROM pg_inherits WHERE inhrelid = c.oid LIMIT 1)
                || ', whose part it is, does not hold for it', ''))
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute t ON t.attrelid = c.oid AND t.attname = 'tenant_id' AND NOT t.attisdropped,
        LATERAL (VALUES
            ('has row security switched off', NOT c.relrowsecurity AND c.relkind <> 'f'),
            ('does not force row security on its owner', NOT c.relforcerowsecurity AND c.relkind <> 'f'),
            ('is a foreign table, which can have no row security', c.relkind = 'f')
        ) AS found (problem, holds)
        WHERE c.relkind IN ('r', 'p', 'f') AND \(Catalogue.ours) AND holds
        ORDER BY 1
        """

    /// A partition is reached through its table alone: its own rights would be without the table's policies.
    private static let partitions: SQL = """
        SELECT DISTINCT format('%s, a partition of %s, is open to %s by itself; run: REVOKE ALL ON %s FROM %s', c.oid::regclass,
            i.inhparent::regclass, CASE WHEN a.grantee = 0 THEN 'everyone' ELSE 'role ' || a.grantee::regrole END,
            c.oid::regclass, CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_inherits i ON i.inhrelid = c.oid,
        LATERAL (
            SELECT grantee FROM aclexplode(c.relacl)
            UNION SELECT s.grantee FROM pg_attribute g, aclexplode(g.attacl) s WHERE g.attrelid = c.oid) AS a
        WHERE c.relispartition AND c.relkind IN ('r', 'p', 'f') AND \(Catalogue.ours) AND a.grantee <> c.relowner
        ORDER BY 1
        """

    /// A policy has one of two shapes: the tenant's, or that of the roles which work across tenants.
    private static let policies: SQL = """
        WITH found AS MATERIALIZED (
            SELECT p.oid, p.polname, p.polrelid::regclass AS relation, p.polcmd, p.polpermissive,
                pg_get_expr(p.polqual, p.polrelid) AS test, pg_get_expr(p.polwithcheck, p.polrelid) AS check_test,
                p.polroles <> '{0}' AND (
                    SELECT bool_and(r.rolname = 'control_plane' OR r.rolname LIKE '%\\_worker')
                    FROM pg_roles r WHERE r.oid = ANY (p.polroles)) AS is_across
            FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE \(Catalogue.ours))
        SELECT format('the policy %I of %s %s; make it anew with %s', polname, relation,
            CASE
                WHEN polcmd <> 'r' AND polcmd <> 'd' AND check_test IS NULL THEN 'has no WITH CHECK'
                WHEN test = 'true' OR check_test = 'true' THEN 'lets every row through'
                WHEN concat(test, check_test) LIKE '%current_setting%'
                    THEN 'reads a setting, which whoever is in the transaction may change'
                WHEN concat(test, check_test) ~ 'platform\\.(tenant_id|is_entered)\\(\\)'
                    AND concat(test, check_test) !~ 'SELECT platform' THEN 'is worked out anew for every row'
                WHEN EXISTS (
                    SELECT FROM pg_depend d JOIN pg_proc f ON d.refclassid = 'pg_proc'::regclass AND f.oid = d.refobjid
                    WHERE d.classid = 'pg_policy'::regclass AND d.objid = found.oid AND f.provolatile = 'v')
                    THEN 'calls a function that is VOLATILE'
                WHEN concat(test, check_test) LIKE '%platform.is_entered%'
                    THEN 'opens every tenant''s rows to a role that works for one'
                ELSE 'is not bound to the tenant' END,
            CASE WHEN is_across THEN 'platform.open_across_tenants' ELSE 'platform.protect' END)
        FROM found
        WHERE (polpermissive AND polcmd = '*' AND test = check_test
            AND (test = \(tenants) AND NOT is_across OR test = \(entered) AND is_across)) IS NOT TRUE
        ORDER BY 1
        """

    /// As PostgreSQL spells them.
    private static let tenants: SQL = "'(tenant_id = ( SELECT platform.tenant_id() AS tenant_id))'"
    private static let entered: SQL = "'( SELECT platform.is_entered() AS is_entered)'"

    /// Permissive policies add up, so a second one can only open. A role across tenants has one besides everybody's.
    private static let severalPolicies: SQL = """
        SELECT format('%s has %s policies for %s, and each adds rows to what the others show; drop all but one',
            relation, count, role)
        FROM (
            SELECT p.polrelid::regclass AS relation, count(*),
                CASE WHEN role = 0 THEN 'everyone' ELSE role::regrole::text END AS role
            FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace,
                unnest(p.polroles) AS role
            WHERE p.polpermissive AND \(Catalogue.ours)
            GROUP BY p.polrelid, role
            UNION ALL
            SELECT p.polrelid::regclass, 2, role::regrole::text
            FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace,
                unnest(p.polroles) AS role
            WHERE p.polpermissive AND \(Catalogue.ours) AND role <> 0 AND role::regrole::text LIKE '%\\_app'
                AND EXISTS (SELECT FROM pg_policy o WHERE o.polrelid = p.polrelid AND o.polroles = '{0}')) AS found
        WHERE count > 1
        ORDER BY 1
        """

    private static let unfenced: SQL = """
        WITH \(Catalogue.acting)
        SELECT DISTINCT format('%s, which %I may use, %s', c.oid::regclass, rolname,
            CASE WHEN t.attrelid IS NULL THEN 'has no tenant_id, so nothing keeps its rows apart; add it and see platform.protect'
                ELSE 'takes rows of no tenant; run: ALTER TABLE … ALTER COLUMN tenant_id SET NOT NULL' END)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_attribute t ON t.attrelid = c.oid AND t.attname = 'tenant_id' AND NOT t.attisdropped,
        LATERAL (
            SELECT grantee FROM aclexplode(c.relacl)
            UNION SELECT a.grantee FROM pg_attribute g, aclexplode(g.attacl) a WHERE g.attrelid = c.oid) AS granted
        JOIN acting ON oid = grantee
        WHERE c.relkind IN ('r', 'p', 'f', 'v') AND \(Catalogue.ours) AND NOT is_across AND NOT is_login
            AND (t.attrelid IS NULL OR NOT t.attnotnull AND c.relkind IN ('r', 'p'))
        ORDER BY 1
        """

    private static let views: SQL = """
        WITH \(Catalogue.acting)
        SELECT DISTINCT CASE WHEN c.relkind = 'v' THEN format(
                'the view %s looks with its owner''s eyes; run: ALTER VIEW %s SET (security_invoker = true)',
                c.oid::regclass, c.oid::regclass)
            ELSE format('%s may read the materialized view %s, which can have no row security; run: REVOKE ALL ON %s FROM %s',
                CASE WHEN a.grantee = 0 THEN 'everyone' ELSE 'role ' || a.grantee::regrole END, c.oid::regclass,
                c.oid::regclass, CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END) END
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN LATERAL aclexplode(c.relacl) a ON a.grantee = 0 OR a.grantee IN (SELECT oid FROM acting)
        WHERE \(Catalogue.ours) AND (
            c.relkind = 'v' AND NOT coalesce(c.reloptions::text[] && '{security_invoker=true,security_invoker=on,security_invoker=1,security_invoker=yes}', false)
            OR c.relkind = 'm' AND a.grantee IS NOT NULL)
        ORDER BY 1
        """
}
