MODULES += log
log_SRC := $(addprefix relay/log/,log.c log_line.c)

TEST_FOLDERS    += log
log_TEST_LIBS   := fixture/common log wire base
log_TEST_LDLIBS := -lpthread
