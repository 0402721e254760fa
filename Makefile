.PHONY: help start test record bench bench-counts twins miri tsan asan book

help:
	@echo "make start  checks this machine, builds the book and serves it: begin here"
	@echo "make test   formatting, lints, all tests and demos, documentation, the book and its links"
	@echo "make record records the runs that the book replays anew"
	@echo "make miri   the chapters with unsafe code under Miri"
	@echo "make tsan   chapter 11, where threads meet, under ThreadSanitizer"
	@echo "make asan   chapter 13, which lends memory to the kernel, under AddressSanitizer"
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

tsan:
	@sh support/tsan.sh

asan:
	@sh support/asan.sh

book:
	@sh support/book.sh
