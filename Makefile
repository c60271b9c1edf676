# Two commands do all the set-up by themselves: `make run` and `make test`.
#
# Everything is built in the one profile `release`: the WebAssembly engine takes minutes to compile,
# and nobody should wait for it twice.

CARGO ?= cargo
FUZZ_SECONDS ?= 20

.PHONY: help program build run test bench fuzz check

help:
	@echo "make run     build, then serve 127.0.0.1:2525 with the stock plugins"
	@echo "make test    all tests, with real mail programs at both ends"
	@echo "make bench   measure what plugins, the work for them and TLS cost, and who waits for whom"
	@echo "make fuzz    give the protocol code, the compiler of plugins and the checks of answers random octets"
	@echo "make check   format, lints, documentation, dependencies, and that the protocol code stays pure"

program:
	@scripts/setup run
	$(CARGO) build --release --package postgate-cli

build: program
	@scripts/build-guests

run: program
	@scripts/prepare-run
	@exec target/release/postgate serve

test:
	@scripts/setup test
	@$(MAKE) --no-print-directory build
	@scripts/build-languages
	$(CARGO) test --release --workspace

bench: build
	$(CARGO) bench --profile release --package postgate-tests --bench cost --bench encryption \
		--bench fairness --bench host_work
	@rm -rf target/languages/built target/languages/times
	@TIMES=target/languages/times scripts/build-languages
	$(CARGO) bench --profile release --package postgate-tests --bench languages

# Without cargo-fuzz, the same code gets random octets that are not guided by coverage.
fuzz:
	@if $(CARGO) fuzz --version >/dev/null 2>&1; then \
		cd host/proto && for target in $(notdir $(basename $(wildcard host/proto/fuzz/targets/*))); do \
			$(CARGO) +nightly fuzz run "$$target" -- -max_total_time=$(FUZZ_SECONDS) || exit 1; \
		done; \
	else \
		echo "cargo-fuzz is not here (cargo install cargo-fuzz), so this is the bounded run"; \
		$(CARGO) test --release --workspace --test fuzz || exit 1; \
	fi
	@$(MAKE) --no-print-directory build
	FUZZ_SECONDS=$(FUZZ_SECONDS) $(CARGO) test --release --workspace --test fuzz_answers --test fuzz_loading \
		-- --nocapture

check:
	@scripts/setup check
	$(CARGO) fmt --all --check
	PATH="$(CURDIR)/target/tools/bin:$$PATH" $(CARGO) deny --offline --locked check -D warnings bans licenses sources
	$(CARGO) clippy --release --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --workspace --no-deps
	@scripts/check-purity
