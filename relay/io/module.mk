MODULES += io
io_SRC  := $(addprefix relay/io/,served_time.c loop.c timer.c stream.c stream_write.c memory.c)

TEST_FOLDERS   += io
io_TEST_LIBS   := fixture/common io wire base
io_TEST_LDLIBS := $(uv_libs) -lpthread
