# Builds, runs and tests the module with the installed nginx, or with one built
# from the nginx-src crate (NGINX=vendored). cargo does the building; what is
# here installs what is missing, prepares nginx's headers, and starts things.

NGINX ?= system
# nginx looks for the sockets of an upgrade in a variable of that name.
unexport NGINX
CARGO ?= cargo
JOBS ?= 4
TESTS ?= t/*.t
BUILD_DIR := $(or $(CARGO_TARGET_DIR),target)

# nginx is in /usr/sbin, which is not on everybody's path.
export PATH := $(PATH):/usr/sbin

ifeq ($(NGINX),vendored)
# A target directory of its own: the bindings differ.
export CARGO_TARGET_DIR := $(abspath $(BUILD_DIR)/vendored-build)
export NGINX_SOURCE_DIR := $(abspath target/nginx/vendored)
export NGINX_BUILD_DIR := $(NGINX_SOURCE_DIR)/objs
export NGINX_BINARY := $(NGINX_BUILD_DIR)/nginx
MODULE := $(CARGO_TARGET_DIR)/release/libngx_tcp_lua_module.so
PREPARE := scripts/nginx-vendored
PACKAGES := vendored
else ifeq ($(NGINX),system)
NGINX_BINARY ?= nginx
export NGINX_BINARY
MODULE := $(abspath $(BUILD_DIR)/release/libngx_tcp_lua_module.so)
PREPARE := scripts/nginx-headers
# Whoever names the source of an nginx needs none of Debian's.
PACKAGES := $(if $(NGINX_SRC),,system)
else
$(error NGINX is "system" or "vendored")
endif

export NGINX_TCP_LUA_MODULE := $(MODULE)
export TEST_NGINX_BINARY := $(NGINX_BINARY)
export TEST_NGINX_MODULE := $(MODULE)
# Patience for a machine that does other things, too; what passes is as quick.
export TEST_NGINX_TIMEOUT ?= 15
TOOLS = scripts/install-packages test peers
# What the tests run against and no package brings that can be installed.
FETCH = scripts/lua-nginx && scripts/nats-python && scripts/mariadb-plugin
PROVE = prove -It/lib -j$(JOBS) $(TESTS)

.NOTPARALLEL:
.PHONY: help run build install headers test prove unittest test-slow test-hup \
	test-valgrind test-configure check bench bench-instructions bench-nats \
	clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | \
		awk -F '\t' '{ printf "make %-20s %s\n", $$1, $$2 }'
	@echo
	@echo "NGINX=vendored make ...   with nginx built from the nginx-src crate"
	@echo "NGINX_BINARY=... NGINX_SRC=... make ...   with your nginx and its source"
	@echo "TESTS=t/001-echo.t JOBS=4 make test   some tests, more at once"

run: build ## an echo on port 6666, in the foreground (CONF=conf/.../nginx.conf PORT=N)
	@scripts/run $(CONF)

# The crate is a library of Rust's, too, for the examples in its documentation,
# and cargo optimises such a one by itself, without the crates that it uses.
build: headers ## the module: target/release/libngx_tcp_lua_module.so
	$(CARGO) rustc --release --lib --crate-type cdylib
	@echo "built $(MODULE)"

install: ## copy the built module to nginx's modules (DESTDIR=, MODULES_PATH=)
	@scripts/install

headers: ## what the build needs: packages, nginx's headers
	@command -v $(CARGO) >/dev/null || \
		{ echo "Rust is not there: install 1.88 or newer with rustup" >&2; exit 1; }
	@scripts/install-packages build $(PACKAGES)
	@$(PREPARE)

test: build unittest prove ## unit tests and all of t/

prove: build ## all of t/ (TESTS=, JOBS=)
	@$(TOOLS) $(if $(filter system,$(NGINX)),test-system)
	@$(FETCH)
	$(PROVE)

unittest: headers ## the tests of the Rust code
	$(CARGO) test

test-slow: build ## t/ with one byte a system call
	@$(TOOLS)
	@$(FETCH)
	TEST_SLOW=1 $(PROVE)

test-hup: build ## t/ with one nginx a file, which gets each block by reload
	@$(TOOLS)
	@$(FETCH)
	TEST_NGINX_USE_HUP=1 $(PROVE)

test-valgrind: build ## t/ under memcheck
	@$(TOOLS) valgrind
	@$(FETCH)
	TEST_NGINX_USE_VALGRIND=1 $(PROVE)

test-configure: ## nginx's own build of the module, by ./configure --add-dynamic-module
	@scripts/install-packages build vendored test
	@scripts/nginx-vendored
	@scripts/test-configure

check: headers ## format, clippy, luacheck, docs of each name
	@scripts/install-packages check
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings
	luacheck -q lua conf bench/jobs.lua bench/dict_jobs.lua bench/ours \
		bench/torture.d bench/dict.d bench/nats.d
	$(CARGO) test -q --test docs

bench: build ## speed beside other servers; bench/README.md
	@scripts/install-packages bench $(if $(filter system,$(NGINX)),bench-system)
	bench/run $(ARGS)
	$(if $(ARGS),,bench/dict)

bench-instructions: build ## instructions and system calls a request
	@scripts/install-packages bench bench-instructions \
		$(if $(filter system,$(NGINX)),bench-system)
	bench/instructions $(ARGS)

bench-nats: build ## speed of resty.nats beside nats-py and async-nats
	@scripts/install-packages bench-nats
	@scripts/nats-python
	bench/nats $(ARGS)

clean: ## remove all that was built
	rm -rf target $(BUILD_DIR) bench/load/target t/servroot-*
