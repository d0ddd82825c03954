/* Load generator for the bench: drives a JSON-RPC server over TCP (newline-delimited) or Streamable HTTP and
 * prints one line of JSON with what it saw. See load.h for its parts.
 *
 * Exit code: 0 when every answer was the right one, 1 when there were errors, wrong or lost answers (the
 * figures are printed all the same), 2 when it could not run.
 */
#include <signal.h>
#include <stdio.h>

#include "load.h"

static void print_latency(const char *name, const struct hist *h)
{
    printf(",\"%s\":{\"count\":%llu,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f}", name,
           (unsigned long long)h->count, (double)hist_at_ns(h, 500) / 1e3, (double)hist_at_ns(h, 900) / 1e3,
           (double)hist_at_ns(h, 990) / 1e3, (double)hist_at_ns(h, 999) / 1e3, (double)h->max_ns / 1e3);
}

static void print_string(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            putchar('\\');
        putchar((unsigned char)*text < ' ' ? ' ' : *text);
    }
    putchar('"');
}

static double per_answer_us(const struct load *l, uint64_t ns)
{
    return l->answers == 0 ? 0 : (double)ns / 1e3 / (double)l->answers;
}

static int report(const struct load *l)
{
    double seconds = l->measured_ns == 0 ? 1 : (double)l->measured_ns / 1e9;
    bool clean = l->errors == 0 && l->wrong == 0 && l->lost == 0 && l->answers > 0;
    printf("{\"clients\":%u,\"inFlight\":%u,\"idle\":%u,\"bytes\":%zu,\"seconds\":%.3f,\"answers\":%llu,"
           "\"perSecond\":%.1f,\"bytesInPerSecond\":%.0f,\"bytesOutPerSecond\":%.0f",
           l->options->clients, l->options->in_flight, l->options->idle, l->filler_len + 105, seconds,
           (unsigned long long)l->answers, (double)l->answers / seconds, (double)l->bytes_in / seconds,
           (double)l->bytes_out / seconds);
    printf(",\"watchedUs\":%.3f,\"loadUs\":%.3f", per_answer_us(l, l->watched_ns),
           per_answer_us(l, l->own_ns));
    print_latency("latencyUs", &l->hist);
    if (l->options->probe)
        print_latency("probeUs", &l->probe_hist);
    printf(",\"errors\":%llu,\"wrong\":%llu,\"lost\":%llu", (unsigned long long)l->errors,
           (unsigned long long)l->wrong, (unsigned long long)l->lost);
    if (l->first_error[0] != '\0') {
        printf(",\"firstError\":");
        print_string(l->first_error);
    }
    printf("}\n");
    return clean ? 0 : 1;
}

int main(int argc, char **argv)
{
    static struct load load;
    struct load_options options;
    load_options_parse(argc, argv, &options);
    signal(SIGPIPE, SIG_IGN);
    if (options.mode == LOAD_DEATH)
        return load_death(&options);
    if (options.mode == LOAD_START)
        return load_start(&options);
    load_run(&load, &options);
    return options.mode == LOAD_IDLE ? 0 : report(&load);
}
