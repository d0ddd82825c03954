MODULES += ops
ops_SRC := $(addprefix relay/ops/,ops.c control.c status.c views.c pidfile.c)

TEST_FOLDERS  += ops
ops_TEST_LIBS := ops base
