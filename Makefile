# Everything this repository can do, by name: `make help`.
#
# Nothing has to be installed but Go, make and bash; what a target needs beyond
# that it builds into bin/ or says that it is missing.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS   += --no-print-directory

# The Go command, also where it is installed but not in PATH.
GO ?= $(or $(shell command -v go),/usr/local/go/bin/go)
export GO
export PATH := $(PATH):$(dir $(GO))

MODULES   := . bench tools
PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64
LINTER    := bin/golangci-lint

# What `make run` runs, and how long each target of `make fuzz` is fuzzed.
ARGS     ?= run primes --to 1e9
FUZZTIME ?= 10s

.PHONY: help
help: ## say what can be made
	@awk -F ':.*## ' '/^[a-zA-Z%_-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
	@scripts/programs

.PHONY: run
run: ## run the program: make run ARGS="run primes --to 1e9"
	@$(GO) run ./cmd/polymath $(ARGS)

.PHONY: build
build: ## build bin/polymath
	@CGO_ENABLED=0 $(GO) build -trimpath -o bin/polymath ./cmd/polymath

.PHONY: test
test: ## run all tests, with the race detector where a C compiler can be had
	@scripts/test

.PHONY: test-short
test-short: ## run the tests that take seconds
	@$(GO) test -short ./...
	@cd bench && $(GO) test -short ./...

.PHONY: lint
lint: lint-format lint-vet lint-tidy lint-size lint-shell lint-code ## hold the code to the house style

.PHONY: lint-format
lint-format: # every Go file as gofmt writes it
	@bad=$$("$$($(GO) env GOROOT)/bin/gofmt" -l .); \
	if [[ -n $$bad ]]; then echo "gofmt -w these:"; echo "$$bad"; exit 1; fi

.PHONY: lint-vet
lint-vet:
	@$(GO) vet ./...
	@cd bench && $(GO) vet ./...

.PHONY: lint-tidy
lint-tidy: # go.mod and go.sum name what the code uses and nothing else
	@for module in $(MODULES); do \
	  (cd $$module && $(GO) mod tidy -diff) || { echo "run 'go mod tidy' in $$module/"; exit 1; }; \
	done

.PHONY: lint-size
lint-size:
	@scripts/check-size

.PHONY: lint-shell
lint-shell: # where shellcheck is installed
	@if command -v shellcheck >/dev/null; then shellcheck .ci/run $$(grep -lr '^#!.*bash' scripts); \
	else echo "shellcheck is not installed: scripts are only parsed"; \
	  for script in .ci/run scripts/*; do bash -n "$$script"; done; fi

.PHONY: lint-code
lint-code: $(LINTER)
	@$(LINTER) run ./...
	@cd bench && ../$(LINTER) run --config ../.golangci.yml ./...

# Built from source at the version tools/go.mod pins: one that was built with
# an older Go than go.mod names refuses to run. About 80 s from empty caches.
$(LINTER): tools/go.mod tools/go.sum
	@echo "building golangci-lint"
	@cd tools && $(GO) build -o ../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	@touch $@

.PHONY: generate
generate: ## write the code that follows from the .proto files (needs npm)
	@scripts/generate

.PHONY: cross
cross: ## build and vet for every system we release for
	@for platform in $(PLATFORMS); do \
	  echo "$$platform"; \
	  export CGO_ENABLED=0 GOOS=$${platform%/*} GOARCH=$${platform#*/}; \
	  $(GO) build -o /dev/null ./... && $(GO) vet ./... || exit 1; \
	done

.PHONY: fuzz
fuzz: ## fuzz every fuzz target for FUZZTIME each (10s)
	@scripts/fuzz $(FUZZTIME)

bench-%: ## run bench/NAME, which prints its bars
	@scripts/program bench $*

soak-%: ## run bench/soak/NAME, which repeats until chance has had its say
	@scripts/program soak $*

.PHONY: clean
clean: ## delete what was built
	@rm -rf bin polymath
