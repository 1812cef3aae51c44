# Atrium. `make run` and `make test` are all a newcomer needs; `make help` lists the rest.

# A debug build is ready soonest; CONFIG=release makes a fast program.
CONFIG ?= debug
# Handed to `atrium dev`, for instance: make run ARGS=--reset
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run build test mutation-test crash-test bench format clean bootstrap

help: ## Lists what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: bootstrap ## Installs what lacks, builds, and starts everything on http://127.0.0.1:8080 (ARGS=--reset starts over)
	@swift build -c $(CONFIG) --product atrium
	@exec .build/$(CONFIG)/atrium dev $(ARGS)

build: bootstrap ## Builds the program (CONFIG=release for a fast one)
	@swift build -c $(CONFIG) --product atrium

test: ## Runs every check and test (FILTER=OrdersTests for some)
	@scripts/bootstrap.sh --test
	@scripts/test.sh

mutation-test: ## Takes down every fence between tenants in turn, and fails unless each is noticed
	@scripts/bootstrap.sh --test
	@scripts/mutation-test.sh

crash-test: ## Kills, cuts and delays everything that events pass through, and holds what came of it to a ledger
	@scripts/bootstrap.sh --test
	@scripts/crash-test.sh

bench: bootstrap ## Runs every benchmark (SUITE=http for one, JSON=1 for JSON lines)
	@SUITE='$(SUITE)' JSON='$(JSON)' Benchmarks/run.sh

format: ## Formats every Swift file
	@scripts/format.sh

clean: ## Removes what was built; .atrium, with the data of `make run`, stays
	@swift package clean
	@rm -rf .build/test-logs .build/python

bootstrap:
	@scripts/bootstrap.sh
