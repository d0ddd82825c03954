MODULES  += base
base_SRC := $(addprefix relay/base/,err.c alloc.c map.c heap.c buf.c file.c names.c options.c options_text.c log_level.c \
              sha1.c base64.c)

# How a program begins and ends, apart: a library neither prints nor touches signals.
MODULES     += program
program_SRC := relay/base/program.c

# The hash seed, apart: a program that wants the same order in every run leaves it out.
MODULES  += seed
seed_SRC := relay/base/seed.c

TEST_FOLDERS   += common base
base_TEST_LIBS := seed program fixture/common base
