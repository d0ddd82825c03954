/* The command line of bench_load. A bad one ends the program with the usage text. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

static const char usage[] =
    "usage: bench_load run   --connect HOST:PORT[,HOST:PORT...] [--clients N] [--in-flight N] [--size BYTES]\n"
    "                        [--warmup MS] [--duration MS] [--idle N] [--probe] [--verify] [--http PATH]\n"
    "                        [--watch PID] [--timeout MS]\n"
    "       bench_load idle  --connect HOST:PORT --idle N      (prints a line when all sit; ends with its input)\n"
    "       bench_load death --connect HOST:PORT               (kills the child behind it)\n"
    "       bench_load start -- COMMAND [ARG...]               (until its stderr says \"listening\")\n";

static _Noreturn void refuse(const char *what, const char *arg)
{
    fprintf(stderr, "bench_load: %s: %s\n%s", what, arg, usage);
    exit(2);
}

static uint64_t number(const char *option, const char *text, uint64_t min, uint64_t max)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || value < min || value > max)
        refuse(option, text);
    return value;
}

static void add_address(struct load_options *o, char *text)
{
    char *colon = strrchr(text, ':');
    struct sockaddr_in *a = &o->address[o->address_count];
    if (!colon || o->address_count == LOAD_MAX_ADDRESSES)
        refuse("--connect", text);
    *colon = '\0';
    a->sin_family = AF_INET;
    a->sin_port = htons((uint16_t)number("--connect", colon + 1, 1, 65535));
    if (inet_pton(AF_INET, text, &a->sin_addr) != 1)
        refuse("--connect", text);
    o->address_count++;
}

static void add_addresses(struct load_options *o, char *list)
{
    while (list) {
        char *comma = strchr(list, ',');
        if (comma)
            *comma++ = '\0';
        add_address(o, list);
        list = comma;
    }
}

static void set_value(struct load_options *o, const char *name, char *value)
{
    if (!value)
        refuse("a value is missing", name);
    if (strcmp(name, "--connect") == 0)
        add_addresses(o, value);
    else if (strcmp(name, "--clients") == 0)
        o->clients = (unsigned)number(name, value, 0, 100000);
    else if (strcmp(name, "--in-flight") == 0)
        o->in_flight = (unsigned)number(name, value, 1, 4096);
    else if (strcmp(name, "--size") == 0)
        o->size_bytes = number(name, value, 1, 64U << 20);
    else if (strcmp(name, "--warmup") == 0)
        o->warmup_ms = number(name, value, 0, 600000);
    else if (strcmp(name, "--duration") == 0)
        o->duration_ms = number(name, value, 1, 600000);
    else if (strcmp(name, "--timeout") == 0)
        o->timeout_ms = number(name, value, 1, 600000);
    else if (strcmp(name, "--idle") == 0)
        o->idle = (unsigned)number(name, value, 0, 100000);
    else if (strcmp(name, "--watch") == 0)
        o->watch_pid = (unsigned)number(name, value, 1, UINT32_MAX);
    else if (strcmp(name, "--http") == 0)
        o->http = true, o->path = value;
    else
        refuse("unknown option", name);
}

static enum load_mode mode_of(const char *text)
{
    static const char *const names[] = {
        [LOAD_RUN] = "run", [LOAD_IDLE] = "idle", [LOAD_DEATH] = "death", [LOAD_START] = "start"};
    for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(text, names[i]) == 0)
            return (enum load_mode)i;
    refuse("unknown mode", text);
}

void load_options_parse(int argc, char **argv, struct load_options *ret_options)
{
    struct load_options *o = ret_options;
    memset(o, 0, sizeof(*o));
    o->in_flight = 1;
    o->size_bytes = 200;
    o->warmup_ms = 200;
    o->duration_ms = 1000;
    o->timeout_ms = 10000;
    if (argc < 2)
        refuse("no mode", "");
    o->mode = mode_of(argv[1]);
    o->clients = o->mode == LOAD_RUN ? 1 : 0;
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            o->command = argv + i + 1;
            break;
        }
        if (strcmp(argv[i], "--probe") == 0)
            o->probe = true;
        else if (strcmp(argv[i], "--verify") == 0)
            o->verify = true;
        else
            set_value(o, argv[i], argv[i + 1]), i++;
    }
    if (o->mode == LOAD_START ? !o->command || !*o->command : o->address_count == 0)
        refuse(argv[1], "what to start, or where to connect, is missing");
}
