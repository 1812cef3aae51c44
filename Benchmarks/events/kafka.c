// The other side of the measurements: librdkafka alone, and a broker for both sides.
//
//   kafka broker <partitions> <topic>...              a mock cluster; takes the commands `down` and `up`, ends with its input
//   kafka consume <servers> <topic> <count> [<file>]  reads that many records from the beginning, and keeps them
//   kafka produce <servers> <topic> <file>            sends the records kept
//
// `consume` and `produce` print the seconds from the first record to the last, of which `produce` has the reports.
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void fail(const char *what, const char *why) {
    fprintf(stderr, "kafka: %s: %s\n", what, why);
    exit(1);
}

static void set(rd_kafka_conf_t *settings, const char *name, const char *value) {
    char error[256];
    if (rd_kafka_conf_set(settings, name, value, error, sizeof error) != RD_KAFKA_CONF_OK) fail(name, error);
}

static rd_kafka_t *client(rd_kafka_type_t type, rd_kafka_conf_t *settings) {
    char error[256];
    rd_kafka_t *made = rd_kafka_new(type, settings, error, sizeof error);
    if (!made) fail("no client", error);
    return made;
}

// MARK: The broker

// The mock leaves Nagle's algorithm on: answers would wait 40 ms for the clients' delayed acknowledgements.
static void send_at_once(void) {
    for (int descriptor = 3; descriptor < 256; descriptor++) {
        int listens = 0, on = 1;
        socklen_t size = sizeof listens;
        if (getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens)
            setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
}

static int broker(int partitions, char **topics) {
    rd_kafka_t *owner = client(RD_KAFKA_PRODUCER, rd_kafka_conf_new());
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(owner, 1);
    if (!cluster) fail("no broker", "no port to listen on");
    for (; *topics; topics++) rd_kafka_mock_topic_create(cluster, *topics, partitions, 1);
    send_at_once();
    printf("%s\n", rd_kafka_mock_cluster_bootstraps(cluster));
    fflush(stdout);
    char line[32];
    while (fgets(line, sizeof line, stdin)) {
        if (strcmp(line, "down\n") == 0) rd_kafka_mock_broker_set_down(cluster, 1);
        if (strcmp(line, "up\n") == 0) {
            rd_kafka_mock_broker_set_up(cluster, 1);
            send_at_once();
        }
        printf("done\n");
        fflush(stdout);
    }
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(owner);
    return 0;
}

// MARK: Records in a file

static void put(FILE *file, const void *bytes, size_t length) {
    uint32_t size = (uint32_t)length;
    if (fwrite(&size, sizeof size, 1, file) != 1 || (length && fwrite(bytes, length, 1, file) != 1))
        fail("a record could not be kept", "the file is full");
}

static char *take(const char **from, uint32_t *length) {
    memcpy(length, *from, sizeof *length);
    char *bytes = (char *)*from + sizeof *length;
    *from = bytes + *length;
    return bytes;
}

static void keep(FILE *file, const rd_kafka_message_t *message) {
    put(file, message->key, message->key_len);
    put(file, message->payload, message->len);
    rd_kafka_headers_t *headers = NULL;
    size_t count = 0;
    if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) count = rd_kafka_header_cnt(headers);
    uint32_t number = (uint32_t)count;
    put(file, &number, sizeof number);
    for (size_t index = 0; index < count; index++) {
        const char *name;
        const void *value;
        size_t size;
        rd_kafka_header_get_all(headers, index, &name, &value, &size);
        put(file, name, strlen(name));
        put(file, value, size);
    }
}

// MARK: The clients

static int consume(const char *servers, const char *topic, long wanted, const char *path) {
    rd_kafka_conf_t *settings = rd_kafka_conf_new();
    set(settings, "bootstrap.servers", servers);
    set(settings, "group.id", "bench");
    set(settings, "enable.auto.commit", "false");
    set(settings, "auto.offset.reset", "earliest");
    set(settings, "fetch.wait.max.ms", "50");
    set(settings, "socket.nagle.disable", "true");
    rd_kafka_t *consumer = client(RD_KAFKA_CONSUMER, settings);
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(consumer, topic, NULL);
    if (rd_kafka_metadata(consumer, 0, handle, &metadata, 10000)) fail(topic, "no metadata");
    rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new(64);
    for (int index = 0; index < metadata->topics[0].partition_cnt; index++)
        rd_kafka_topic_partition_list_add(all, topic, index)->offset = 0;
    rd_kafka_assign(consumer, all);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(consumer);
    FILE *file = path ? fopen(path, "wb") : NULL;
    rd_kafka_message_t *batch[1000];
    double first = 0;
    long count = 0;
    while (count < wanted) {
        ssize_t got = rd_kafka_consume_batch_queue(queue, 20000, batch, 1000);
        if (got <= 0) fail(topic, "nothing came for 20 s");
        if (!first) first = now();
        for (ssize_t index = 0; index < got; index++) {
            if (!batch[index]->err) {
                count++;
                if (file) keep(file, batch[index]);
            }
            rd_kafka_message_destroy(batch[index]);
        }
    }
    printf("%f\n", now() - first);
    if (file) fclose(file);
    return 0;
}

static long delivered, refused;

static void report(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque) {
    (void)producer, (void)opaque;
    if (message->err) refused++;
    delivered++;
}

static int produce(const char *servers, const char *topic, const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) fail(path, "can't be read");
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    char *records = malloc((size_t)size);
    if (!records || fread(records, (size_t)size, 1, file) != 1) fail(path, "can't be read");
    fclose(file);

    // As Atrium's producer is set.
    rd_kafka_conf_t *settings = rd_kafka_conf_new();
    set(settings, "bootstrap.servers", servers);
    set(settings, "enable.idempotence", "true");
    set(settings, "acks", "all");
    set(settings, "compression.type", "lz4");
    set(settings, "linger.ms", "0.5");
    set(settings, "partitioner", "murmur2_random");
    set(settings, "socket.nagle.disable", "true");
    rd_kafka_conf_set_dr_msg_cb(settings, report);
    rd_kafka_t *producer = client(RD_KAFKA_PRODUCER, settings);
    rd_kafka_topic_t *handle = rd_kafka_topic_new(producer, topic, NULL);
    const struct rd_kafka_metadata *metadata;
    if (rd_kafka_metadata(producer, 0, handle, &metadata, 10000)) fail(topic, "no metadata");

    long sent = 0;
    double first = now();
    for (const char *place = records; place < records + size;) {
        uint32_t key_size, size_of_value, number_size, number, name_size, header_size;
        char *key = take(&place, &key_size);
        char *value = take(&place, &size_of_value);
        memcpy(&number, take(&place, &number_size), sizeof number);
        rd_kafka_headers_t *headers = rd_kafka_headers_new(number);
        for (uint32_t index = 0; index < number; index++) {
            char *name = take(&place, &name_size);
            char *content = take(&place, &header_size);
            rd_kafka_header_add(headers, name, name_size, content, header_size);
        }
        rd_kafka_resp_err_t error;
        while ((error = rd_kafka_producev(
                    producer, RD_KAFKA_V_RKT(handle), RD_KAFKA_V_KEY(key, key_size),
                    RD_KAFKA_V_VALUE(value, size_of_value), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                    RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END)) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
            rd_kafka_poll(producer, 5);
        if (error) fail(topic, rd_kafka_err2str(error));
        if (++sent % 100 == 0) rd_kafka_poll(producer, 0);
    }
    while (delivered < sent) rd_kafka_poll(producer, 100);
    double took = now() - first;
    if (refused) fail(topic, "records were refused");
    printf("%f\n", took);
    return 0;
}

int main(int count, char **words) {
    if (count >= 4 && strcmp(words[1], "broker") == 0) return broker(atoi(words[2]), words + 3);
    if (count >= 5 && strcmp(words[1], "consume") == 0)
        return consume(words[2], words[3], atol(words[4]), count > 5 ? words[5] : NULL);
    if (count == 5 && strcmp(words[1], "produce") == 0) return produce(words[2], words[3], words[4]);
    fprintf(stderr, "kafka: broker, consume or produce\n");
    return 2;
}
