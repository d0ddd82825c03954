MODULES += ops
ops_SRC := relay/ops/ops.c relay/ops/control.c relay/ops/status.c relay/ops/views.c relay/ops/pidfile.c

UNIT_TESTS += test_pidfile
test_pidfile_SRC  := tests/unit/test_pidfile.c
test_pidfile_LIBS := ops base
