-- What placing an order sends to PostgreSQL, statement by statement, prepared and in one pipeline.
\startpipeline
BEGIN;
SET LOCAL ROLE orders_app;
SET LOCAL atrium.tenant_id = '00000000-0000-7000-8000-0000000000be';
WITH made AS (SELECT gen_random_uuid() AS id) INSERT INTO orders.receipts (tenant_id, key, fingerprint, status, header_names, header_values, body) SELECT platform.tenant_id(), id::text, '\x5d41402abc4b2a76b9719d911017c5925d41402abc4b2a76b9719d911017c592', 201, '{ETag,Location}', '{"\"2\"",/api/v1/orders/0198c0de-0000-7000-8000-00000000c001}', convert_to(repeat('x', 620), 'UTF8') FROM made;
INSERT INTO orders.orders (tenant_id, id, customer_id, currency, state, total_minor, created_at, updated_at, version) SELECT '00000000-0000-7000-8000-0000000000be', set_config('bench.order', gen_random_uuid()::text, true)::uuid, '0198c0de-0000-7000-8000-00000000c001', 'EUR', 'placed', 13650, now(), now(), 2;
INSERT INTO orders.order_lines (tenant_id, order_id, number, sku, quantity, unit_price_minor) SELECT '00000000-0000-7000-8000-0000000000be', current_setting('bench.order')::uuid, number, sku, quantity, price FROM unnest('{SEAT-PRO,SETUP}'::text[], '{3,1}'::bigint[], '{1250,9900}'::bigint[]) WITH ORDINALITY AS line (sku, quantity, price, number);
INSERT INTO orders.order_history (tenant_id, order_id, version, change, reason, actor, correlation_id, at) SELECT '00000000-0000-7000-8000-0000000000be', current_setting('bench.order')::uuid, version, change, reason, 'api-key:0198c0de-0000-7000-8000-00000000c001', gen_random_uuid(), at FROM unnest('{1,2}'::bigint[], '{drafted,placed}'::text[], '{NULL,NULL}'::text[], ARRAY[now(), now()]) AS event (version, change, reason, at);
INSERT INTO orders.outbox (tenant_id, event_id, topic, type, aggregate_id, aggregate_version, occurred_at, correlation_id, causation_id, traceparent, payload) VALUES ('00000000-0000-7000-8000-0000000000be', gen_random_uuid(), 'orders.order', 'orders.order.placed.v1', current_setting('bench.order')::uuid, 2, now(), gen_random_uuid(), NULL, '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', repeat('x', 480));
COMMIT;
\endpipeline
