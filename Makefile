# The front door. `make demo` runs the main job, `make test` passes the tests; both set up what they need.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test test-faults test-full test-link test-interop test-s3 lint unit console-unit e2e shots build-tests console console-size bless bench-monitor bench-monitor-stream bench-agreement bench-record fuzz-monitor histories docs deny clean tools chromium

CARGO ?= cargo
CASES ?= 100000
STREAMS ?= 1000000 3000000 10000000
ENTRIES ?= 10000000
TARGET := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)
HAMSAYA := $(TARGET)/debug/hamsaya

help: ## This list.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: console ## Five nodes on loopback play the golden scenario. ONCE=1 exits at the end, KILL=P1 kills one on the way, GED=file imports it, DEMO_FLAGS="--lang ps" and the like.
	@echo "make: building the command"
	@$(CARGO) build --quiet --locked -p hamsaya
	@$(HAMSAYA) demo $(if $(ONCE),--once) $(if $(KILL),--kill $(KILL)) $(if $(GED),--ged $(GED)) $(if $(KEEP),--keep) $(DEMO_FLAGS)

test: lint build-tests chromium ## Everything that must hold: formatting, lints, all tests, the console in a browser.
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target unit e2e console-unit
	@echo "make: all tests passed"

tools:
	@command -v $(CARGO) >/dev/null || { echo "error: cargo was not found"; echo "hint: install Rust 1.95 from your distribution or with rustup"; exit 2; }
	@command -v npm >/dev/null || { echo "error: npm was not found"; echo "hint: install Node.js 20 or later"; exit 2; }

lint: tools console/node_modules/.checked ## Formatting, clippy and the console's types, warnings are errors.
	@echo "make: formatting and lints"
	@$(CARGO) fmt --all --check
	@$(CARGO) clippy --quiet --locked --workspace --all-targets -- -D warnings

# The tests' own build has the command too: the browser tests play that one, so that it is built once.
build-tests: console
	@echo "make: building the tests"
	@$(CARGO) test --quiet --locked --workspace --no-run

unit: build-tests ## Rust tests.
	@echo "make: Rust tests"
	@$(CARGO) test --locked --workspace

console-unit: console ## The console's unit tests.
	@echo "make: the console's unit tests"
	@cd console && npm run --silent test

# The console is built again only when one of its sources is newer than the last build.
console: console/dist/index.html ## Builds console/dist.

console/node_modules/.package-lock.json: console/package-lock.json | tools
	@echo "make: fetching the console's packages (npm ci)"
	@cd console && npm ci --no-audit --no-fund --loglevel=error && touch node_modules/.package-lock.json

CONSOLE_SOURCES := $(shell find console -path console/node_modules -prune -o -path console/dist -prune -o -path console/e2e/shots -prune -o -type f -print 2>/dev/null) $(wildcard locales/*/*.ftl)
console/dist/index.html: console/node_modules/.package-lock.json $(CONSOLE_SOURCES)
	@echo "make: building the console"
	@cd console && npm run --silent build && touch dist/index.html

# As clippy does, the types are checked again only when a source has changed.
console/node_modules/.checked: console/node_modules/.package-lock.json $(CONSOLE_SOURCES)
	@echo "make: checking the console's types"
	@cd console && npm run --silent check && touch node_modules/.checked

console-size: console ## Compressed size of what a browser loads.
	@cd console/dist && find . -name '*.js' -o -name '*.css' | sort | while read -r f; do printf '%8d  %s\n' "$$(gzip -9c "$$f" | wc -c)" "$$f"; done

chromium:
	@if ! command -v chromium-headless-shell >/dev/null && ! command -v chromium >/dev/null; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "make: installing Chromium for the browser tests (apt)"; \
	    apt-get update -qq; export DEBIAN_FRONTEND=noninteractive; apt-get install -y -qq chromium-headless-shell >/dev/null || apt-get install -y -qq chromium >/dev/null; \
	  else echo "make: chromium was not found: the browser tests will be skipped. hint: apt-get install chromium-headless-shell"; fi; fi

e2e: build-tests chromium ## The console in Chromium, against a real demo.
	@echo "make: the console in Chromium"
	@cd console && HAMSAYA_BIN="$(abspath $(HAMSAYA))" SHOTS=$(SHOTS) npm run --silent e2e

shots: ## The same, and a picture of every page in console/e2e/shots, to be looked at.
	@$(MAKE) --no-print-directory e2e SHOTS=1

test-faults: ## Every system call of a commit fails once or kills the node, under strace; then kills at random moments: an hour. Skips aloud. FAULT_FLAGS="--calls fsync".
	@$(CARGO) build --quiet --locked -p hamsaya
	@torture/faults.py $(HAMSAYA) $(TARGET)/faults $(FAULT_FLAGS)

test-full: ## The disk of a node runs full, page by page (a small tmpfs): 503, nothing signed, and on when there is room. Skips aloud.
	@$(CARGO) build --quiet --locked -p hamsaya
	@mkdir -p $(TARGET)/full && torture/full.py $(HAMSAYA) $(TARGET)/full

test-link: ## Five nodes in network namespaces over 2G (64 kbit/s, 800 ms, 5 % loss), and one cut off for a while: a quarter of an hour. Skips aloud. LINK_FLAGS="--kbit 9.6".
	@$(CARGO) build --quiet --locked -p hamsaya
	@mkdir -p $(TARGET)/link && torture/link.py $(HAMSAYA) $(TARGET)/link $(LINK_FLAGS)

test-interop: console ## Programs that are not ours read our logs and agreements, cosign, and ask our witness: Go's sumdb, PyPI's aics-tlog, aics-witness, cobalt. Skips aloud.
	@$(CARGO) build --quiet --locked -p hamsaya
	@interop/run.sh $(HAMSAYA) $(TARGET)/interop

test-s3: console ## An S3 server that is not ours (s3s-fs, from crates.io) keeps the record of five nodes. Skips aloud.
	@$(CARGO) build --quiet --locked -p hamsaya
	@interop/s3.sh $(HAMSAYA) $(TARGET)/s3

bless: ## Accepts the verdicts, snapshots and references that the tests now produce; read the diff before you commit.
	@HAMSAYA_BLESS=1 INSTA_UPDATE=always $(CARGO) test --locked --workspace --quiet

bench-monitor: ## The monitor's workloads; numbers mean something on a quiet machine only.
	@$(CARGO) bench --locked -p hamsaya-monitor --bench workloads
	@$(CARGO) bench --locked --quiet -p hamsaya-monitor --bench workloads -- callgrind

bench-monitor-stream: ## Case c through the command, from standard input: STREAMS (1000000 3000000 10000000) events; memory must not grow.
	@$(CARGO) build --release --quiet --locked -p hamsaya
	@$(CARGO) bench --quiet --locked -p hamsaya-monitor --bench workloads --no-run
	@mkdir -p $(TARGET)/bench/stream && $(CARGO) bench --quiet --locked -p hamsaya-monitor --bench workloads -- files c $(abspath $(TARGET))/bench/stream
	@for n in $(STREAMS); do \
	  $(CARGO) bench --quiet --locked -p hamsaya-monitor --bench workloads -- emit c events=$$n \
	  | $(TARGET)/release/hamsaya monitor --signature $(TARGET)/bench/stream/signature --formula $(TARGET)/bench/stream/formula --log - --stats \
	  | sha256sum | sed "s/-/of the verdict lines of $$n events/"; done

fuzz-monitor: ## The monitor over points against the naive evaluator: CASES (100000) formulas with logs; HISTORIES (10000) histories, streams, reasons and as many of any bytes.
	@echo "make: $(CASES) formulas with logs, seeds 0 to $$(( $(CASES) - 1 ))"
	@HAMSAYA_CASES=$(CASES) $(CARGO) test --locked --release -p hamsaya-monitor --test it -- --nocapture --exact points::random::engine_and_naive_evaluator_agree
	@echo "make: $(HISTORIES) histories, streams and texts of any bytes, seeds 0 to $$(( $(HISTORIES) - 1 )) each (1 in 20: long ones), and reasons of as many verdicts"
	@HAMSAYA_CASES=$(HISTORIES) $(CARGO) test --locked --release -p hamsaya-monitor --test it -- --nocapture --skip other_words --skip engine_and_naive points::random points::reasons foreign

bench-agreement: ## A made-up year of the Accord, judged; numbers mean something on a quiet machine only.
	@$(CARGO) bench --locked -p hamsaya-agreement --bench year

bench-record: ## Statements accepted a second with every batch synced, time to a quorum with five processes, a log of ENTRIES (10,000,000: 7 GB in target/bench).
	@mkdir -p $(TARGET)/bench
	@$(CARGO) bench --locked -p hamsaya-record --bench record -- accept $(abspath $(TARGET))/bench
	@$(CARGO) bench --locked -p hamsaya-node --bench latency
	@$(CARGO) bench --locked -p hamsaya-record --bench record -- long $(abspath $(TARGET))/bench $(ENTRIES)

HISTORIES ?= 10000
histories: ## 10,000 random histories: any order of arrival and any growth give one judgment. HISTORIES=n for more or fewer.
	@HAMSAYA_HISTORIES=$(HISTORIES) $(CARGO) test --locked -p hamsaya-agreement --test it histories -- --nocapture

docs: ## The guide as a book in docs/book.
	@command -v mdbook >/dev/null || { echo "make: installing mdbook (cargo, several minutes)"; $(CARGO) install --locked --quiet mdbook; }
	@mdbook build docs

deny: ## Licences, sources and bans of every dependency by the cargo-deny tool.
	@command -v cargo-deny >/dev/null || { echo "make: installing cargo-deny (cargo, several minutes)"; $(CARGO) install --locked --quiet cargo-deny; }
	@cargo deny --all-features check licenses bans sources

clean: ## Removes everything that was built.
	@$(CARGO) clean --quiet; rm -rf console/dist console/node_modules docs/book
