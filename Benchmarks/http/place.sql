-- What placing an order sends to PostgreSQL, statement by statement, prepared and in one pipeline. Identifiers rise with
-- time as Atrium's do: a count of the client's orders (from -D n=0), then the client. The signature of the tenant is one
-- that holds until a time (-D until, -D signature): one for each connection is more than pgbench can do.
\set n :n + 1
\set id :n * 1024 + :client_id
\startpipeline
BEGIN;
SET LOCAL ROLE orders_app;
SELECT platform.enter('000000000000700080000000000000be,orders_app', :until, decode(:signature, 'hex'));
INSERT INTO orders.receipts (tenant_id, key, fingerprint, status, header_names, header_values, body) VALUES (platform.tenant_id(), 'bench-' || (:id)::bigint, '\x5d41402abc4b2a76b9719d911017c5925d41402abc4b2a76b9719d911017c592', 201, '{ETag,Location}', '{"\"2\"",/api/v1/orders/0198c0de-0000-7000-8000-00000000c001}', convert_to(repeat('x', 420), 'UTF8'));
INSERT INTO orders.orders (tenant_id, id, customer_id, currency, state, total_minor, created_at, updated_at, version) VALUES ('00000000-0000-7000-8000-0000000000be', ('0198c0de-0000-7000-8000-' || lpad(to_hex((:id)::bigint), 12, '0'))::uuid, '0198c0de-0000-7000-8000-00000000c001', 'EUR', 'placed', 13650, now(), now(), 2);
INSERT INTO orders.order_lines (tenant_id, order_id, number, sku, quantity, unit_price_minor) SELECT '00000000-0000-7000-8000-0000000000be', ('0198c0de-0000-7000-8000-' || lpad(to_hex((:id)::bigint), 12, '0'))::uuid, number, sku, quantity, price FROM unnest('{SEAT-PRO,SETUP}'::text[], '{3,1}'::bigint[], '{1250,9900}'::bigint[]) WITH ORDINALITY AS line (sku, quantity, price, number);
INSERT INTO orders.order_history (tenant_id, order_id, version, change, reason, actor, correlation_id, at) SELECT '00000000-0000-7000-8000-0000000000be', ('0198c0de-0000-7000-8000-' || lpad(to_hex((:id)::bigint), 12, '0'))::uuid, version, change, reason, 'api-key:0198c0de-0000-7000-8000-00000000c001', '0198c0de-0000-7000-8000-00000000c002', at FROM unnest('{1,2}'::bigint[], '{drafted,placed}'::text[], '{NULL,NULL}'::text[], ARRAY[now(), now()]) AS event (version, change, reason, at);
INSERT INTO orders.outbox (tenant_id, event_id, topic, type, aggregate_id, aggregate_version, occurred_at, correlation_id, causation_id, traceparent, payload) VALUES ('00000000-0000-7000-8000-0000000000be', ('0198c0de-0000-7000-9000-' || lpad(to_hex((:id)::bigint), 12, '0'))::uuid, 'orders.order', 'orders.order.placed.v1', ('0198c0de-0000-7000-8000-' || lpad(to_hex((:id)::bigint), 12, '0'))::uuid, 2, now(), '0198c0de-0000-7000-8000-00000000c002', NULL, '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', repeat('x', 480));
COMMIT;
\endpipeline
