# What users and contributors run; `make help` lists it.
.DEFAULT_GOAL := help

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GO_LICENSES := github.com/google/go-licenses@v1.6.0
CYCLONEDX := github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
FUZZTIME ?= 10s
PORT ?= 4566
EVENT ?= events/search.json
# An environment's file goes on top of cdk.context.json. A shell's start-up file in ENV (POSIX sh) is not meant.
override CONTEXT += $(if $(filter-out /% ~%,$(ENV)),-c env=$(ENV))
MODULES := . local

# A line "##@" begins a group of help. "##" after a target describes it; variables stand in [brackets] at the end.
.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z0-9-]+:.*## / { n = split($$2, d, " [[]"); printf "  make %-14s %s\n", $$1, d[1]; \
	    if (n > 1) printf "  %19s %s\n", "", substr(d[2], 1, length(d[2]) - 1) }' $(MAKEFILE_LIST)

##@ To use it
# PORT, DATA, PROVIDER and the like reach the program in its environment.
.PHONY: sandbox demo invoke preflight synth client-key diff deploy rotate destroy

sandbox: need-go local/smart/node_modules local/policies/node_modules ## Run a SMART app against a HealthLake on this machine, in a browser [PORT=8100 DATA=directory PROVIDER=context ENV=dev CONTEXT="-c key=value" ARGS="--latency 300ms --stall 1% --down"]
	@go build -C local -buildvcs=false -o ../bin/ ./cmd/sandbox && bin/sandbox $(CONTEXT) $(ARGS)

demo: need-go ## Run the function against a local identity provider and show what HealthLake would get
	@go build -C local -buildvcs=false -o ../bin/ ./cmd/demo && bin/demo

# A file after the target is the event: make invoke events/read.json.
EVENT_GOALS := $(filter %.json,$(MAKECMDGOALS))
.PHONY: $(EVENT_GOALS)
$(EVENT_GOALS): ; @:

invoke: need-go ## Run one event through the function [EVENT=events/search.json]
	@go build -C local -buildvcs=false -o ../bin/ ./cmd/invoke && bin/invoke "$(or $(EVENT_GOALS),$(EVENT))"

# make refuses an unknown word with hyphens before it reads this file. So preflight's options may also be words without them:
# make preflight offline. Those with hyphens arrive here after a lone --.
OPTION_GOALS := $(if $(filter preflight,$(MAKECMDGOALS)),$(foreach option,offline write trust-new-hosts from-lambda token-stdin json, \
  $(filter $(option) --$(option),$(MAKECMDGOALS))))
.PHONY: $(OPTION_GOALS)
$(OPTION_GOALS): ; @:

preflight: need-go ## Check cdk.context.json against the provider and AWS before a deploy [offline, write, from-lambda ENV=dev ARGS="--calls 50" CLIENT_SECRET SRV_API_KEY CLIENT_PRIVATE_KEY]
	@go build -buildvcs=false -o bin/ ./cmd/preflight && bin/preflight $(CONTEXT) $(addprefix --,$(OPTION_GOALS:--%=%)) $(ARGS)

synth: bin/deploy ## Write the CloudFormation templates to cdk.out [ENV=dev]
	@bin/deploy synth $(CONTEXT)

client-key: need-go ## Make the key pair for introspectionAuth private_key_jwt [ARGS="-alg ES384"]
	@go build -buildvcs=false -o bin/ ./cmd/clientkey && bin/clientkey $(ARGS)

diff: bin/deploy ## Show what a deploy would change [ENV=dev CDK_OPTIONS=...]
	@bin/deploy diff $(CONTEXT) -- $(CDK_OPTIONS)

deploy: bin/deploy ## Deploy; says what changes in place, and stops before a datastore would be replaced [ENV=dev CLIENT_SECRET SRV_API_KEY CLIENT_PRIVATE_KEY APPROVE=never STACK=CheckToken CONFIRM_REPLACEMENT=yes CONTEXT="-c key=value" CDK_OPTIONS="--profile name"]
	@bin/deploy $(CONTEXT) -- $(CDK_OPTIONS)

rotate: need-go ## Put a new credential into the secret, and wait until the function uses it [ENV=dev CLIENT_SECRET SRV_API_KEY CLIENT_PRIVATE_KEY UNCHECKED=yes]
	@go build -buildvcs=false -o bin/ ./cmd/rotate && bin/rotate $(CONTEXT)

destroy: bin/deploy ## Remove the stacks, after a question; the datastore with its records, unless it is protected [ENV=dev]
	@bin/deploy destroy $(CONTEXT) -- $(CDK_OPTIONS)

##@ To change it
.PHONY: test sandbox-test screenshots policies lint e2e local-aws local-aws-test faults attack reference bench bench-quick fuzz licenses sbom vulncheck clean

# The tests in local/ build the function with a command of their own, which the test cache does not see; hence -count=1.
test: need-go node_modules local/oidcprovider/node_modules ## Run every test that needs no AWS
	go test ./...
	go -C local test -count=1 ./...

sandbox-test: need-go local/smart/node_modules local/policies/node_modules ## Try the sandbox with real clients and in a browser (Chromium)
	@go build -C local -buildvcs=false -o ../bin/ ./cmd/sandbox && node --test --test-concurrency=1 --test-reporter=spec local/smart/test/*.test.js

screenshots: ## Write the pictures in docs/images: sandbox-test does it
	@mkdir -p docs/images && SCREENSHOTS="$(CURDIR)/docs/images" $(MAKE) --no-print-directory sandbox-test

policies: need-go local/policies/node_modules ## Evaluate who may do what by the templates' policies
	@go build -o bin/app . && node local/policies/check.js bin/app

lint: need-go ## Run gofmt, go vet and staticcheck
	@unformatted="$$(gofmt -l $$(git ls-files '*.go'))"; \
	  if [ -n "$$unformatted" ]; then echo "not formatted, run gofmt -w on:"; echo "$$unformatted"; exit 1; fi
	@for module in $(MODULES); do echo "go vet, staticcheck: $$module"; \
	  (cd $$module && go vet ./... && go run $(STATICCHECK) ./...) || exit 1; done

e2e: need-go need-python node_modules local/oidcprovider/node_modules ## Deploy to a local AWS and prove it with ORY Hydra and oidc-provider; writes docs/evidence/tested.md [PART=Tokens]
	go -C local test ./e2e -count=1 -timeout 40m -v -run 'TestEndToEnd/$(PART)' -e2e -report $(CURDIR)/docs/evidence/tested.md

local-aws: need-python ## Start a local AWS to deploy to, in the foreground; prints the exports to use [PORT=4566]
	@python3 -W ignore -B local/aws/server.py --port $(PORT)

local-aws-test: need-python ## Test the local AWS itself: what it refuses, and how it deploys
	@cd local/aws && python3 -W ignore -B -m unittest discover

faults: need-go ## Bring about every fault against the built function; writes docs/evidence/faults.md
	go -C local test ./faults -count=1 -timeout 15m -update

attack: need-go ## Attack the built function, and print how often each attack was authorized
	@go build -C local -buildvcs=false -o ../bin/ ./attack && bin/attack

# As root, the control groups for "as Lambda runs it" can be made; without it that part is left out.
bench: need-go ## Measure the function as Lambda runs it (eight minutes); writes docs/reference/benchmarks.md
	@go -C local run ./bench

bench-quick: need-go ## Compare calls and starts with the least that they can take (one minute); writes nothing
	@go -C local run ./bench -quick

fuzz: need-go ## Run each fuzz target for some time [FUZZTIME=10s]
	@go list -f '{{$$d := .Dir}}{{range .TestGoFiles}}{{$$d}}/{{.}} {{end}}{{range .XTestGoFiles}}{{$$d}}/{{.}} {{end}}' ./... \
	  | tr ' ' '\n' | xargs grep -o 'func Fuzz[A-Za-z]*' | sed 's/:func / /' \
	  | while read -r file target; do echo "$$target in $$(dirname $$file)"; \
	      go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$(dirname $$file) || exit 1; done

reference: need-go ## Write the pages in docs/reference that are made from the code
	go test ./internal/reason ./internal/config ./internal/docs -update

licenses: need-go ## Write docs/reference/licenses.md: what is linked into the function
	@GOFLAGS=-tags=lambda.norpc go run $(GO_LICENSES) report ./lambda/checktoken --ignore healthlake-smart-on-fhir \
	  --template docs/reference/licenses.md.tmpl >docs/reference/licenses.md.new 2>/dev/null \
	  && mv docs/reference/licenses.md.new docs/reference/licenses.md

# The binaries are those that a deploy would upload, and say themselves what is linked into them.
sbom: need-go node_modules ## Write bin/<function>.cdx.json: the CycloneDX bill of materials of each function's binary [ENV=dev]
	@rm -rf cdk.out && $(MAKE) --no-print-directory synth
	@for binary in cdk.out/asset.*/bootstrap; do \
	  name="$$(go version -m "$$binary" | awk '$$1 == "path" { sub(".*/", "", $$2); print $$2 }')"; \
	  go run $(CYCLONEDX) bin -json -std -short-purls -version "v$$(node -p 'require("./package.json").version')" \
	    -output "bin/$$name.cdx.json" "$$binary" || exit 1; echo "bin/$$name.cdx.json"; done

vulncheck: need-go ## Look for known vulnerabilities in what is called; asks https://vuln.go.dev
	@for module in $(MODULES); do echo "govulncheck: $$module"; (cd $$module && go run $(GOVULNCHECK) ./...) || exit 1; done

clean: ## Remove what the other targets made
	rm -rf cdk.out node_modules bin local/.cache local/oidcprovider/node_modules local/policies/node_modules local/smart/node_modules

node_modules: package-lock.json | need-node
	npm ci
	@touch node_modules

local/policies/node_modules local/oidcprovider/node_modules: %/node_modules: %/package-lock.json | need-node
	npm ci --prefix $*
	@touch $@

local/smart/node_modules: local/smart/package-lock.json | need-node
	npm ci --prefix local/smart
	@touch local/smart/node_modules

.PHONY: bin/deploy need-go need-node need-python
bin/deploy: need-go node_modules
	@go build -buildvcs=false -o bin/ ./cmd/deploy

need-go:
	@command -v go >/dev/null || { echo "Go 1.26 or later is needed: https://go.dev/dl/"; exit 1; }
need-node: # 20 works too, but the CDK warns at each run that it has reached its end of life
	@command -v npm >/dev/null || { echo "Node.js 22 or 24 with npm is needed: https://nodejs.org/"; exit 1; }
	@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || \
	  { echo "Node.js 22 or 24 is needed, this is $$(node --version): https://nodejs.org/"; exit 1; }
need-python:
	@command -v python3 >/dev/null || { echo "Python 3.10 or later is needed: https://www.python.org/downloads/"; exit 1; }
