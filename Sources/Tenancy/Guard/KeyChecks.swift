import Postgres

/// Keys of the tables that a context's role writes to: one without the tenant tells by its refusal what others have.
enum KeyChecks {
    static let all: [SQL] = [unique, references]

    private static let written: SQL = """
        written AS MATERIALIZED (
            SELECT DISTINCT c.oid, t.attnum FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_attribute t ON t.attrelid = c.oid AND t.attname = 'tenant_id' AND NOT t.attisdropped,
            LATERAL (
                SELECT grantee, privilege_type FROM aclexplode(c.relacl)
                UNION SELECT a.grantee, a.privilege_type FROM pg_attribute g, aclexplode(g.attacl) a
                WHERE g.attrelid = c.oid) AS granted
            JOIN acting ON acting.oid = grantee
            WHERE c.relkind IN ('r', 'p') AND \(Catalogue.ours) AND privilege_type IN ('INSERT', 'UPDATE')
                AND NOT is_across)
        """

    private static let unique: SQL = """
        WITH \(Catalogue.acting), \(written)
        SELECT format('the unique index %s of %s is without tenant_id: a key that is taken tells of another tenant''s row; \
        make it anew with tenant_id', i.indexrelid::regclass, w.oid::regclass)
        FROM written w JOIN pg_index i ON i.indrelid = w.oid
        WHERE (i.indisunique OR i.indisexclusion) AND NOT w.attnum = ANY (i.indkey[0:i.indnkeyatts - 1])
        ORDER BY 1
        """

    /// A row's owner is checked by the constraint's own look at the other table, which row security does not hold.
    private static let references: SQL = """
        SELECT format('the foreign key %I of %s does not pair tenant_id with tenant_id: a reference could reach another \
        tenant''s row; make it anew with tenant_id', k.conname, k.conrelid::regclass)
        FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute theirs ON theirs.attrelid = k.confrelid AND theirs.attname = 'tenant_id'
            AND NOT theirs.attisdropped
        LEFT JOIN pg_attribute own ON own.attrelid = k.conrelid AND own.attname = 'tenant_id' AND NOT own.attisdropped
        WHERE k.contype = 'f' AND \(Catalogue.ours) AND NOT EXISTS (
            SELECT FROM unnest(k.conkey, k.confkey) AS pair (mine, other)
            WHERE pair.mine = own.attnum AND pair.other = theirs.attnum)
        ORDER BY 1
        """
}
