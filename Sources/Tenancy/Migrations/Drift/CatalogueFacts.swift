import Postgres

/// What the catalogue says of the schemas of one database, in words that are the same for every tenant.
struct CatalogueFacts {
    /// One thing of a schema: a table's column, a function's body.
    struct Key: Hashable, Comparable {
        /// A table, view, type or function; empty for the schema itself.
        let object: String
        let aspect: String

        static func < (left: Key, right: Key) -> Bool {
            (left.object, left.aspect) < (right.object, right.aspect)
        }
    }

    private(set) var schemas: [String: [Key: String]] = [:]

    /// - Parameter connection: of a member of atrium_owner or a superuser, outside any transaction.
    init(_ connection: PostgresConnection, of schemas: [String]) async throws {
        for schema in schemas { self.schemas[schema] = [:] }
        do {
            let results = try await connection.run([
                "BEGIN READ ONLY",
                // Everything is then named in full.
                "SET LOCAL search_path = pg_catalog", Self.question(schemas), "COMMIT",
            ])
            for row in results[2] {
                let (schema, object, aspect, value) = try row.decode((String, String, String, String).self)
                self.schemas[schema]?[Key(object: object, aspect: aspect)] = value
            }
        } catch {
            await connection.leaveTransaction()
            throw error
        }
    }

    /// A tenant's own schema is named as its context's in all that is compared.
    private static func question(_ schemas: [String]) -> SQL {
        """
        WITH ours AS MATERIALIZED (
            SELECT n.oid, n.nspname::text AS name, split_part(n.nspname, '__', 1) AS context, n.nspacl, n.nspowner
            FROM pg_namespace n WHERE n.nspname = ANY (\(schemas))),
        relations AS MATERIALIZED (
            SELECT c.*, o.name AS schema FROM pg_class c JOIN ours o ON o.oid = c.relnamespace
            -- Partitions come and go with the days; the guard sees that they are closed.
            WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND NOT c.relispartition),
        facts AS (
            \(objects)
            UNION ALL \(parts)
            UNION ALL \(rights)
            UNION ALL \(routines))
        SELECT f.schema, f.object::text, f.aspect::text, replace(f.value, o.name, o.context)
        FROM facts f JOIN ours o ON o.name = f.schema
        """
    }

    private static let objects: SQL = """
        SELECT schema, relname::text AS object,
            CASE relkind WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'table' END
                AS aspect,
            concat_ws(', ', 'of ' || relowner::regrole, CASE relpersistence WHEN 'u' THEN 'unlogged' END,
                CASE WHEN relkind IN ('v', 'm') THEN pg_get_viewdef(oid) END,
                'with ' || (SELECT string_agg(option, ' ' ORDER BY option) FROM unnest(reloptions) AS option)) AS value
        FROM relations
        UNION ALL SELECT schema, relname, 'row security', concat(CASE WHEN relrowsecurity THEN 'on' ELSE 'off' END,
            CASE WHEN relforcerowsecurity THEN ', forced' ELSE ', not forced' END)
        FROM relations WHERE relkind IN ('r', 'p')
        UNION ALL SELECT o.name, t.typname, 'type', coalesce(
            (SELECT string_agg(enumlabel, ', ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid),
            format_type(t.typbasetype, t.typtypmod))
        FROM pg_type t JOIN ours o ON o.oid = t.typnamespace WHERE t.typtype IN ('e', 'd')
        """

    private static let parts: SQL = """
        SELECT r.schema, r.relname, 'column ' || a.attname, concat_ws(' ', format_type(a.atttypid, a.atttypmod),
            CASE WHEN a.attnotnull THEN 'NOT NULL' END, 'COLLATE ' || (SELECT collname FROM pg_collation WHERE oid = a.attcollation AND collname <> 'default'),
            CASE a.attgenerated WHEN 's' THEN 'GENERATED' END || ' AS', 'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid),
            CASE a.attidentity WHEN 'a' THEN 'IDENTITY ALWAYS' WHEN 'd' THEN 'IDENTITY BY DEFAULT' END)
        FROM relations r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE r.relkind IN ('r', 'p', 'v', 'm', 'f')
        UNION ALL SELECT r.schema, r.relname, 'constraint ' || k.conname, pg_get_constraintdef(k.oid)
        FROM relations r JOIN pg_constraint k ON k.conrelid = r.oid
        UNION ALL SELECT r.schema, r.relname, 'index ' || c.relname,
            concat(pg_get_indexdef(i.indexrelid), CASE WHEN NOT i.indisvalid THEN ', which is broken' END)
        FROM relations r JOIN pg_index i ON i.indrelid = r.oid JOIN pg_class c ON c.oid = i.indexrelid
        UNION ALL SELECT r.schema, r.relname, 'trigger ' || t.tgname, concat(pg_get_triggerdef(t.oid),
            CASE t.tgenabled WHEN 'D' THEN ', which is disabled' END)
        FROM relations r JOIN pg_trigger t ON t.tgrelid = r.oid WHERE NOT t.tgisinternal
        UNION ALL SELECT r.schema, r.relname, 'policy ' || p.polname, concat_ws(' ',
            CASE WHEN NOT p.polpermissive THEN 'RESTRICTIVE' END,
            'FOR ' || p.polcmd::text, 'TO ' || (SELECT string_agg(CASE WHEN role = 0 THEN 'PUBLIC' ELSE role::regrole::text END, ', '
                ORDER BY role::regrole::text) FROM unnest(p.polroles) AS role),
            'USING ' || pg_get_expr(p.polqual, p.polrelid), 'WITH CHECK ' || pg_get_expr(p.polwithcheck, p.polrelid))
        FROM relations r JOIN pg_policy p ON p.polrelid = r.oid
        """

    private static let rights: SQL = """
        SELECT schema, object, concat('rights of ', CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE grantee::regrole::text END,
                ' on the column ' || part), string_agg(privilege_type, ', ' ORDER BY privilege_type)
        FROM (
            SELECT r.schema, r.relname::text AS object, NULL AS part, a.grantee, a.privilege_type
            FROM relations r, aclexplode(r.relacl) a WHERE a.grantee <> r.relowner
            UNION ALL SELECT r.schema, r.relname, t.attname, a.grantee, a.privilege_type
            FROM relations r JOIN pg_attribute t ON t.attrelid = r.oid AND NOT t.attisdropped, aclexplode(t.attacl) a
            WHERE a.grantee <> r.relowner
            UNION ALL SELECT o.name, '', NULL, a.grantee, a.privilege_type
            FROM ours o, aclexplode(o.nspacl) a WHERE a.grantee <> o.nspowner
            UNION ALL SELECT o.name, concat(p.proname, '(', pg_get_function_identity_arguments(p.oid), ')'), NULL, a.grantee,
                a.privilege_type
            FROM pg_proc p JOIN ours o ON o.oid = p.pronamespace,
                aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
            WHERE a.grantee <> p.proowner) AS granted
        GROUP BY schema, object, part, grantee
        """

    private static let routines: SQL = """
        SELECT o.name, concat(p.proname, '(', pg_get_function_identity_arguments(p.oid), ')'), 'function',
            concat('of ', p.proowner::regrole, ', ', CASE WHEN p.prokind IN ('f', 'p') THEN pg_get_functiondef(p.oid) END)
        FROM pg_proc p JOIN ours o ON o.oid = p.pronamespace
        UNION ALL SELECT o.name, '', 'schema', 'of ' || o.nspowner::regrole FROM ours o
        """
}
