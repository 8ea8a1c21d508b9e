# Builds, tests and installs polytomic for Lua. `make help` lists the targets.
#
# LUA_VERSION chooses the Lua: 5.4 (default), 5.5, 5.3, 5.2, 5.1 or jit. `make test-all` without it
# takes those of TEST_LUAS.

LUAS := 5.5 5.4 5.3 5.2 5.1 jit
TEST_LUAS := $(if $(filter undefined,$(origin LUA_VERSION)),5.4 5.3 5.1 jit,$(LUA_VERSION))
LUA_VERSION ?= 5.4
ifeq ($(filter $(LUA_VERSION),$(LUAS)),)
$(error LUA_VERSION must be one of: $(LUAS))
endif

# ---- settings, each can be given on the command line ----

CC = cc
CFLAGS = -O2 -g
PKG_CONFIG = pkg-config
PREFIX = /usr/local
DESTDIR =
BUILD = build
LUA = $(if $(filter jit,$(LUA_VERSION)),luajit,lua$(LUA_VERSION))
LUA_PC = $(if $(filter jit,$(LUA_VERSION)),luajit,lua$(LUA_VERSION))
FUZZ_SECONDS = 20

# ---- flags ----

WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wcast-qual -Wstrict-prototypes \
  -Wmissing-prototypes -Wundef
ifneq ($(filter true 1,$(CI) $(WERROR)),)
WARNINGS += -Werror
endif
LANGUAGE = -std=c11 -D_GNU_SOURCE -fPIC -pthread -Icsrc
# pkg-config is asked once, when the first file is compiled: what it knows may be installed by this
# very run.
LUA_CFLAGS = $(eval LUA_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(LUA_PC)))$(LUA_CFLAGS)
CURL_CFLAGS = $(eval CURL_CFLAGS := $(shell $(PKG_CONFIG) --cflags libcurl))$(CURL_CFLAGS)
CURL_LIBS = $(eval CURL_LIBS := $(shell $(PKG_CONFIG) --libs libcurl))$(CURL_LIBS)
COMPILE = $(CC) $(LANGUAGE) $(WARNINGS) $(CFLAGS) $(CPPFLAGS) -MMD -MP
LINK = $(CC) -shared -pthread $(CFLAGS) $(LDFLAGS)
# Before a command: a few words in its place, nothing with `make -s`, all of it with `make V=1`.
IS_SILENT = $(findstring s,$(filter-out --%,$(firstword -$(MAKEFLAGS))))
said = $(if $(V),,@$(if $(IS_SILENT),,echo '  $1';))

# ---- files ----

OUT := $(BUILD)/$(LUA_VERSION)
CORE := $(OUT)/polytomic/core.so
TESTING := $(OUT)/polytomic/testing.so
TESTING_CORE := $(OUT)/testing-core/polytomic/core.so
# What knows no Lua is compiled once for all of them. Two of these are others in a test build.
PLAIN := $(BUILD)/plain
PLAIN_SOURCES := $(wildcard csrc/base/*.c csrc/http/*.c csrc/api/*.c)
PLAIN_OBJECTS := $(PLAIN_SOURCES:csrc/%.c=$(PLAIN)/%.o)
OTHER_IN_TESTS := base/memory.o http/libcurl.o
TESTING_OBJECTS := $(filter-out $(addprefix $(PLAIN)/,$(OTHER_IN_TESTS)),$(PLAIN_OBJECTS)) \
  $(addprefix $(PLAIN)/testing/,$(OTHER_IN_TESTS)) $(OUT)/testing/testing_memory.o
LUA_OBJECTS := $(patsubst csrc/%.c,$(OUT)/%.o,$(wildcard csrc/lua/*.c))
FUZZERS := $(patsubst csrc/fuzz/fuzz_%.c,%,$(wildcard csrc/fuzz/fuzz_*.c))
C_FILES := $(filter-out csrc/api/operations_data.c, \
  $(wildcard csrc/*/*.[ch] spec/support/*.[ch] bench/*.c examples/embed/*.c))
LUA_FILES := $(shell find lua/polytomic -name '*.lua' | LC_ALL=C sort)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.PHONY: all testing demo test test-all check layers install uninstall clean dist catalogue bench \
  torture torture-programs torture-provisioning fuzz sanitize valgrind coverage format help needs

# ---- building ----

all: $(CORE) ## builds the library for LUA_VERSION into build/

testing: $(TESTING) $(TESTING_CORE) ## builds polytomic.testing, the core's pure functions for specs

$(CORE): $(PLAIN_OBJECTS) $(LUA_OBJECTS)
	@mkdir -p $(@D)
	$(call said,LD $@)$(LINK) -o $@ $^ $(CURL_LIBS) -lm

$(TESTING): $(OUT)/testing/testing.o $(TESTING_OBJECTS) $(OUT)/lua/array.o $(OUT)/lua/json.o
	@mkdir -p $(@D)
	$(call said,LD $@)$(LINK) -o $@ $^ $(CURL_LIBS) -lm

# The library itself, able to run out of memory on demand; the same file is the module
# polytomic.memory.
$(TESTING_CORE): $(TESTING_OBJECTS) $(LUA_OBJECTS)
	@mkdir -p $(@D)
	$(call said,LD $@)$(LINK) -o $@ $^ $(CURL_LIBS) -lm
	@ln -sf core.so $(@D)/memory.so

$(PLAIN)/%.o: csrc/%.c | needs
	@mkdir -p $(@D)
	$(call said,CC $<)$(COMPILE) $(CURL_CFLAGS) -c -o $@ $<

$(PLAIN)/testing/%.o: csrc/%.c | needs
	@mkdir -p $(@D)
	$(call said,CC $<)$(COMPILE) -DPT_TESTING $(CURL_CFLAGS) -c -o $@ $<

$(OUT)/lua/%.o: csrc/lua/%.c | needs
	@mkdir -p $(@D)
	$(call said,CC $<)$(COMPILE) $(LUA_CFLAGS) $(CURL_CFLAGS) -c -o $@ $<

$(OUT)/testing/%.o: spec/support/%.c | needs
	@mkdir -p $(@D)
	$(call said,CC $<)$(COMPILE) -DPT_TESTING $(LUA_CFLAGS) $(CURL_CFLAGS) -c -o $@ $<

needs:
	@$(PKG_CONFIG) --print-errors --exists $(LUA_PC) libcurl

-include $(wildcard $(addsuffix /*.d,$(OUT)/* $(PLAIN)/* $(PLAIN)/testing/* $(BUILD)/fuzz \
  $(BUILD)/fuzz/*))

# ---- trying and testing ----

demo: ## builds, starts the sandbox and walks through the API
	@.ci/ensure-packages demo $(LUA_VERSION)
	@$(MAKE) --no-print-directory -s all
	@.ci/with-lua $(BUILD) $(LUA_VERSION) $(LUA) examples/demo.lua

test: ## runs the specs on LUA_VERSION, without hosts that are missing; SPECS chooses files
	@.ci/ensure-packages test $(LUA_VERSION)
	@$(BUILD_FOR_SPECS)
	@QUICK=yes .ci/test $(BUILD) $(LUA_VERSION) $(SPECS)

test-all: ## runs every spec in every host, on four Luas or on LUA_VERSION
	@.ci/ensure-packages test-all "$(TEST_LUAS)"
	@for version in $(TEST_LUAS); do $(BUILD_FOR_SPECS) LUA_VERSION=$$version || exit 1; done
	@.ci/test $(BUILD) "$(TEST_LUAS)" $(SPECS)

BUILD_FOR_SPECS = $(MAKE) --no-print-directory -s -j$$(nproc) all testing

check: ## luacheck, clang-format, cppcheck, fresh generated files, gcc and clang without a warning
	@.ci/ensure-packages check
	luacheck -q lua spec examples bench csrc rockspec .busted .luacheckrc
	clang-format --dry-run -Werror $(C_FILES)
	lua5.4 csrc/catalogue/generate.lua --check
	@$(MAKE) --no-print-directory -s layers
	@! grep -nE '\<(strerror|gmtime|localtime|strtok|rand)\(' csrc/*/*.c || \
	  { echo "not safe in threads; see csrc/base/system_error.h"; false; }
	cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
	  --suppress=ctunullpointer --error-exitcode=1 -Icsrc csrc
	@for compiler in gcc clang; do for version in 5.4 5.1; do \
	  echo "$$compiler for $$version, warnings are errors"; \
	  $(MAKE) --no-print-directory -s WERROR=1 CC=$$compiler BUILD=$(BUILD)/$$compiler \
	    LUA_VERSION=$$version all testing || exit 1; \
	done; done
	@echo "as on a system without epoll and SSE2, warnings are errors"
	@$(MAKE) --no-print-directory -s WERROR=1 CPPFLAGS="-DPT_NO_EPOLL -DPT_JSON_WORDS" \
	  BUILD=$(BUILD)/no-epoll all testing
	@.ci/with-lua $(BUILD)/no-epoll $(LUA_VERSION) $(LUA) $$(command -v busted) -o plainTerminal \
	  spec/json_reader_spec.lua

# The storeys above each: what its files must not include.
ABOVE_base = http|api|lua
ABOVE_http = api|lua
ABOVE_api = lua

layers: ## no include runs up a storey, curl.h is included in http alone, lua.h in lua alone
	@! grep -nE '#include "($(ABOVE_base))/' csrc/base/*.[ch] || \
	  { echo "csrc/base knows nobody"; false; }
	@! grep -nE '#include "($(ABOVE_http))/' csrc/http/*.[ch] || \
	  { echo "csrc/http knows base alone"; false; }
	@! grep -nE '#include "($(ABOVE_api))/' csrc/api/*.[ch] || \
	  { echo "csrc/api knows base and http"; false; }
	@! grep -nE '#include [<"](curl|lua|lauxlib|lualib)' csrc/base/*.[ch] csrc/api/*.[ch]
	@! grep -nE '#include [<"](lua|lauxlib|lualib)[^/]' csrc/http/*.[ch]
	@! grep -nE '#include [<"]curl' csrc/lua/*.[ch]

BENCH = instructions list_users concurrency storm report

bench: ## measures calls, lists, storms; writes docs/performance.md; BENCH chooses
	@.ci/ensure-packages bench $(LUA_VERSION)
	@$(MAKE) --no-print-directory -s all
	@for name in $(BENCH); do echo "== $$name"; \
	  .ci/with-lua $(BUILD) $(LUA_VERSION) $(LUA) bench/$$name.lua || exit 1; done

torture: torture-programs torture-provisioning ## both

# PROGRAMS (3000) in at most SECONDS (600), from SEED.
torture-programs: ## runs random programs that close, collect and raise wherever Lua runs
	@.ci/ensure-packages test $(LUA_VERSION)
	@$(BUILD_FOR_SPECS)
	@.ci/with-lua $(BUILD) $(LUA_VERSION) $(LUA) spec/torture/run.lua

torture-provisioning: ## provisioning under 200 kills -9 and a fifth of all requests spoiled
	@.ci/ensure-packages test-all $(LUA_VERSION)
	@$(MAKE) --no-print-directory -s all
	@.ci/with-lua $(BUILD) $(LUA_VERSION) $(LUA) bench/torture.lua

fuzz: ## runs each fuzz target for FUZZ_SECONDS, as many at once as there are processors
	@.ci/ensure-packages check
	@$(MAKE) --no-print-directory -s $(FUZZERS:%=$(BUILD)/fuzz/%)
	@$(MAKE) --no-print-directory -s -j$$(nproc) $(FUZZERS:%=fuzz-%)

fuzz-%:
	@mkdir -p $(BUILD)/fuzz/found/$*
	@if $(BUILD)/fuzz/$* -max_total_time=$(FUZZ_SECONDS) -timeout=10 -print_final_stats=1 \
	  -artifact_prefix=$(BUILD)/fuzz/$*- $(BUILD)/fuzz/found/$* csrc/fuzz/corpus/$* \
	  >$(BUILD)/fuzz/$*.log 2>&1; \
	then inputs=$$(sed -n 's/^stat::number_of_executed_units: *//p' $(BUILD)/fuzz/$*.log); \
	echo "$*: $$inputs inputs in $(FUZZ_SECONDS) s"; \
	else tail -n 40 $(BUILD)/fuzz/$*.log; exit 1; fi

FUZZ_FLAGS = $(LANGUAGE) -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined \
  -MMD -MP

$(BUILD)/fuzz/%: $(BUILD)/fuzz/fuzz_%.o $(BUILD)/fuzz/plain.a
	clang $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $^ $(CURL_LIBS) \
	  $(shell $(PKG_CONFIG) --libs $(LUA_PC)) -lm

# Of the binding, what reads a reply and what writes a request.
FUZZED = $(PLAIN_SOURCES) $(patsubst %,csrc/lua/%.c,arguments array handle json request writer)

$(BUILD)/fuzz/plain.a: $(FUZZED:csrc/%.c=$(BUILD)/fuzz/%.o)
	@rm -f $@
	@$(AR) rcs $@ $^

.PRECIOUS: $(BUILD)/fuzz/%.o
$(BUILD)/fuzz/%.o: csrc/fuzz/%.c
	@mkdir -p $(@D)
	clang $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link $(LUA_CFLAGS) $(CURL_CFLAGS) -c -o $@ $<

$(BUILD)/fuzz/%.o: csrc/%.c
	@mkdir -p $(@D)
	clang $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link $(LUA_CFLAGS) $(CURL_CFLAGS) -c -o $@ $<

SANITIZERS = -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer

sanitize: ## runs the specs with Address- and UndefinedBehaviorSanitizer; SPECS chooses files
	@.ci/ensure-packages test $(LUA_VERSION)
	@$(BUILD_FOR_SPECS) CC=gcc BUILD=$(BUILD)/asan CFLAGS="-O1 -g $(SANITIZERS)"
	@PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
	  ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 \
	  .ci/test $(BUILD)/asan $(LUA_VERSION) $(SPECS)

valgrind: ## runs chosen specs under valgrind's memory checker; SPECS chooses others
	@.ci/ensure-packages check $(LUA_VERSION)
	@$(BUILD_FOR_SPECS)
	@LIMIT=1200 WRAPPER="valgrind --quiet --error-exitcode=99 --leak-check=full \
	    --errors-for-leak-kinds=definite --show-leak-kinds=definite" \
	  .ci/test $(BUILD) $(LUA_VERSION) $(or $(SPECS),$(VALGRIND_SPECS))

VALGRIND_SPECS = $(addprefix spec/,url_spec.lua headers_spec.lua \
  json_writer_spec.lua retry_after_spec.lua retry_spec.lua secret_spec.lua client_spec.lua \
  options_spec.lua arguments_spec.lua results_spec.lua)

coverage: ## runs the specs with gcov; prints the lines run per file, leaves build/coverage/*.gcov
	@.ci/ensure-packages test $(LUA_VERSION)
	@$(BUILD_FOR_SPECS) CC=gcc BUILD=$(BUILD)/coverage CFLAGS="-O0 -g --coverage"
	@find $(BUILD)/coverage -name '*.gcda' -delete
	@.ci/test $(BUILD)/coverage $(LUA_VERSION) $(SPECS)
	@cd $(BUILD)/coverage && gcov --source-prefix $(CURDIR) --preserve-paths \
	    $$(find . -name '*.gcda') >summary 2>/dev/null; \
	  awk -F"'" '/^File/ { file = $$2 } \
	    /^Lines executed/ { if (file ~ /^csrc.*[.]c$$/) print file ": " $$0; file = "" }' \
	    summary | sort -u

format: ## lays out the C files; luacheck and clang-format hold what it does in make check
	clang-format -i $(C_FILES)

catalogue: ## writes what is generated: from csrc/catalogue, and the lists of files in the rockspec
	lua5.4 csrc/catalogue/generate.lua
	.ci/update-rockspec

# ---- installing ----

ABI := $(if $(filter jit,$(LUA_VERSION)),5.1,$(LUA_VERSION))
SHARE = $(DESTDIR)$(PREFIX)/share/lua/$(ABI)
LIB = $(DESTDIR)$(PREFIX)/lib/lua/$(ABI)
BIN = $(DESTDIR)$(PREFIX)/bin

# What every Lua shares: types, reference, completion.
DATA = $(DESTDIR)$(PREFIX)/share
BASH_COMPLETION = $(DATA)/bash-completion/completions/polytomic
ZSH_COMPLETION = $(DATA)/zsh/site-functions/_polytomic
FISH_COMPLETION = $(DATA)/fish/vendor_completions.d/polytomic.fish
SHARED = $(addprefix $(DATA)/polytomic/,$(wildcard library/*.lua)) \
  $(DATA)/doc/polytomic/operations.md \
  $(BASH_COMPLETION) $(ZSH_COMPLETION) $(FISH_COMPLETION)
VERSION = $(shell sed -n 's/^return "\(.*\)"/\1/p' lua/polytomic/version.lua)

# What a version has installed, so that the next one and uninstall know it.
INSTALLED = $(SHARE)/polytomic/.installed
REMOVE_MODULES = if [ -f $(INSTALLED) ]; then (cd $(SHARE) && xargs rm -f) <$(INSTALLED); fi

install: all ## installs modules, command, types and completion under $(DESTDIR)$(PREFIX)
	@$(REMOVE_MODULES)
	@for file in $(LUA_FILES:lua/%=%); do install -D -m 644 lua/$$file $(SHARE)/$$file || exit 1; done
	@printf '%s\n' $(LUA_FILES:lua/%=%) polytomic/.installed >$(INSTALLED)
	@chmod 644 $(INSTALLED)
	@install -D -m 755 $(CORE) $(LIB)/polytomic/core.so
	@install -d -m 755 $(BIN) $(dir $(BASH_COMPLETION) $(ZSH_COMPLETION) $(FISH_COMPLETION))
	@sed '1s|.*|#!/usr/bin/env $(LUA)|' lua/bin/polytomic >$(BIN)/polytomic
	@chmod 755 $(BIN)/polytomic
	@install -d -m 755 $(DATA)/polytomic/library
	@install -m 644 library/*.lua $(DATA)/polytomic/library
	@install -D -m 644 docs/operations.md $(DATA)/doc/polytomic/operations.md
	@umask 022; if $(BIN)/polytomic completion bash >$(BASH_COMPLETION) 2>/dev/null; then \
	  $(BIN)/polytomic completion zsh >$(ZSH_COMPLETION) && \
	  $(BIN)/polytomic completion fish >$(FISH_COMPLETION); \
	else rm -f $(BASH_COMPLETION); echo "no completion: it needs argparse and lua-cjson"; fi
	@echo "installed $(BIN)/polytomic and its modules for $(LUA)"
	@case ":$$PATH:" in *":$(BIN):"*) ;; *) [ -n "$(DESTDIR)" ] || \
	  echo "put $(BIN) on the PATH: export PATH=$(BIN):\$$PATH" ;; esac
	@[ -n "$(DESTDIR)" ] || env -u LUA_PATH -u LUA_CPATH $(LUA) -e 'require "polytomic"' 2>/dev/null \
	  || printf '%s\n' "$(LUA) does not look there by itself; for scripts of your own:" \
	    "export LUA_PATH='$(SHARE)/?.lua;$(SHARE)/?/init.lua;;' LUA_CPATH='$(LIB)/?.so;;'"

# The command goes with the Lua it runs on; what all share, with the last of them.
uninstall: ## removes what install put there for LUA_VERSION
	@$(REMOVE_MODULES)
	@rm -f $(LIB)/polytomic/core.so
	@find $(SHARE)/polytomic $(LIB)/polytomic -depth -type d -empty -delete 2>/dev/null || true
	@if head -n 1 $(BIN)/polytomic 2>/dev/null | grep -q ' $(LUA)$$'; then rm -f $(BIN)/polytomic; fi
	@if ! ls $(DATA)/lua/*/polytomic/init.lua >/dev/null 2>&1; then \
	  rm -f $(SHARED); \
	  rmdir --ignore-fail-on-non-empty $(DATA)/polytomic/library $(DATA)/polytomic \
	    $(DATA)/doc/polytomic 2>/dev/null || true; fi
	@echo "removed polytomic for $(LUA) from $(DESTDIR)$(PREFIX)"

clean: ## removes build/ and what luarocks leaves in the tree
	rm -rf $(BUILD)
	rm -f csrc/*/*.o polytomic/core.so polytomic-*.rock
	@rmdir polytomic 2>/dev/null || true

dist: ## makes the tarball of the release: build/polytomic-VERSION.tar.gz
	@mkdir -p $(BUILD)
	git archive --format=tar.gz --prefix=polytomic-$(VERSION)/ \
	  -o $(BUILD)/polytomic-$(VERSION).tar.gz HEAD
	@echo "$(BUILD)/polytomic-$(VERSION).tar.gz"

help: ## lists the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 14
