// Keeps transactions under way on PostgreSQL as Atrium's data plane does: named statements within a bounded cache, one
// pipeline for each transaction, the tenant's signature bound to the server process.
//
//   drive <place|read> <separation> <seconds> <active> <tenants> <orders of each> <cache> <run> <key> <login>...
//
// The n-th tenant lives in the database of the n-th login, counted round. Prints transactions a second, CPU
// microseconds of the server's processes for each transaction, their private memory in KiB each, and milliseconds at
// half and at 99 % of the transactions.
#include "drive.h"

#include <libpq-fe.h>
#include <poll.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_LATENCIES = 4000000, LONGEST_WARM_UP = 60 };

struct entry {
    char *text;
    unsigned long last_use;
    int name;
};

struct connection {
    PGconn *link;
    struct entry *entries;
    int count, names, server;
    unsigned long uses;
    bool busy;
    double since;
    char context[64], mac[72];
};

static bool placing;
static enum separation how;
static double seconds;
static int active, run, capacity, connections, logins;
static long tenants, orders, started;
static unsigned char key[crypto_auth_hmacsha256_KEYBYTES];
static struct connection *all;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void fail(PGconn *link, const char *what) {
    fprintf(stderr, "drive: %s: %s\n", what, PQerrorMessage(link));
    exit(1);
}

// MARK: Statements

static void sign(struct connection *connection, const char *tenant_digits) {
    char message[96];
    unsigned char code[crypto_auth_hmacsha256_BYTES];
    snprintf(connection->context, sizeof connection->context, "%s,orders_app", tenant_digits);
    int length = snprintf(message, sizeof message, "%s,%d", connection->context, PQbackendPID(connection->link));
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, key, sizeof key);
    crypto_auth_hmacsha256_update(&state, (unsigned char *)message, (unsigned long long)length);
    crypto_auth_hmacsha256_final(&state, code);
    memcpy(connection->mac, "\\x", 2);
    sodium_bin2hex(connection->mac + 2, sizeof connection->mac - 2, code, sizeof code);
}

// The entry of a statement, prepared first where it is new; the least recently used makes room.
static struct entry *prepared(struct connection *connection, const char *text, int parameters) {
    char name[24];
    struct entry *oldest = NULL;
    connection->uses++;
    for (int index = 0; index < connection->count; index++) {
        struct entry *entry = &connection->entries[index];
        if (strcmp(entry->text, text) == 0) {
            entry->last_use = connection->uses;
            return entry;
        }
        if (!oldest || entry->last_use < oldest->last_use) oldest = entry;
    }
    struct entry *entry = oldest;
    if (connection->count < capacity) {
        entry = &connection->entries[connection->count++];
    } else {
        char text_of_removal[48];
        snprintf(text_of_removal, sizeof text_of_removal, "DEALLOCATE s%d", oldest->name);
        PQsendQueryParams(connection->link, text_of_removal, 0, NULL, NULL, NULL, NULL, 0);
        free(oldest->text);
    }
    *entry = (struct entry){.text = strdup(text), .last_use = connection->uses, .name = ++connection->names};
    snprintf(name, sizeof name, "s%d", entry->name);
    if (!PQsendPrepare(connection->link, name, text, parameters, NULL)) fail(connection->link, "prepare");
    return entry;
}

static void begin(struct connection *connection, long tenant) {
    struct order order;
    struct transaction transaction;
    if (placing) identify(&order, tenant, ++started, run);
    else identify_known(&order, tenant, 1 + random() % orders);
    sign(connection, order.tenant_digits);
    (placing ? place : show)(&transaction, how, &order, connection->context, connection->mac);
    char schema[64] = "orders";
    if (how == BRIDGE) snprintf(schema, sizeof schema, "orders__t%s", order.tenant_digits);
    for (int index = 0; index < transaction.count; index++) {
        struct statement *statement = &transaction.statements[index];
        char text[2000], name[24];
        snprintf(text, sizeof text, statement->text, schema);
        struct entry *entry = prepared(connection, text, statement->count);
        snprintf(name, sizeof name, "s%d", entry->name);
        if (!PQsendQueryPrepared(connection->link, name, statement->count, statement->values, NULL, NULL, 0))
            fail(connection->link, "send");
    }
    if (!PQpipelineSync(connection->link)) fail(connection->link, "sync");
    connection->busy = true;
    connection->since = now();
}

// Whether the transaction is over.
static bool receive(struct connection *connection) {
    if (!PQconsumeInput(connection->link)) fail(connection->link, "receive");
    while (!PQisBusy(connection->link)) {
        PGresult *result = PQgetResult(connection->link);
        ExecStatusType status = result ? PQresultStatus(result) : PGRES_COMMAND_OK;
        if (status == PGRES_FATAL_ERROR || status == PGRES_PIPELINE_ABORTED) fail(connection->link, "statement");
        if (status == PGRES_TUPLES_OK && !placing && PQnfields(result) > 5 && PQntuples(result) != 1) {
            fprintf(stderr, "drive: an order was not found\n");
            exit(1);
        }
        PQclear(result);
        if (status == PGRES_PIPELINE_SYNC) {
            connection->busy = false;
            return true;
        }
    }
    return false;
}

// MARK: The servers' processes

static long read_number(int process, const char *file, const char *name) {
    char path[64], line[256];
    long value = -1;
    snprintf(path, sizeof path, "/proc/%d/%s", process, file);
    FILE *stream = fopen(path, "r");
    if (!stream) return -1;
    while (value < 0 && fgets(line, sizeof line, stream))
        if (strncmp(line, name, strlen(name)) == 0) value = strtol(line + strlen(name), NULL, 10);
    fclose(stream);
    return value;
}

static double processor_time(void) {
    double total = 0;
    for (int index = 0; index < connections; index++)
        total += (double)read_number(PQbackendPID(all[index].link), "schedstat", "");
    return total / 1000;
}

static int ascending(const void *left, const void *right) {
    double difference = *(const double *)left - *(const double *)right;
    return difference < 0 ? -1 : difference > 0;
}

// MARK: Running

static void start_one(void) {
    for (;;) {
        long tenant = random() % tenants;
        int login = (int)(tenant % logins);
        for (int index = login; index < connections; index += logins) {
            if (all[index].busy) continue;
            begin(&all[index], tenant + 1);
            return;
        }
    }
}

int main(int count, char **arguments) {
    if (count < 11 || sodium_init() < 0) return 2;
    placing = strcmp(arguments[1], "place") == 0;
    while (how < SEPARATIONS && strcmp(separation_names[how], arguments[2]) != 0) how++;
    seconds = atof(arguments[3]);
    active = atoi(arguments[4]);
    tenants = atol(arguments[5]);
    orders = atol(arguments[6]);
    capacity = atoi(arguments[7]);
    run = atoi(arguments[8]);
    sodium_hex2bin(key, sizeof key, arguments[9], strlen(arguments[9]), NULL, NULL, NULL);
    logins = count - 10;
    // Enough that those under way seldom all want the same database.
    int each = logins == 1 ? active : 2 * active / logins + 2;
    connections = each * logins;
    all = calloc((size_t)connections, sizeof *all);
    struct pollfd *polled = calloc((size_t)connections, sizeof *polled);
    for (int index = 0; index < connections; index++) {
        all[index].link = PQconnectdb(arguments[10 + index % logins]);
        if (PQstatus(all[index].link) != CONNECTION_OK) fail(all[index].link, "connect");
        PQsetnonblocking(all[index].link, 1);
        PQenterPipelineMode(all[index].link);
        all[index].entries = calloc((size_t)capacity, sizeof(struct entry));
    }
    srandom((unsigned)run);
    double *latencies = malloc(sizeof(double) * MOST_LATENCIES);
    long done = 0, warming = 0;
    // Each server process has to see each schema a few times before its caches hold what they can.
    long warm = how == BRIDGE ? 3 * tenants * active : 0;
    double begun = now(), processor = 0, from = 0;
    bool measuring = false;
    for (int index = 0; index < active; index++) start_one();
    for (double time = begun; !measuring || time < from + seconds; time = now()) {
        if (!measuring && time >= begun + seconds / 2 && (warming >= warm || time >= begun + LONGEST_WARM_UP)) {
            measuring = true;
            processor = processor_time();
            from = now();
        }
        for (int index = 0; index < connections; index++) {
            polled[index].fd = all[index].busy ? PQsocket(all[index].link) : -1;
            polled[index].events = POLLIN;
            if (all[index].busy && PQflush(all[index].link) == 1) polled[index].events |= POLLOUT;
        }
        if (poll(polled, (nfds_t)connections, 100) < 0) continue;
        for (int index = 0; index < connections; index++) {
            if (!(polled[index].revents & (POLLIN | POLLERR | POLLHUP)) || !receive(&all[index])) continue;
            if (!measuring) warming++;
            else if (done < MOST_LATENCIES) latencies[done++] = now() - all[index].since;
            start_one();
        }
    }
    double took = now() - from;
    processor = processor_time() - processor;
    double memory = 0;
    for (int index = 0; index < connections; index++)
        memory += (double)read_number(PQbackendPID(all[index].link), "smaps_rollup", "Pss_Anon:");
    qsort(latencies, (size_t)done, sizeof *latencies, ascending);
    if (done == 0) return 1;
    printf("%.1f %.2f %.0f %.3f %.3f\n", (double)done / took, processor / (double)done, memory / connections,
        latencies[done / 2] * 1000, latencies[done * 99 / 100] * 1000);
    return 0;
}
