# 'make help' lists the targets: each has its line behind '##'.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
BUILD := CGO_ENABLED=0 go build -trimpath -ldflags '-X main.version=$(VERSION)'

# Tools are built from source into .tools, each file named with its version: a new version
# here is a new file there.
GOLANGCI_LINT := .tools/golangci-lint-v2.15.0
GOTESTSUM := .tools/gotestsum-v1.13.0

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: ## build and start everything in one process, with a development inbox; needs only Go
	@echo "building Postrider; the first time takes about a minute"
	@$(BUILD) -o bin/postrider ./cmd/postrider
	@exec bin/postrider dev

.PHONY: build
build: ## build bin/producer, bin/consumer and bin/postrider, static
	$(BUILD) -o bin/ ./cmd/producer ./cmd/consumer ./cmd/postrider

.PHONY: test
test: $(GOTESTSUM) services ## every test with the race detector, both modes; ARGS='-run X ./internal/store' for some
	@GOTESTSUM=$(abspath $(GOTESTSUM)) scripts/test.sh $(ARGS)

.PHONY: test-postgres18
test-postgres18: $(GOTESTSUM) services ## the store's suite and the stories on a private Postgres 18
	@GOTESTSUM=$(abspath $(GOTESTSUM)) SUITE=postgres18 scripts/test.sh

.PHONY: upgrade-test
upgrade-test: $(GOTESTSUM) services ## old and new producers and consumers side by side, forward and back
	@GOTESTSUM=$(abspath $(GOTESTSUM)) SUITE=upgrade scripts/test.sh

.PHONY: faults
faults: ## every figure of docs/promises.md, for hours; ONLY=name, SHORT=20s, TIMES=n, ARGS=-list; goes on where it stopped
	@go run ./test/faults $(if $(ONLY),-only $(ONLY)) $(if $(SHORT),-short $(SHORT)) $(if $(TIMES),-times $(TIMES)) $(ARGS)

.PHONY: database-faults
database-faults: $(GOTESTSUM) services ## Postgres servers of their own, killed, failed over, out of disk; needs root
	@GOTESTSUM=$(abspath $(GOTESTSUM)) scripts/test.sh -tags databasefaults -run '^TestServer' -v ./internal/store

.PHONY: cluster-test
cluster-test: ## three RabbitMQ nodes as one, single nodes killed and cut off under load; SHORT=20s
	@$(MAKE) --no-print-directory faults ONLY=cluster ARGS='-services cluster -resume=false'

.PHONY: chaos
chaos: ## kill, stop and restart everything at random under load, 2 min; ARGS='-duration 10m -mails 10000 -faults kill', ARGS=-h
	@go run ./test/chaos $(ARGS)

.PHONY: simulate
simulate: ## the delivery protocol under a seeded scheduler of faults; SEEDS=1000, STORE=memory|sqlite|postgres, MARK=always|hold, SEED=n to watch one
	@SEEDS='$(SEEDS)' STORE='$(STORE)' SEED='$(SEED)' FROM='$(FROM)' MUTANT='$(MUTANT)' MARK='$(MARK)' scripts/simulate.sh

.PHONY: bench
bench: services ## measure Postrider beside limits and peers, 15 min, and hold it against a baseline; ARGS='-plan gate', ARGS=-help
	@scripts/bench.sh quick $(ARGS)

.PHONY: bench-full
bench-full: services ## the same with every peer and experiment, in hours; ARGS='-docs' writes docs/performance.md
	@scripts/bench.sh full $(ARGS)

.PHONY: bench-test
bench-test: $(GOTESTSUM) services ## the benchmark's own tests, peers included; starts Redis, installs Postfix
	@GOTESTSUM=$(abspath $(GOTESTSUM)) SUITE=bench scripts/test.sh

.PHONY: lint
lint: $(GOLANGCI_LINT) ## formatting, vet, staticcheck, who may import whom (.golangci.yml), shell scripts
	@GOLANGCI_LINT=$(abspath $(GOLANGCI_LINT)) scripts/lint.sh

.PHONY: compose-check
compose-check: ## hold docker-compose.yml against the Dockerfile and the settings; needs no Docker
	@cd tools/composecheck && go test -count=1 ./...

.PHONY: services
services: ## start private Postgres, RabbitMQ and MailHog; write .services/env
	@scripts/services.sh up

.PHONY: services-down
services-down: ## stop them; their data stays
	@scripts/services.sh down

.PHONY: services-clean
services-clean: ## stop them and remove their data
	@scripts/services.sh clean

$(GOLANGCI_LINT):
	@scripts/tool.sh $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

$(GOTESTSUM):
	@scripts/tool.sh $@ gotest.tools/gotestsum
