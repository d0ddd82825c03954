TEST_PROGRAMS += bench_load echo_child

bench_load_SRC    := tests/bench/bench_load.c tests/bench/load_options.c tests/bench/load_net.c \
                     tests/bench/load_conn.c tests/bench/load_http.c tests/bench/load_check.c \
                     tests/bench/load_death.c tests/bench/load_start.c tests/bench/load_watch.c tests/bench/hist.c
echo_child_SRC    := tests/bench/echo_child.c
