/*
 * nats.c (libnats) as a peer of the tests: nats-peer PORT CERT_DIR
 *
 * Each connection to 127.0.0.1:PORT is told by lines what to do, answers each
 * with a line, and has a NATS connection of its own, which ends with it.
 *
 *     connect URL [tls=yes] [cert=NAME]
 *                                  "connected"
 *     subscribe SUBJECT [QUEUE]    "subscribed"; then a line for each message:
 *                                  got SUBJECT [REPLY] {HEADERS}: PAYLOAD
 *     count SUBJECT [QUEUE]        "subscribed"; messages 1, 2, ... are counted
 *     counted                      how many, and how many came twice
 *     await N                      the same when N have come
 *     respond SUBJECT [QUEUE]      "subscribed"; each request gets its payload
 *                                  and headers back
 *     respond_late SUBJECT         the same after as many ms as the payload
 *                                  begins with, meanwhile others
 *     max SUBJECT N                "limited": no more than N messages
 *     unsubscribe SUBJECT          "unsubscribed"
 *     publish SUBJECT[>REPLY] [NAME=VALUE ... --] PAYLOAD
 *                                  "published"
 *     many SUBJECT N               "published": N messages, 1, 2, ...
 *     request SUBJECT [NAME=VALUE ... --] PAYLOAD
 *                                  "reply {HEADERS}: PAYLOAD"
 *     requests SUBJECT N           "N answered", each to one of N threads
 *     flush                        "flushed"
 *     drain                        "drained"; the NATS connection is over
 *
 * What cannot be done is answered with "failed: WHY". In payloads and values
 * \xNN stands for a byte (\x20 for a blank, \x5c for a backslash), and what is
 * not printable is shown so. The payload #N is N bytes, 0 to 250 again and
 * again; of one longer than 1000 length and CRC-32 are shown. The headers of a
 * message are shown by name, those of a name in their order.
 *
 * Built and started by Test::Nginx::TCP::Peer::NatsC.
 */

#define _GNU_SOURCE

#include <arpa/inet.h>
#include <nats/nats.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE     60000      /* milliseconds */
#define MAX_SUBS     16
#define MAX_COUNTED  100000
#define LONG         1000
#define PERIOD       251

/*
 * A control connection and its NATS connection. It is never freed: a callback
 * of libnats may be about to run.
 */
typedef struct {
    int                  fd;
    natsConnection      *nats;
    natsSubscription    *subs[MAX_SUBS];
    char                *subjects[MAX_SUBS];
    int                  n_subs;
    /* what callbacks use, and the way to fd */
    pthread_mutex_t      lock;
    unsigned             counted;
    unsigned             twice;
    unsigned             late;      /* answers that are still to come */
    char                 seen[MAX_COUNTED + 1];
} peer_t;

/* Something that one of many threads does. */
typedef struct {
    peer_t              *peer;
    natsMsg             *msg;
    const char          *subject;
    int                  number;
    natsStatus           status;
    pthread_t            thread;
} task_t;

static const char  *cert_dir;


static void *
allocated(void *p)
{
    if (p == NULL) {
        abort();
    }
    return p;
}


/* A line to whoever commands. */
static void
say(peer_t *peer, const char *format, ...)
{
    char     *line;
    int       len, n, done = 0;
    va_list   args;

    va_start(args, format);
    len = vasprintf(&line, format, args);
    va_end(args);
    if (len < 0) {
        abort();
    }

    pthread_mutex_lock(&peer->lock);
    while (peer->fd != -1 && done < len) {
        n = write(peer->fd, line + done, len - done);
        if (n <= 0) {
            break;
        }
        done += n;
    }
    pthread_mutex_unlock(&peer->lock);
    free(line);
}


static void
put_escaped(FILE *out, const char *p, int n)
{
    for (; n > 0; n--, p++) {
        if (*p >= ' ' && *p < 0x7f && *p != '\\') {
            putc(*p, out);
        } else {
            fprintf(out, "\\x%02x", (unsigned char) *p);
        }
    }
}


/* In place; the new length. */
static int
unescape(char *text)
{
    char      *in, *out = text;
    unsigned   byte;

    for (in = text; *in; in++) {
        if (*in == '\\' && sscanf(in, "\\x%2x", &byte) == 1) {
            *out++ = byte;
            in += 3;
        } else {
            *out++ = *in;
        }
    }
    *out = '\0';
    return out - text;
}


static unsigned
crc32_of(const char *p, int n)
{
    int       i;
    unsigned  crc = ~0u;

    for (; n > 0; n--) {
        crc ^= (unsigned char) *p++;
        for (i = 0; i < 8; i++) {
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
        }
    }
    return ~crc;
}


static int
compare(const void *a, const void *b)
{
    return strcmp(*(const char **) a, *(const char **) b);
}


/* " {NAME=VALUE ...}", or nothing. */
static void
put_headers(FILE *out, natsMsg *msg)
{
    int          i, j, n_keys, n_values;
    const char  *before = " {", **keys, **values;

    if (natsMsgHeader_Keys(msg, &keys, &n_keys) != NATS_OK) {
        return;
    }
    qsort(keys, n_keys, sizeof(*keys), compare);
    for (i = 0; i < n_keys; i++) {
        if (natsMsgHeader_Values(msg, keys[i], &values, &n_values) != NATS_OK) {
            continue;
        }
        for (j = 0; j < n_values; j++) {
            fprintf(out, "%s%s=", before, keys[i]);
            put_escaped(out, values[j], strlen(values[j]));
            before = " ";
        }
        free(values);
    }
    free(keys);
    if (before[1] == '\0') {
        putc('}', out);
    }
}


/* A line: what it is, the headers, the payload. */
static void
show(peer_t *peer, const char *what, natsMsg *msg)
{
    int          len = natsMsg_GetDataLength(msg);
    char        *text;
    FILE        *out;
    size_t       size;
    const char  *data = natsMsg_GetData(msg);

    out = allocated(open_memstream(&text, &size));
    fputs(what, out);
    put_headers(out, msg);
    if (natsMsg_IsNoResponders(msg)) {
        fputs(" no responders", out);
    } else if (len > LONG) {
        fprintf(out, ": %d bytes, %08x", len, crc32_of(data, len));
    } else {
        fputs(": ", out);
        put_escaped(out, data, len);
    }
    fclose(out);
    say(peer, "%s\n", text);
    free(text);
}


static void
on_show(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *data)
{
    char        *what;
    const char  *reply = natsMsg_GetReply(msg);

    if (asprintf(&what, reply ? "got %s [%s]" : "got %s",
                 natsMsg_GetSubject(msg), reply) < 0)
    {
        abort();
    }
    show(data, what, msg);
    free(what);
    natsMsg_Destroy(msg);
}


static void
on_count(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *data)
{
    int      number = atoi(natsMsg_GetData(msg));
    peer_t  *peer = data;

    pthread_mutex_lock(&peer->lock);
    if (number >= 0 && number <= MAX_COUNTED) {
        peer->twice += peer->seen[number];
        peer->seen[number] = 1;
    }
    peer->counted++;
    pthread_mutex_unlock(&peer->lock);
    natsMsg_Destroy(msg);
}


/* Sends payload and headers of a request back. */
static void
answer(natsConnection *nc, natsMsg *msg)
{
    int           i, j, n_keys, n_values;
    natsMsg      *back;
    const char  **keys, **values;

    if (natsMsg_Create(&back, natsMsg_GetReply(msg), NULL, natsMsg_GetData(msg),
                       natsMsg_GetDataLength(msg)) != NATS_OK)
    {
        return;
    }
    if (natsMsgHeader_Keys(msg, &keys, &n_keys) == NATS_OK) {
        for (i = 0; i < n_keys; i++) {
            if (natsMsgHeader_Values(msg, keys[i], &values, &n_values)
                != NATS_OK)
            {
                continue;
            }
            for (j = 0; j < n_values; j++) {
                natsMsgHeader_Add(back, keys[i], values[j]);
            }
            free(values);
        }
        free(keys);
    }
    natsConnection_PublishMsg(nc, back);
    natsMsg_Destroy(back);
}


static void
on_request(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *data)
{
    answer(nc, msg);
    natsMsg_Destroy(msg);
}


static unsigned
add_late(peer_t *peer, int n)
{
    unsigned  late;

    pthread_mutex_lock(&peer->lock);
    late = peer->late += n;
    pthread_mutex_unlock(&peer->lock);
    return late;
}


static void *
answer_late(void *data)
{
    task_t  *task = data;

    nats_Sleep(atoi(natsMsg_GetData(task->msg)));
    answer(task->peer->nats, task->msg);
    natsMsg_Destroy(task->msg);
    add_late(task->peer, -1);
    free(task);
    return NULL;
}


static void
on_late(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *data)
{
    task_t  *task = allocated(calloc(1, sizeof(task_t)));

    task->peer = data;
    task->msg = msg;
    add_late(task->peer, 1);
    if (pthread_create(&task->thread, NULL, answer_late, task) != 0) {
        abort();
    }
    pthread_detach(task->thread);
}


/* Up to the next blank; "" at the end. */
static char *
next_word(char **rest)
{
    char  *word = *rest ? strsep(rest, " ") : NULL;

    return word ? word : "";
}


/* SUBJECT[>REPLY] [NAME=VALUE ... --] PAYLOAD */
static natsStatus
parse_message(natsMsg **msg, char *rest)
{
    int          i, len;
    char        *subject = next_word(&rest), *reply = strchr(subject, '>');
    char        *dashes, *name, *value, *made = NULL;
    natsStatus   s;

    if (reply) {
        *reply++ = '\0';
    }
    if (rest == NULL) {
        rest = "";
    }

    dashes = strstr(rest, " -- ");
    value = dashes ? dashes + 4 : rest;
    if (*value == '#') {
        len = atoi(value + 1);
        value = made = allocated(malloc(len + 1));
        for (i = 0; i < len; i++) {
            value[i] = i % PERIOD;
        }
    } else {
        len = *value ? unescape(value) : 0;
    }
    s = natsMsg_Create(msg, subject, reply, value, len);
    free(made);

    if (dashes) {
        *dashes = '\0';
    }
    while (s == NATS_OK && dashes && rest) {
        value = strsep(&rest, " ");
        name = strsep(&value, "=");
        if (value) {
            unescape(value);
            s = natsMsgHeader_Add(*msg, name, value);
        }
    }
    return s;
}


static natsStatus
flush(peer_t *peer)
{
    return natsConnection_FlushTimeout(peer->nats, PATIENCE);
}


static natsStatus
subscribe(peer_t *peer, char *rest, natsMsgHandler handler)
{
    int          i = peer->n_subs;
    char        *subject = next_word(&rest);
    natsStatus   s;

    if (i == MAX_SUBS) {
        return NATS_INSUFFICIENT_BUFFER;
    }
    if (rest) {
        s = natsConnection_QueueSubscribe(&peer->subs[i], peer->nats, subject,
                                          rest, handler, peer);
    } else {
        s = natsConnection_Subscribe(&peer->subs[i], peer->nats, subject,
                                     handler, peer);
    }
    if (s == NATS_OK) {
        peer->subjects[i] = allocated(strdup(subject));
        peer->n_subs++;
        s = flush(peer);
    }
    if (s == NATS_OK) {
        say(peer, "subscribed\n");
    }
    return s;
}


static natsSubscription *
find(peer_t *peer, const char *subject)
{
    int  i;

    for (i = peer->n_subs - 1; i >= 0; i--) {
        if (strcmp(peer->subjects[i], subject) == 0) {
            return peer->subs[i];
        }
    }
    return NULL;
}


static natsStatus
trust(natsOptions *opts)
{
    char         ca[1024];
    natsStatus   s;

    snprintf(ca, sizeof(ca), "%s/ca.pem", cert_dir);
    s = natsOptions_SetSecure(opts, true);
    if (s == NATS_OK) s = natsOptions_LoadCATrustedCertificates(opts, ca);
    if (s == NATS_OK) s = natsOptions_SetExpectedHostname(opts, "test.example");
    return s;
}


static natsStatus
do_connect(peer_t *peer, char *rest)
{
    char         *url = next_word(&rest), *word, cert[1024], key[1024];
    natsStatus    s;
    natsOptions  *opts = NULL;

    s = natsOptions_Create(&opts);
    if (s == NATS_OK) s = natsOptions_SetURL(opts, url);
    if (s == NATS_OK) s = natsOptions_SetAllowReconnect(opts, false);
    if (s == NATS_OK) s = natsOptions_SetTimeout(opts, PATIENCE);
    while (s == NATS_OK && *(word = next_word(&rest))) {
        if (strcmp(word, "tls=yes") == 0) {
            s = trust(opts);
        } else if (strncmp(word, "cert=", 5) == 0) {
            snprintf(cert, sizeof(cert), "%s/%s.pem", cert_dir, word + 5);
            snprintf(key, sizeof(key), "%s/%s.key", cert_dir, word + 5);
            s = natsOptions_LoadCertificatesChain(opts, cert, key);
        } else {
            s = NATS_INVALID_ARG;
        }
    }
    if (s == NATS_OK) s = natsConnection_Connect(&peer->nats, opts);
    natsOptions_Destroy(opts);
    if (s == NATS_OK) say(peer, "connected\n");
    return s;
}


static natsStatus
do_counted(peer_t *peer, char *rest)
{
    unsigned  counted, twice;

    pthread_mutex_lock(&peer->lock);
    counted = peer->counted;
    twice = peer->twice;
    pthread_mutex_unlock(&peer->lock);
    say(peer, "%u, %u twice\n", counted, twice);
    return NATS_OK;
}


static natsStatus
do_await(peer_t *peer, char *rest)
{
    int       left;
    unsigned  counted = 0;

    for (left = PATIENCE; left > 0 && counted < atoi(rest); left -= 10) {
        nats_Sleep(10);
        pthread_mutex_lock(&peer->lock);
        counted = peer->counted;
        pthread_mutex_unlock(&peer->lock);
    }
    return do_counted(peer, rest);
}


static natsStatus
do_max(peer_t *peer, char *rest)
{
    natsStatus         s;
    natsSubscription  *sub = find(peer, next_word(&rest));

    s = sub && rest ? natsSubscription_AutoUnsubscribe(sub, atoi(rest))
                    : NATS_INVALID_ARG;
    if (s == NATS_OK) s = flush(peer);
    if (s == NATS_OK) say(peer, "limited\n");
    return s;
}


static natsStatus
do_unsubscribe(peer_t *peer, char *rest)
{
    natsStatus         s;
    natsSubscription  *sub = find(peer, rest);

    s = sub ? natsSubscription_Unsubscribe(sub) : NATS_INVALID_SUBSCRIPTION;
    if (s == NATS_OK) s = flush(peer);
    if (s == NATS_OK) say(peer, "unsubscribed\n");
    return s;
}


static natsStatus
do_publish(peer_t *peer, char *rest)
{
    natsMsg     *msg = NULL;
    natsStatus   s;

    s = parse_message(&msg, rest);
    if (s == NATS_OK) s = natsConnection_PublishMsg(peer->nats, msg);
    if (s == NATS_OK) s = flush(peer);
    if (s == NATS_OK) say(peer, "published\n");
    natsMsg_Destroy(msg);
    return s;
}


static natsStatus
do_many(peer_t *peer, char *rest)
{
    int          i, n;
    char        *subject = next_word(&rest), number[16];
    natsStatus   s = NATS_OK;

    n = rest ? atoi(rest) : 0;
    for (i = 1; s == NATS_OK && i <= n; i++) {
        snprintf(number, sizeof(number), "%d", i);
        s = natsConnection_PublishString(peer->nats, subject, number);
    }
    if (s == NATS_OK) s = flush(peer);
    if (s == NATS_OK) say(peer, "published\n");
    return s;
}


static natsStatus
do_request(peer_t *peer, char *rest)
{
    natsMsg     *msg = NULL, *reply = NULL;
    natsStatus   s;

    s = parse_message(&msg, rest);
    if (s == NATS_OK) {
        s = natsConnection_RequestMsg(&reply, peer->nats, msg, PATIENCE);
    }
    if (s == NATS_OK) show(peer, "reply", reply);
    natsMsg_Destroy(msg);
    natsMsg_Destroy(reply);
    return s;
}


static void *
ask(void *data)
{
    char         number[16];
    task_t      *task = data;
    natsMsg     *reply = NULL;
    natsStatus   s;

    snprintf(number, sizeof(number), "%d", task->number);
    s = natsConnection_RequestString(&reply, task->peer->nats, task->subject,
                                     number, PATIENCE);
    if (s == NATS_OK && strcmp(natsMsg_GetData(reply), number) != 0) {
        s = NATS_MISMATCH;
    }
    natsMsg_Destroy(reply);
    task->status = s;
    return NULL;
}


static natsStatus
do_requests(peer_t *peer, char *rest)
{
    int          i, n;
    char        *subject = next_word(&rest);
    task_t      *tasks;
    natsStatus   s = NATS_OK;

    n = rest ? atoi(rest) : 0;
    tasks = allocated(calloc(n + 1, sizeof(task_t)));
    for (i = 0; i < n; i++) {
        tasks[i] = (task_t) { .peer = peer, .subject = subject, .number = i };
        if (pthread_create(&tasks[i].thread, NULL, ask, &tasks[i]) != 0) {
            abort();
        }
    }
    for (i = 0; i < n; i++) {
        pthread_join(tasks[i].thread, NULL);
        if (tasks[i].status != NATS_OK) s = tasks[i].status;
    }
    free(tasks);
    if (s == NATS_OK) say(peer, "%d answered\n", n);
    return s;
}


static natsStatus
do_flush(peer_t *peer, char *rest)
{
    natsStatus  s = flush(peer);

    if (s == NATS_OK) say(peer, "flushed\n");
    return s;
}


static natsStatus
do_drain(peer_t *peer, char *rest)
{
    int          left;
    natsStatus   s = natsConnection_DrainTimeout(peer->nats, PATIENCE);

    for (left = PATIENCE; left > 0 && !natsConnection_IsClosed(peer->nats);
         left -= 10)
    {
        nats_Sleep(10);
    }
    if (s == NATS_OK) say(peer, "drained\n");
    return s;
}


/* What subscribes has a handler of messages. */
static const struct {
    const char       *name;
    natsStatus      (*run)(peer_t *peer, char *rest);
    natsMsgHandler    handler;
} commands[] = {
    { "connect",      do_connect },
    { "subscribe",    NULL, on_show },
    { "count",        NULL, on_count },
    { "counted",      do_counted },
    { "await",        do_await },
    { "respond",      NULL, on_request },
    { "respond_late", NULL, on_late },
    { "max",          do_max },
    { "unsubscribe",  do_unsubscribe },
    { "publish",      do_publish },
    { "many",         do_many },
    { "request",      do_request },
    { "requests",     do_requests },
    { "flush",        do_flush },
    { "drain",        do_drain },
};


static void
command(peer_t *peer, char *line)
{
    char        *verb;
    size_t       i;
    natsStatus   s;

    verb = strsep(&line, " ");
    for (i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
        if (strcmp(verb, commands[i].name) == 0) {
            if (line == NULL) line = "";
            s = commands[i].handler
                    ? subscribe(peer, line, commands[i].handler)
                    : commands[i].run(peer, line);
            if (s != NATS_OK) {
                say(peer, "failed: %s\n", natsStatus_GetText(s));
            }
            return;
        }
    }
    say(peer, "no such command: %s\n", verb);
}


static void *
serve(void *data)
{
    char    *line = NULL;
    FILE    *in;
    size_t   size = 0;
    peer_t  *peer = data;

    in = allocated(fdopen(peer->fd, "r"));
    while (getline(&line, &size, in) > 0) {
        line[strcspn(line, "\n")] = '\0';
        command(peer, line);
    }
    free(line);

    while (add_late(peer, 0) > 0) {
        nats_Sleep(10);
    }
    natsConnection_Destroy(peer->nats);
    pthread_mutex_lock(&peer->lock);
    peer->fd = -1;
    pthread_mutex_unlock(&peer->lock);
    fclose(in);
    return NULL;
}


int
main(int argc, char **argv)
{
    int                  fd, on = 1;
    peer_t              *peer;
    pthread_t            thread;
    struct sockaddr_in   addr = { .sin_family = AF_INET };

    if (argc != 3) {
        fprintf(stderr, "usage: nats-peer PORT CERT_DIR\n");
        return 2;
    }
    cert_dir = argv[2];
    signal(SIGPIPE, SIG_IGN);

    addr.sin_port = htons(atoi(argv[1]));
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *) &addr, sizeof(addr)) == -1
        || listen(fd, 64) == -1 || nats_Open(-1) != NATS_OK)
    {
        perror("nats-peer");
        return 1;
    }
    puts("serves");
    fflush(stdout);

    for ( ;; ) {
        peer = allocated(calloc(1, sizeof(peer_t)));
        peer->fd = accept(fd, NULL, NULL);
        pthread_mutex_init(&peer->lock, NULL);
        if (peer->fd == -1
            || pthread_create(&thread, NULL, serve, peer) != 0)
        {
            perror("nats-peer");
            return 1;
        }
        pthread_detach(thread);
    }
}
