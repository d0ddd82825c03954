MODULES    += config
config_SRC := $(addprefix relay/config/,config.c config_file.c config_hint.c config_options.c config_value.c config_listen.c \
                config_expand.c config_spellings.c config_servers.c config_entry.c config_entry_env.c config_member.c config_server_options.c config_args.c config_advice.c config_outside.c config_check.c config_report.c config_print.c \
                config_compare.c)

TEST_FOLDERS     += config
config_TEST_LIBS := fixture/common config wire base

FUZZERS            += fuzz_config
fuzz_config_SRC    := tests/fuzz/fuzz_config.c
fuzz_config_LIBS   := config wire base
