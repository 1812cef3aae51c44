#include "drive.h"

#include <stdio.h>
#include <string.h>

const char *const separation_names[SEPARATIONS] = {
    "none", "where", "setting", "unchecked", "signed", "policy", "bridge"};

void identify(struct order *order, long tenant, long number, int run) {
    snprintf(order->tenant, sizeof order->tenant, "0198c0dc-0000-7000-8000-%012lx", tenant);
    snprintf(order->tenant_digits, sizeof order->tenant_digits, "0198c0dc000070008000%012lx", tenant);
    snprintf(order->id, sizeof order->id, "0198c0de-%04x-7000-8000-%012lx", run & 0xffff, number);
    snprintf(order->event, sizeof order->event, "0198c0de-%04x-7000-9000-%012lx", run & 0xffff, number);
    snprintf(order->older_event, sizeof order->older_event, "0198c0de-%04x-7000-a000-%012lx", run & 0xffff, number);
    snprintf(order->key, sizeof order->key, "bench-%d-%ld", run, number);
}

void identify_known(struct order *order, long tenant, long number) {
    identify(order, tenant, number, 0);
    snprintf(order->id, sizeof order->id, "0198c0dd-0000-7000-8000-%012lx", tenant * 1000 + number);
}

static struct statement *add(struct transaction *out, const char *text) {
    struct statement *statement = &out->statements[out->count++];
    statement->text = text;
    statement->count = 0;
    return statement;
}

static void with(struct statement *statement, const char *value) { statement->values[statement->count++] = value; }

static void open_transaction(
    struct transaction *out, enum separation how, const struct order *order, const char *begin, const char *context,
    const char *mac) {
    out->count = 0;
    add(out, begin);
    add(out, "SET LOCAL ROLE orders_app");
    struct statement *entrance;
    switch (how) {
    case NONE:
    case WHERE: break;
    case SETTING:
        entrance = add(out, "SELECT set_config('atrium.tenant_id', $1, true)");
        with(entrance, order->tenant);
        break;
    case POLICY:
        entrance = add(out, "SELECT set_config('atrium.context', $1, true), set_config('atrium.mac', $2, true)");
        with(entrance, context);
        with(entrance, mac);
        break;
    default:
        entrance = add(out, "SELECT platform.enter($1, $2, $3)");
        with(entrance, context);
        with(entrance, "0");
        with(entrance, mac);
    }
}

void place(
    struct transaction *out, enum separation how, const struct order *order, const char *context, const char *mac) {
    static char answer[421], payload[481];
    if (!answer[0]) {
        memset(answer, 'x', sizeof answer - 1);
        memset(payload, 'x', sizeof payload - 1);
    }
    static const char *customer = "0198c0de-0000-7000-8000-00000000c001";
    static const char *correlation = "0198c0de-0000-7000-8000-00000000c002";
    static const char *now = "2026-01-01 12:00:00+00";
    open_transaction(out, how, order, "BEGIN", context, mac);

    struct statement *s;
#define RECEIPT                                                                                                    \
    "INSERT INTO orders.receipts (tenant_id, key, fingerprint, status, header_names, header_values, body) "
    if (how >= UNCHECKED && how != POLICY) {
        s = add(out, RECEIPT "VALUES (platform.tenant_id(), $1, $2, $3, $4, $5, convert_to($6, 'UTF8'))");
    } else {
        s = add(out, RECEIPT "VALUES ($7, $1, $2, $3, $4, $5, convert_to($6, 'UTF8'))");
    }
    with(s, order->key);
    with(s, "\\x5d41402abc4b2a76b9719d911017c5925d41402abc4b2a76b9719d911017c592");
    with(s, "201");
    with(s, "{ETag,Location}");
    with(s, "{\"\\\"2\\\"\",/api/v1/orders/0198c0de-0000-7000-8000-00000000c001}");
    with(s, answer);
    if (how < UNCHECKED || how == POLICY) with(s, order->tenant);

    s = add(out, "INSERT INTO %1$s.orders (tenant_id, id, customer_id, currency, state, total_minor, created_at, "
                 "updated_at, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)");
    const char *row[] = {order->tenant, order->id, customer, "EUR", "placed", "13650", now, now, "2"};
    for (int index = 0; index < 9; index++) with(s, row[index]);

    s = add(out, "INSERT INTO %1$s.order_lines (tenant_id, order_id, number, sku, quantity, unit_price_minor) "
                 "SELECT $1, $2, number, sku, quantity, price FROM unnest($3::text[], $4::bigint[], $5::bigint[]) "
                 "WITH ORDINALITY AS line (sku, quantity, price, number)");
    const char *lines[] = {order->tenant, order->id, "{SEAT-PRO,SETUP}", "{3,1}", "{1250,9900}"};
    for (int index = 0; index < 5; index++) with(s, lines[index]);

    s = add(out, "INSERT INTO %1$s.order_history (tenant_id, order_id, version, change, reason, actor, "
                 "correlation_id, at) SELECT $1, $2, version, change, reason, $3, $4, at "
                 "FROM unnest($5::bigint[], $6::text[], $7::text[], "
                 "$8::timestamptz[]) AS event (version, change, reason, at)");
    const char *history[] = {
        order->tenant, order->id, "api-key:0198c0de-0000-7000-8000-00000000c001", correlation, "{1,2}",
        "{drafted,placed}", "{NULL,NULL}", "{2026-01-01 12:00:00+00,2026-01-01 12:00:00+00}"};
    for (int index = 0; index < 8; index++) with(s, history[index]);

    // The newest version first; the oldest has the identifier of the fact.
    const char *events[][3] = {
        {order->event, "orders.order.placed.v2", "{ce_alsoas,orders.order.placed.v1}"},
        {order->older_event, "orders.order.placed.v1",
         "{ce_alsoas,orders.order.placed.v2,ce_deprecated,true,ce_deprecationfrom,2026-11-21T00:00:00Z,"
         "ce_deprecationmigration,https://atrium.dev/docs/events/orders.order.placed.md,"
         "ce_deprecationsunset,2027-06-01T00:00:00Z}"}};
    for (int version = 0; version < 2; version++) {
        s = add(out, "INSERT INTO orders.outbox (tenant_id, event_id, topic, type, aggregate_id, aggregate_version, "
                     "occurred_at, correlation_id, causation_id, traceparent, payload, fact_id, extensions) "
                     "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)");
        const char *event[] = {
            order->tenant, events[version][0], "orders.order", events[version][1], order->id, "2", now, correlation,
            NULL, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", payload, order->older_event,
            events[version][2]};
        for (int index = 0; index < 13; index++) with(s, event[index]);
    }

    add(out, "COMMIT");
    add(out, "SELECT pg_current_wal_insert_lsn()::text");
}

void show(
    struct transaction *out, enum separation how, const struct order *order, const char *context, const char *mac) {
    open_transaction(out, how, order, "BEGIN READ ONLY", context, mac);
    struct statement *s;
#define COLUMNS                                                                                                    \
    "SELECT o.customer_id, o.currency, o.state, o.created_at, o.updated_at, o.version, l.skus, l.quantities, "     \
    "l.prices FROM %1$s.orders o, LATERAL (SELECT array_agg(sku ORDER BY number) AS skus, "                        \
    "array_agg(quantity ORDER BY number) AS quantities, array_agg(unit_price_minor ORDER BY number) AS prices "    \
    "FROM %1$s.order_lines WHERE "
    if (how == NONE) {
        s = add(out, COLUMNS "order_id = o.id) l WHERE o.id = $1");
    } else {
        s = add(out, COLUMNS "tenant_id = o.tenant_id AND order_id = o.id) l WHERE o.id = $1 AND o.tenant_id = $2");
    }
    with(s, order->id);
    if (how != NONE) with(s, order->tenant);
    add(out, "COMMIT");
}
