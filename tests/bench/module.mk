TEST_PROGRAMS += bench_load echo_child

bench_load_SRC    := tests/bench/bench_load.c tests/bench/load_options.c tests/bench/load_net.c \
                     tests/bench/load_conn.c tests/bench/load_http.c tests/bench/load_check.c \
                     tests/bench/load_death.c tests/bench/load_start.c tests/bench/load_watch.c tests/bench/hist.c
echo_child_SRC    := tests/bench/echo_child.c

# Built by `make bench` alone: the peer's library is nothing that building or testing should ask for.
BENCH_PROGRAMS     += bench_client bench_nats pump
pump_SRC           := tests/bench/pump.c
bench_client_SRC   := tests/bench/bench_client.c tests/bench/hist.c
bench_client_LIBS  := agentrelay mock_mcp mock wire base
bench_client_LDLIBS = $(library_libs)
bench_nats_SRC     := tests/bench/bench_nats.c tests/bench/hist.c
bench_nats_LDLIBS  := -lnats -lpthread
