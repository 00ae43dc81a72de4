# 'make help' lists the targets: each has its line behind '##'.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: services
services: ## start private Postgres, RabbitMQ and MailHog; write .services/env
	@scripts/services.sh up

.PHONY: services-down
services-down: ## stop them; their data stays
	@scripts/services.sh down

.PHONY: services-clean
services-clean: ## stop them and remove their data
	@scripts/services.sh clean
