# Two commands do all the set-up by themselves: `make run` and `make test`.
#
# Everything is built in the one profile `release`: the WebAssembly engine takes minutes to compile,
# and nobody should wait for it twice.

CARGO ?= cargo

.PHONY: help run test bench fuzz check

help:
	@echo "make run     build, then serve 127.0.0.1:2525 with the stock plugins"
	@echo "make test    all tests, with real mail programs at both ends"
	@echo "make bench   measure what plugins cost"
	@echo "make fuzz    give the protocol code random octets for a while"
	@echo "make check   format, lints, documentation, and that the protocol code stays pure"

run:
	@scripts/setup run
	$(CARGO) build --release --package postgate
	@scripts/build-guests
	@scripts/prepare-run
	@exec target/release/postgate serve

test:
	@scripts/setup test
	$(CARGO) build --release --package postgate
	@scripts/build-guests
	$(CARGO) test --release --workspace

check:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --release --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --workspace --no-deps
	scripts/check-purity
