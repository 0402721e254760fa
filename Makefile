.PHONY: help start test record bench bench-counts twins miri sanitize churn book

help:
	@echo "make start  checks this machine, builds the book and serves it: begin here"
	@echo "make test   formatting, lints, all tests and demos, documentation, the book and its links"
	@echo "make record records the runs that the book replays anew"
	@echo "make miri   the chapters with unsafe code under Miri"
	@echo "make sanitize  chapters 11 and 13 and mini-runtime under AddressSanitizer and ThreadSanitizer"
	@echo "make churn  opens, uses and closes a million connections on each driver"
	@echo "make bench  mini-runtime beside its peers: tables and plots in bench/results"
	@echo "make bench-counts  the same in instructions and system calls"
	@echo "make twins  the chapters' parts beside the finished ones, for the book"
	@echo "make book   builds the book into book/book"

start:
	@sh support/start.sh

test:
	@sh support/test.sh

record:
	@sh support/record.sh

bench:
	@sh support/bench.sh

bench-counts:
	@sh support/bench-counts.sh

twins:
	@sh support/twins.sh

miri:
	@sh support/miri.sh

# WHICH: address, thread, or the name of a package; all of them if nothing is said.
sanitize:
	@sh support/sanitize.sh $(WHICH)

churn:
	CHURN=1000000 TEST_DEADLINE_MS=3600000 cargo test --release -p mini-runtime --test churn

book:
	@sh support/book.sh
