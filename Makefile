.PHONY: help start test miri book

help:
	@echo "make start  checks this machine, builds the book and serves it: begin here"
	@echo "make test   formatting, lints, all tests and demos, documentation, the book and its links"
	@echo "make miri   the chapters with unsafe code under Miri"
	@echo "make book   builds the book into book/book"

start:
	@sh support/start.sh

test:
	@sh support/test.sh

miri:
	@sh support/miri.sh

book:
	@sh support/book.sh
