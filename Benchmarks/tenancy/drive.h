// What Atrium sends to place and to read an order, by the way in which tenants are kept apart.
#pragma once

#include <stdbool.h>

enum separation { NONE, WHERE, SETTING, UNCHECKED, SIGNED, POLICY, BRIDGE, SEPARATIONS };
extern const char *const separation_names[SEPARATIONS];

enum { MOST_PARAMETERS = 13, LONGEST_VALUE = 600, MOST_STATEMENTS = 16 };

struct statement {
    // `%1$s` stands for the schema of the tenant's own tables.
    const char *text;
    int count;
    const char *values[MOST_PARAMETERS];
};

// One transaction, filled in for a tenant and an order.
struct transaction {
    int count;
    struct statement statements[MOST_STATEMENTS];
};

struct order {
    // The fact of its placing goes out in two versions, each an event with an identifier of its own.
    char tenant[37], tenant_digits[33], id[37], event[37], older_event[37], key[40];
};

void identify(struct order *order, long tenant, long number, int run);
void identify_known(struct order *order, long tenant, long number);
// Context and signature (as bytea's text form) are what platform.enter takes.
void place(
    struct transaction *out, enum separation how, const struct order *order, const char *context, const char *mac);
void show(
    struct transaction *out, enum separation how, const struct order *order, const char *context, const char *mac);
