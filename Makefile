# Agent Relay. GNU make, no configure step. `make help` lists the targets.
#
# CC, CFLAGS, CPPFLAGS, LDFLAGS, PREFIX, DESTDIR, V, WERROR and SAN belong to whoever builds; what the project itself needs
# is kept apart from them. Each folder lists its sources in a module.mk: no wildcards decide what is built.
#
#   make SAN=address,undefined     the same tree under sanitizers, in build/address-undefined/
#   make CC=clang WERROR=1         another compiler, warnings as errors
#   make V=1                       show the commands

VERSION := 0.1.0
PREFIX  ?= /usr/local
DESTDIR ?=
CFLAGS  ?= -O2 -g
V       ?= 0
WERROR  ?= 0
SAN     ?=
LD      ?= ld
OBJCOPY ?= objcopy

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

comma   := ,
cc_name := $(notdir $(firstword $(CC)))
variant := $(cc_name)$(if $(SAN),-$(subst $(comma),-,$(SAN)))
OBJ     := build/obj/$(variant)
# The plain build is what users look for in build/bin; any other variant keeps its own folder.
out     := build$(if $(SAN),/$(subst $(comma),-,$(SAN)))
BIN     := $(out)/bin
LIBDIR  := $(out)/lib
TESTBIN := $(out)/tests

Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-5s %s\n' '$(1)' '$(2)')

warnings := -Wall -Wextra -Wshadow -Wconversion -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla \
            -Wcast-qual -Wwrite-strings -Wpointer-arith -Wnull-dereference -Wimplicit-fallthrough
warnings += $(if $(filter 1,$(WERROR)),-Werror)
hardening := -fstack-protector-strong -fstack-clash-protection -fPIE
ifeq ($(shell uname -m),x86_64)
hardening += -fcf-protection
endif
# Fortify needs optimisation, and sanitizers intercept the same calls.
hardening += $(if $(SAN),,$(if $(filter -O0,$(CFLAGS)),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3))
sanitize  := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all)

project_cppflags := -I. -Irelay -Ibackend-client/include -D_GNU_SOURCE -DAGENT_RELAY_VERSION='"$(VERSION)"'
project_cflags   := -std=c11 -fvisibility=hidden $(warnings) $(hardening) $(sanitize)
project_ldflags  := -pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,--as-needed $(sanitize)

pkg_cflags = $(shell pkg-config --cflags libuv 2>/dev/null)
uv_libs    = $(shell pkg-config --libs libuv 2>/dev/null || echo -luv)
# What libagentrelay needs; libcurl is loaded when a client first has a health address.
library_libs = $(uv_libs) -lm -lpthread

# ---- what there is to build --------------------------------------------------------------------------------------
# A module is a folder that becomes one archive:  MODULES += x   x_SRC := ...
# A program:                                      PROGRAMS += p  p_SRC := ...  p_LIBS := modules, users first  p_LDLIBS := -l...
# A folder of unit tests (cmocka):                TEST_FOLDERS += f  f_TEST_LIBS := modules  f_TEST_LDLIBS := -l...
#   Each tests/unit/f/test_x.c is a program, and counts as a test because it is there; the folder's other files are the
#   archive fixture/f, which is linked first.
# A test program that lives elsewhere:            UNIT_TESTS += t, with the variables of a program
# A fuzz target (LLVMFuzzerTestOneInput):         FUZZERS += f
# A program only tests and benches use:           TEST_PROGRAMS += p
MODULES       :=
PROGRAMS      :=
TEST_FOLDERS  :=
UNIT_TESTS    :=
FUZZERS       :=
TEST_PROGRAMS :=
# The same for benches alone:                      BENCH_PROGRAMS += p
BENCH_PROGRAMS :=
# A file for Node's test runner:                  NODE_TESTS += tests/integration/x.test.mjs
NODE_TESTS    :=
# Examples of the client library, built as a user would build them, against LIBDIR:  EXAMPLES += folder/x.c, or x.cpp
EXAMPLES      :=
# Scripts that look at the tree itself, and at the objects in OBJ.
CHECKS        := scripts/check-includes scripts/check-circles
export OBJ
# $(1) a folder of tests/unit: the names of its programs, and those as files
unit_tests    = $(patsubst tests/%.c,%,$(wildcard tests/unit/$(1)/test_*.c))
unit_programs = $(patsubst %,$(TESTBIN)/%,$(call unit_tests,$(1)))
include $(wildcard relay/*/module.mk relay/module.mk mock/module.mk backend-client/*/module.mk tests/*/module.mk)

define unit_test_variables
$(1)_SRC    := tests/$(1).c
$(1)_LIBS   := fixture/$(2) $($(2)_TEST_LIBS)
$(1)_LDLIBS := $($(2)_TEST_LDLIBS)
endef
define test_folder
MODULES          += fixture/$(1)
fixture/$(1)_SRC := $(filter-out tests/unit/$(1)/test_%,$(wildcard tests/unit/$(1)/*.c))
UNIT_TESTS       += $(call unit_tests,$(1))
$(foreach t,$(call unit_tests,$(1)),$(call unit_test_variables,$(t),$(1))
)
endef
$(foreach f,$(TEST_FOLDERS),$(eval $(call test_folder,$(f))))

objects = $(patsubst %.c,$(OBJ)/%.o,$(1))
archive = $(patsubst %,$(OBJ)/lib/%.a,$(1))

all: $(PROGRAMS:%=$(BIN)/%) library

$(OBJ)/%.o: %.c Makefile
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(project_cppflags) $(CPPFLAGS) $(pkg_cflags) $(project_cflags) $(CFLAGS) $($*_CFLAGS) -MMD -MP -c $< -o $@

define module_rule
$(OBJ)/lib/$(1).a: $(call objects,$($(1)_SRC))
	$$(call say,AR,$$@)
	@mkdir -p $$(@D)
	@rm -f $$@
	$(Q)$$(AR) rcs $$@ $$^
endef
$(foreach m,$(MODULES),$(eval $(call module_rule,$(m))))

# $(1) name, $(2) folder, $(3) libraries beside its own
define program_rule
$(2)/$(1): $(call objects,$($(1)_SRC)) $(call archive,$($(1)_LIBS))
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$(Q)$$(CC) $(project_ldflags) $(LDFLAGS) -o $$@ $$+ $($(1)_LDLIBS) $(3)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rule,$(p),$(BIN),)))
$(foreach p,$(TEST_PROGRAMS),$(eval $(call program_rule,$(p),$(TESTBIN),)))
$(foreach p,$(BENCH_PROGRAMS),$(eval $(call program_rule,$(p),$(TESTBIN),)))
$(foreach t,$(UNIT_TESTS),$(eval $(call program_rule,$(t),$(TESTBIN),-lcmocka)))

# ---- the client library ------------------------------------------------------------------------------------------
# Its objects and those of the modules it stands on, position independent, become one relocatable object in which every
# symbol but ar_* is local: -fvisibility=hidden alone does not reach into a static library. Both libraries are made of it.
# nodelete: a thread that looks up a name may outlive its client, and a host's dlclose.
# Asserts are for our tests, which link the archives: in a host the library does not abort.
SONAME      := libagentrelay.so.0
library_src  = $(foreach m,agentrelay $(agentrelay_LIBS),$($(m)_SRC))
library_cflags = $(filter-out -fPIE,$(project_cflags)) -fPIC $(if $(SAN),,-DNDEBUG)
library_obj  = $(patsubst %.c,$(OBJ)/pic/%.o,$(patsubst $(OBJ)/%,%,$(library_src)))

$(OBJ)/pic/%.o: %.c Makefile
	$(call say,CC,$< (pic))
	@mkdir -p $(@D)
	$(Q)$(CC) $(project_cppflags) $(CPPFLAGS) $(pkg_cflags) $(library_cflags) $(CFLAGS) -MMD -MP -c $< -o $@
$(OBJ)/pic/%.o: $(OBJ)/%.c Makefile
	$(call say,CC,$< (pic))
	@mkdir -p $(@D)
	$(Q)$(CC) $(project_cppflags) $(CPPFLAGS) $(pkg_cflags) $(library_cflags) $(CFLAGS) -MMD -MP -c $< -o $@

$(OBJ)/agentrelay.o: $(library_obj)
	$(call say,LD,$@)
	$(Q)$(LD) -r -o $@ $^
	$(Q)$(OBJCOPY) --wildcard --keep-global-symbol='ar_*' $@

$(LIBDIR)/libagentrelay.a: $(OBJ)/agentrelay.o
	$(call say,AR,$@)
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(LIBDIR)/$(SONAME): $(OBJ)/agentrelay.o
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -shared -Wl,-soname,$(SONAME) -Wl,-z,nodelete $(filter-out -pie,$(project_ldflags)) $(LDFLAGS) -o $@ $^ $(library_libs)
	@ln -sf $(SONAME) $(LIBDIR)/libagentrelay.so

library: $(LIBDIR)/libagentrelay.a $(LIBDIR)/$(SONAME)

# What an example needs is what a user's program needs: the header and the library, nothing of the tree.
define example_rule
$(TESTBIN)/$(notdir $(1:.c=)): $(1) $(LIBDIR)/libagentrelay.a
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$(Q)$$(CC) -Ibackend-client/include $$(pkg_cflags) $$(warnings) $$(sanitize) $$(CFLAGS) -o $$@ $$< \
	  $$(LIBDIR)/libagentrelay.a $$(LDFLAGS) $$(library_libs)
endef
define cpp_example_rule
$(TESTBIN)/$(notdir $(1:.cpp=)): $(1) backend-client/include/agent_relay.h $(LIBDIR)/libagentrelay.a
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$(Q)$$(CXX) -std=c++11 -Ibackend-client/include $$(cpp_warnings) $$(sanitize) $$(CXXFLAGS) -o $$@ $$< \
	  $$(LIBDIR)/libagentrelay.a $$(LDFLAGS) $$(library_libs)
endef
cpp_warnings := -Wall -Wextra -Wpedantic -Wconversion -Wold-style-cast $(if $(filter 1,$(WERROR)),-Werror)
$(foreach e,$(filter %.c,$(EXAMPLES)),$(eval $(call example_rule,$(e))))
$(foreach e,$(filter %.cpp,$(EXAMPLES)),$(eval $(call cpp_example_rule,$(e))))

-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)

# Fuzz targets: libFuzzer when built with clang and -fsanitize=fuzzer-no-link, else a program that replays a corpus.
fuzz_engine := $(if $(findstring fuzzer,$(SAN)),-fsanitize=fuzzer,)
fuzz_main   := $(if $(fuzz_engine),,tests/fuzz/replay.c)
$(foreach f,$(FUZZERS),$(eval $(f)_SRC += $(fuzz_main)))
$(foreach f,$(FUZZERS),$(eval $(call program_rule,$(f),$(TESTBIN),$(fuzz_engine))))

example_bins := $(addprefix $(TESTBIN)/,$(basename $(notdir $(EXAMPLES))))
tests-built: $(UNIT_TESTS:%=$(TESTBIN)/%) $(TEST_PROGRAMS:%=$(TESTBIN)/%) $(FUZZERS:%=$(TESTBIN)/%) $(example_bins)
bench-built: $(BENCH_PROGRAMS:%=$(TESTBIN)/%)
fuzz-built: $(FUZZERS:%=$(TESTBIN)/%)

# For scripts/check-includes: every source file that some list names.
listed-sources:
	@echo $(foreach n,$(MODULES) $(PROGRAMS) $(UNIT_TESTS) $(FUZZERS) $(TEST_PROGRAMS) $(BENCH_PROGRAMS),$($(n)_SRC)) $(filter %.c,$(EXAMPLES)) tests/fuzz/replay.c

# ---- using it ----------------------------------------------------------------------------------------------------

deps-build deps-test deps-fuzz deps-tidy deps-bench: deps-%:
	$(Q)scripts/deps $*

# Dependencies first, then everything else: a fresh machine has no compiler yet.
run: deps-build
	$(Q)$(MAKE) --no-print-directory all
	exec $(BIN)/agent-relay serve $(ARGS)

# ---- tests -------------------------------------------------------------------------------------------------------

node_modules := tests/node_modules/.package-lock.json
$(node_modules): tests/package.json tests/package-lock.json
	$(call say,NPM,tests)
	$(Q)cd tests && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

test: deps-test
	$(Q)$(MAKE) --no-print-directory all tests-built $(node_modules)
	$(Q)tests/run --bin $(BIN) --tests $(TESTBIN) --check $(CHECKS) --unit $(UNIT_TESTS) --fuzz $(FUZZERS) --node $(NODE_TESTS)

test-unit: all tests-built
	$(Q)tests/run --bin $(BIN) --tests $(TESTBIN) --check $(CHECKS) --unit $(UNIT_TESTS) --fuzz $(FUZZERS)

test-integration: all tests-built $(node_modules)
	$(Q)tests/run --bin $(BIN) --tests $(TESTBIN) --node $(NODE_TESTS)

# The whole suite again, with every program under AddressSanitizer and UndefinedBehaviorSanitizer.
test-san: deps-test
	$(Q)$(MAKE) --no-print-directory SAN=address,undefined CFLAGS='-O1 -g' all tests-built $(node_modules)
	$(Q)TEST_TIME_SCALE=4 UBSAN_OPTIONS=print_stacktrace=1 \
	  tests/run --bin build/address-undefined/bin --tests build/address-undefined/tests --unit $(UNIT_TESTS) \
	  --fuzz $(FUZZERS) --node $(NODE_TESTS)

# What has threads (the library and its shell) under ThreadSanitizer. STORM_SECONDS=600 STORM_DISCONNECTS=200 for the long storm.
tsan_tests := $(call unit_tests,backend-client/api) $(call unit_tests,backend-client/link) \
              unit/backend-client/agents/test_snapshot unit/backend-client/service/test_hub
test-tsan: deps-test $(node_modules)
	$(Q)$(MAKE) --no-print-directory SAN=thread CFLAGS='-O1 -g' \
	  $(tsan_tests:%=build/thread/tests/%) build/thread/tests/client_storm
	$(Q)TEST_TIME_SCALE=4 TSAN_OPTIONS=halt_on_error=1 tests/run --bin build/thread/bin --tests build/thread/tests \
	  --unit $(tsan_tests) --node tests/faults/client_storm.test.mjs

# How soon clients are live again after outages of 5 s, 30 s and 120 s, twenty of each: about seven minutes.
test-return: deps-test
	$(Q)$(MAKE) --no-print-directory all tests-built $(node_modules)
	$(Q)RETURN_LONG=1 tests/run --bin $(BIN) --tests $(TESTBIN) --node tests/faults/return.test.mjs

# The real images on a real network: needs a Docker engine.
test-compose: deps-test
	$(Q)tests/compose/run

# Each fuzz target for FUZZ_SECONDS, from the committed corpus; what it finds new goes to build/fuzz.
FUZZ_SECONDS ?= 600
fuzz_san     := fuzzer-no-link,address,undefined
fuzz: deps-fuzz
	$(Q)$(MAKE) --no-print-directory CC=clang SAN=$(fuzz_san) CFLAGS='-O1 -g' fuzz-built
	$(Q)tests/fuzz/run $(subst $(comma),-,build/$(fuzz_san))/tests $(FUZZ_SECONDS) $(FUZZERS)

soak: deps-test
	$(Q)$(MAKE) --no-print-directory all tests-built $(node_modules)
	$(Q)SOAK_SECONDS=$(or $(SOAK_SECONDS),600) tests/run --bin $(BIN) --tests $(TESTBIN) --node tests/integration/soak.test.mjs

bench: deps-bench
	$(Q)$(MAKE) --no-print-directory all tests-built bench-built
	$(Q)node tests/bench/run.mjs $(ARGS)

# ---- keeping it well ---------------------------------------------------------------------------------------------

sources = $(shell git ls-files '*.c' '*.h')

format: deps-tidy
	clang-format -i $(sources)

tidy: deps-tidy
	$(Q)clang-format --dry-run --Werror $(sources)
	@# One process per file: the analyzer's va_list checker carries state from one file to the next.
	$(Q)printf '%s\n' $(filter %.c,$(sources)) | \
	  xargs -P "$$(nproc)" -I{} clang-tidy --quiet {} -- $(project_cppflags) $(pkg_cflags) -std=c11

# ---- installing --------------------------------------------------------------------------------------------------

bindir     := $(DESTDIR)$(PREFIX)/bin
libdir     := $(DESTDIR)$(PREFIX)/lib
includedir := $(DESTDIR)$(PREFIX)/include
libexecdir := $(DESTDIR)$(PREFIX)/libexec/agent-relay
docdir     := $(DESTDIR)$(PREFIX)/share/doc/agent-relay
mandir     := $(DESTDIR)$(PREFIX)/share/man/man1
compdir    := $(DESTDIR)$(PREFIX)/share/bash-completion/completions

install: all
	install -d '$(bindir)' '$(libdir)/pkgconfig' '$(includedir)' '$(libexecdir)' '$(docdir)' '$(mandir)' '$(compdir)'
	install -m 0755 $(addprefix $(BIN)/,agent-relay agent-mock agent-relayctl agent-backend) '$(bindir)'
	install -m 0755 $(BIN)/agent-relay-keeper '$(libexecdir)'
	install -m 0644 $(LIBDIR)/libagentrelay.a '$(libdir)'
	install -m 0755 $(LIBDIR)/$(SONAME) '$(libdir)'
	ln -sf $(SONAME) '$(libdir)/libagentrelay.so'
	install -m 0644 backend-client/include/agent_relay.h '$(includedir)'
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' backend-client/agentrelay.pc.in \
	  >'$(libdir)/pkgconfig/agentrelay.pc'
	install -m 0644 backend-client/cli/agent-relayctl.1 '$(mandir)'
	install -m 0644 backend-client/cli/agent-relayctl.bash '$(compdir)/agent-relayctl'
	install -m 0644 README.md LICENSE '$(docdir)'

uninstall:
	rm -f $(foreach p,agent-relay agent-mock agent-relayctl agent-backend,'$(bindir)/$(p)') '$(libexecdir)/agent-relay-keeper'
	rm -f '$(libdir)/libagentrelay.a' '$(libdir)/libagentrelay.so' '$(libdir)/$(SONAME)' '$(libdir)/pkgconfig/agentrelay.pc'
	rm -f '$(includedir)/agent_relay.h' '$(mandir)/agent-relayctl.1' '$(compdir)/agent-relayctl'
	rm -f '$(docdir)/README.md' '$(docdir)/LICENSE'
	-rmdir '$(libexecdir)' '$(docdir)'

clean:
	rm -rf build

help:
	@echo 'make                 build everything into build/bin'
	@echo 'make run             install what is missing, build, start the relay on 127.0.0.1:9500 with the mock child'
	@echo '                     ARGS="--log-level debug" hands on flags'
	@echo 'make test            install what is missing, build, run every test that needs no Docker'
	@echo 'make test-unit       the C tests alone        make test-integration   the Node tests alone'
	@echo 'make test-san        the tests under ASan and UBSan'
	@echo 'make test-tsan       the client library under ThreadSanitizer'
	@echo 'make test-compose    the real images on a real network; needs a Docker engine'
	@echo 'make soak            ten minutes of churn (SOAK_SECONDS=600)'
	@echo 'make fuzz            each fuzz target for ten minutes (FUZZ_SECONDS=600)'
	@echo 'make bench           this relay and its peers side by side, as ratios'
	@echo 'make tidy            clang-format (check) and clang-tidy       make format   clang-format in place'
	@echo 'make install         into PREFIX (/usr/local), under DESTDIR   make uninstall'
	@echo 'make clean'

.PHONY: all run test test-unit test-integration test-san test-tsan test-return test-compose fuzz soak bench format tidy install uninstall clean help \
        tests-built fuzz-built bench-built library listed-sources deps-build deps-test deps-fuzz deps-tidy deps-bench
