# Millrace. `make` lists the targets; CI calls only these.
URL ?= http://127.0.0.1:8080
GRPC ?= http://127.0.0.1:8001
MANAGEMENT ?= http://127.0.0.1:9080
DATA ?= ./data
MODELS ?= ./models
API ?= 1
WORKERS ?= 1
ARGS ?=

export DOTNET_CLI_TELEMETRY_OPTOUT := 1
export DOTNET_NOLOGO := 1
BUILD = dotnet build --configuration Release --nologo --verbosity quiet

.DEFAULT_GOAL := help
.PHONY: help run up down logs keys admission docs survive soak chaos bugs build test format sdk deps bench chart observe images images-test audit drill rehearse-autoscale load clean

help: ## List the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do printf '  make %-18s %s\n' "$$name" "$$text"; done

run: sdk ## Build and serve: make run [URL=http://127.0.0.1:8080] [GRPC=http://127.0.0.1:8001] [MANAGEMENT=http://127.0.0.1:9080] [DATA=./data] [MODELS=./models]
	@echo "Restoring packages and building (the first time takes a minute or two) ..."
	@$(BUILD) src/Standalone
	@echo "Starting ..."
	@MILLRACE__HTTP__URL=$(URL) MILLRACE__GRPC__URL=$(GRPC) MILLRACE__MANAGEMENT__URL=$(MANAGEMENT) MILLRACE__STORE__PATH=$(DATA) MILLRACE__MODELS__PATH=$(MODELS) exec artifacts/bin/Standalone/release/Millrace.Standalone

up: deps ## Build and serve as processes: make up [API=1] [WORKERS=1] [MODELS=./models]
	@echo "Restoring packages and building (the first time takes a minute or two) ..."
	@$(BUILD) src/Standalone
	@API=$(API) WORKERS=$(WORKERS) MODELS=$(MODELS) deploy/local/up.sh

down: ## Stop what make up started
	@deploy/local/down.sh

keys: ## Make, list or revoke keys: make keys ARGS="create --name me --roles submit,read"
	@$(BUILD) src/Standalone >&2
	@deploy/local/keys.sh $(ARGS)

logs: ## Follow the logs of what make up started
	@tail -n 20 -F .run/*.log

build: sdk ## Build everything
	@$(BUILD) Millrace.slnx

test: deps ## Run every test
	@echo "Restoring packages and building ..."
	@$(BUILD) Millrace.slnx
	@dotnet format Millrace.slnx --verify-no-changes --no-restore --verbosity quiet
	@tests/run.sh $(ARGS)

format: sdk ## Format the code
	@dotnet format Millrace.slnx

deps: sdk ## Install what the servers and the tests need, where it is missing
	@deploy/local/deps.sh

chart: deps ## Check the Helm chart without a cluster
	@tests/kube/check.sh

observe: deps ## Check rules, alerts, routes and dashboard
	@deploy/observability/check.sh

docs: sdk ## Write the generated pages of docs/ anew
	@$(BUILD) tests/Architecture.Tests
	@MILLRACE_WRITE_DOCS=1 artifacts/bin/Architecture.Tests/release/Millrace.Architecture.Tests -noColor -class '*DocumentTests'

sdk:
	@command -v dotnet >/dev/null || { echo "The .NET 10 SDK is needed (global.json names it): Debian's or Microsoft's package dotnet-sdk-10.0" >&2; exit 1; }

bench: ## Measure against a BullMQ platform, then the engine against ONNX Runtime alone: make bench [ARGS="--only sync-mlp-c64" or ARGS=--engine]
	@bench/run.sh $(ARGS)

survive: deps ## Kill every process in turn under load, and count: make survive [ARGS="--jobs 20000"]
	@$(BUILD) tests/Chaos
	@artifacts/bin/Chaos/release/Millrace.Chaos survive $(ARGS)

admission: deps ## Walk through keys, tenants, limits, overload and a dead broker, and check each answer
	@$(BUILD) src/Standalone
	@deploy/local/admission.sh

drill: deps ## Provoke every alert on real processes, and see a bad release rolled back: make drill [ARGS="--only latency,broker"]
	@$(BUILD) Millrace.slnx
	@artifacts/bin/Drill/release/Millrace.Drill $(ARGS)

rehearse-autoscale: deps ## Scale real workers from none to the most and back, as KEDA and the HPA would; writes docs/autoscaling.svg
	@$(BUILD) Millrace.slnx
	@artifacts/bin/Rehearsal/release/Millrace.Rehearsal autoscale $(ARGS)

load: deps ## 200 clients at once on one worker, two, and a pool that scales; writes the table of docs/load.md
	@$(BUILD) Millrace.slnx
	@deploy/load/run.sh

images: ## Build the container images, tagged {version}-{commit}; needs Docker
	@deploy/docker/images.sh

images-test: ## Build and start them with docker compose, ask for a digit, look at their rights, and remove all of it
	@deploy/docker/test.sh

audit: sdk ## Fail on a known weakness in a package, where the package source tells of them
	@dotnet restore Millrace.slnx --force --locked-mode -p:NuGetAuditMode=all -p:NuGetAuditLevel=low -p:WarningsNotAsErrors=

soak: deps ## 200,000 jobs: messages for each, and the memory of all processes
	@$(BUILD) tests/Chaos
	@artifacts/bin/Chaos/release/Millrace.Chaos soak $(ARGS)

chaos: deps ## The crash matrix many times, and docs/chaos-report.md: make chaos [ARGS="--repeat 10"]
	@$(BUILD) Millrace.slnx
	@artifacts/bin/Chaos/release/Millrace.Chaos chaos $(ARGS)

bugs: deps ## Build in one bug at a time and see that a test finds it
	@tests/Chaos/bugs.sh $(ARGS)

clean: ## Remove what was built (not the data)
	@rm -rf artifacts
