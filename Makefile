# `make` lists what can be made.
BIND ?= 127.0.0.1:8080
PREFIX ?= /usr/local
CARGO ?= cargo
# Where scripts and examples look for what was built.
export CARGO_TARGET_DIR := $(CURDIR)/target

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
ABI := $(shell sed -n 's/^const ABI: u32 = \([0-9]*\);/\1/p' build.rs)
SO := libawsgi.so.$(ABI).$(subst $() ,.,$(wordlist 2,3,$(subst ., ,$(VERSION))))

# The C examples use the headers of this tree and the library beside the command.
EXAMPLES := $(MAKE) --no-print-directory --silent -C c-examples OUT=$(CURDIR)/target/examples \
	AWSGI_CFLAGS=-I$(CURDIR)/include AWSGI_HEADERS='$(wildcard $(CURDIR)/include/*.h)' \
	AWSGI_LIBS='-L$(CURDIR)/target/release -Wl,-rpath,$(CURDIR)/target/release -lawsgi'

help:
	@echo 'make serve                 build, and serve the demo application on http://127.0.0.1:8080'
	@echo '  BIND=ADDR:PORT           ... on another address'
	@echo 'make serve-evhttp          ... from a server in C on the evhttp of libevent'
	@echo 'make serve-mhd             ... from a server in C on libmicrohttpd;'
	@echo '                           of both, APP=LIBRARY CONFIG=... serves another application'
	@echo 'make test                  run everything that decides whether a change is good'
	@echo 'make test-deep             sanitizers, valgrind, the oldest compiler, long runs; ONLY=stage'
	@echo 'make soak                  simulate the core for long; OPS=1000000000 SEED=number SUBJECT=reactor'
	@echo 'make planted               plant bugs, which the simulation has to find; ONLY=name'
	@echo 'make fuzz                  look for calls of the C ABI that break its promises; SECONDS=60 SEED=number'
	@echo 'make bench                 measure, beside the peers; ONLY=prefix of a measure'
	@echo 'make sleepers              5,000 suspended requests: their time, memory and CPU against the bar;'
	@echo '                           make sleepers-evhttp, sleepers-mhd: the same on a server in C'
	@echo 'make build                 the commands, the libraries and the C examples'
	@echo 'make install               PREFIX=/usr/local DESTDIR='
	@echo '  LIBDIR=PREFIX/lib        ... with the libraries elsewhere'
	@echo 'make uninstall             take away what install put there'
	@echo 'make deb                   Debian packages, in target/deb'
	@echo 'make reference             the reference of the C API, in target/reference/html'
	@echo 'make deps                  install what is missing; SCOPE=serve, evhttp, mhd, test, deep, fuzz, bench, deb or reference'
	@echo 'make clean                 delete what was built'

deps:
	@scripts/deps $(or $(SCOPE),test)

build: command library
	@$(EXAMPLES)

# The command, and the library that the C examples link.
command:
	@scripts/deps serve
	@$(CARGO) build --release --features cli
	@ln -sf libawsgi.so target/release/libawsgi.so.$(ABI)

serve: command
	@$(EXAMPLES)
	@scripts/serve $(BIND)

# The same application, or another, hosted by a server of c-examples/hosts.
serve-evhttp: HOST = evhttp
serve-mhd: HOST = mhd
serve-evhttp serve-mhd: command
	@scripts/deps $(HOST)
	@$(EXAMPLES)
	@scripts/serve $(BIND) $(HOST) $(if $(filter undefined,$(origin APP)),,'$(APP)' '$(CONFIG)')

test:
	@scripts/deps test
	@scripts/test $(ONLY)

test-deep:
	@scripts/deps deep
	@scripts/test-deep $(ONLY)

# Whoever names no seed has operations that nobody has seen.
SUBJECT ?= core
soak: SIMULATION = $(if $(filter reactor,$(SUBJECT)),reactor_simulation,simulation)
soak:
	@scripts/deps serve
	@seed=$(or $(SEED),$$(date +%s)); echo "SEED=$$seed"; \
	AWSGI_SIM_OPS=$(or $(OPS),1000000000) AWSGI_SIM_SEED=$$seed $(CARGO) test --quiet \
		--profile simulation --test $(SIMULATION) -- --nocapture the_$(SUBJECT)_does_what_the_model_says

planted:
	@scripts/deps deep
	@scripts/planted $(ONLY)

fuzz:
	@scripts/deps fuzz
	@scripts/fuzz $(or $(SECONDS),60) $(SEED)

# The servers that are measured run the demo application, and the programs in C link the library as it
# is installed.
BENCH = $(CARGO) bench --quiet --features cli --bench awsgi --
bench:
	@scripts/deps bench
	@$(EXAMPLES) applications
	@$(MAKE) --no-print-directory --silent $(INSTALLED)
	@$(MAKE) --no-print-directory --silent $(JVM)
	@$(BENCH) $(ONLY)

# Only when something is new: building both kinds of the library takes a while.
INSTALLED := target/bench/install/usr/local/lib/pkgconfig/awsgi.pc
$(INSTALLED): $(shell find src include build.rs Cargo.toml Cargo.lock packaging docs/man -type f)
	@$(MAKE) --no-print-directory --silent install PREFIX=/usr/local DESTDIR=$(CURDIR)/target/bench/install

# The programs in Java, around the library that is installed, and the one without a core.
JVM := java/bench/target/classpath
$(JVM): $(INSTALLED) benches/jvm/stub.rs $(shell find java -name '*.java' -o -name pom.xml)
	@$(CARGO) build --quiet --release --features cli,jni --example jvm_stub
	@cd java && mvn -q -Dmaven.test.skip=true -pl bench -am package \
		-Dawsgi.library=$(CURDIR)/target/bench/install/usr/local/lib/libawsgi.so

# 5,000 suspended requests against their bar.
sleepers:
	@scripts/deps serve
	@$(EXAMPLES) applications
	@$(BENCH) --sleepers

# The same on the servers in C.
sleepers-evhttp: HOST = evhttp
sleepers-mhd: HOST = mhd
sleepers-evhttp sleepers-mhd:
	@scripts/deps $(HOST)
	@$(EXAMPLES) applications
	@$(MAKE) --no-print-directory --silent $(INSTALLED)
	@$(BENCH) --sleepers $(HOST)

# The libraries as they are installed. Each kind is built by itself, because cargo optimises less when
# it builds several at once, and in a folder of its own, because they have the same names.
PACKAGE := $(CARGO) rustc --quiet --release --lib --target-dir target/package
# Only the shared one is for a JVM: who puts the archive into a library of his own for one has a JNI_OnLoad
# there already.
library:
	@scripts/deps serve
	@$(PACKAGE) --features ffi,server,jni --crate-type cdylib
	@$(PACKAGE) --features ffi,server --crate-type staticlib -- \
		--print native-static-libs=$(CURDIR)/target/package/native-static-libs \
		2>target/package/log || { cat target/package/log >&2; exit 1; }

LIBDIR ?= $(PREFIX)/lib
DEST = $(DESTDIR)$(PREFIX)
LIBS = $(DESTDIR)$(LIBDIR)
# What a host in C is linked to, to be checked with awsgi-contract.
CONTRACT = $(DEST)/share/awsgi/contract
DRIVER := $(wildcard tests/contract/driver*.c) tests/contract/driver.h c-examples/hosts/program.h \
	tests/contract/gateway/application.c
MAN1 := $(wildcard docs/man/*.1)
MAN3 := $(wildcard docs/man/*.3)
# Fills in a file of packaging. `@LIBS_PRIVATE@` is what the compiler says that the archive needs.
FILL = sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(patsubst $(PREFIX)/%,$${prefix}/%,$(LIBDIR))|' \
	-e 's|@UP@|'"$$(realpath --canonicalize-missing --relative-to=$(LIBDIR)/cmake/awsgi $(PREFIX))"'|' \
	-e 's|@VERSION@|$(VERSION)|' -e 's|@ABI@|$(ABI)|' -e "s|@POINTER@|$$(($$(getconf LONG_BIT) / 8))|"
install: command library
	@[ "$$(uname)" = Linux ] || { echo 'awsgi: make install knows Linux only; copy target/package/release/libawsgi.* and include/*.h by hand' >&2; exit 1; }
	@install -d $(DEST)/bin $(DEST)/include $(LIBS)/pkgconfig $(LIBS)/cmake/awsgi $(CONTRACT) \
		$(DEST)/share/man/man1 $(DEST)/share/man/man3
	@install -m 755 target/release/awsgi target/release/awsgi-contract $(DEST)/bin
	@install -m 644 include/awsgi.h include/awsgi_application.h $(DEST)/include
	@install -m 755 target/package/release/libawsgi.so $(LIBS)/$(SO)
	@ln -sf $(SO) $(LIBS)/libawsgi.so.$(ABI)
	@ln -sf libawsgi.so.$(ABI) $(LIBS)/libawsgi.so
	@objcopy $(OWN) target/package/release/libawsgi.a target/package/libawsgi.a
	@install -m 644 target/package/libawsgi.a $(LIBS)/libawsgi.a
	@libs=$$(cat target/package/native-static-libs); \
	$(FILL) -e "s|@LIBS_PRIVATE@|$$libs|" packaging/awsgi.pc.in | install -m 644 /dev/stdin $(LIBS)/pkgconfig/awsgi.pc; \
	libs=$$(echo $$libs | tr ' ' ';'); \
	$(FILL) -e "s|@LIBS_PRIVATE@|$$libs|" packaging/awsgi-config.cmake.in | install -m 644 /dev/stdin $(LIBS)/cmake/awsgi/awsgi-config.cmake
	@$(FILL) packaging/awsgi-config-version.cmake.in | install -m 644 /dev/stdin $(LIBS)/cmake/awsgi/awsgi-config-version.cmake
	@install -m 644 $(DRIVER) $(CONTRACT)
	@install -m 644 $(MAN1) $(DEST)/share/man/man1
	@install -m 644 $(MAN3) $(DEST)/share/man/man3
	@echo 'installed awsgi $(VERSION) under $(DEST)'

# What of the standard library the archive would offer to every program, and collide with other archives that
# were made of Rust.
OWN := --wildcard --localize-symbol=rust_eh_personality --localize-symbol='_RN*3std*' --localize-symbol='_ZN3std*'

uninstall:
	@rm -f $(DEST)/bin/awsgi $(DEST)/bin/awsgi-contract $(DEST)/include/awsgi.h $(DEST)/include/awsgi_application.h \
		$(LIBS)/libawsgi.so $(LIBS)/libawsgi.so.$(ABI) $(LIBS)/$(SO) $(LIBS)/libawsgi.a \
		$(LIBS)/pkgconfig/awsgi.pc $(LIBS)/cmake/awsgi/awsgi-config.cmake \
		$(LIBS)/cmake/awsgi/awsgi-config-version.cmake $(addprefix $(CONTRACT)/,$(notdir $(DRIVER))) \
		$(addprefix $(DEST)/share/man/man1/,$(notdir $(MAN1))) $(addprefix $(DEST)/share/man/man3/,$(notdir $(MAN3)))
	@rmdir $(LIBS)/cmake/awsgi $(CONTRACT) $(DEST)/share/awsgi 2>/dev/null || true

# Debian packages, made of what `make install` puts down.
deb: command library
	@scripts/deps deb
	@rm -rf target/deb
	@mkdir -p target/deb/build
	@cp -R debian target/deb/build
	@cd target/deb/build && env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS AWSGI_SOURCE=$(CURDIR) \
		CARGO_HOME="$${CARGO_HOME:-$$HOME/.cargo}" RUSTUP_HOME="$${RUSTUP_HOME:-$$HOME/.rustup}" \
		dpkg-buildpackage --build=binary --no-sign --no-check-builddeps >../log 2>&1 || { cat ../log >&2; exit 1; }
	@cd target/deb && ls -sh1 *.deb

# The reference, of the comments of the headers.
reference:
	@scripts/deps reference
	@mkdir -p target/reference
	@doxygen docs/reference/Doxyfile
	@echo 'see target/reference/html/index.html'

clean:
	@rm -rf target java/target java/*/target

.PHONY: help deps build command serve serve-evhttp serve-mhd test test-deep soak planted fuzz bench sleepers sleepers-evhttp sleepers-mhd \
	library install uninstall deb reference clean
