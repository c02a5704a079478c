# Everything that can be done here; `make help` lists it.
.DEFAULT_GOAL := help
.PHONY: help demo invoke test lint e2e commands faults reference bench fuzz synth preflight deploy idp-config licenses clean

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GO_LICENSES := github.com/google/go-licenses@v1.6.0
FUZZTIME ?= 10s
EVENT ?= events/search.json
MODULES := . local

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: need-go ## Run the function against a local identity provider and show what HealthLake would get
	@go build -C local -buildvcs=false -o ../bin/ ./cmd/demo && bin/demo

invoke: need-go ## Run one event through the function: make invoke EVENT=events/search.json
	@go build -C local -buildvcs=false -o ../bin/ ./cmd/invoke && bin/invoke "$(EVENT)"

# The tests in local/ build the function with a command of their own, which the test cache does not see; hence -count=1.
test: need-go need-node ## Run every test that needs no AWS and no second server
	go test ./...
	go -C local test -count=1 ./...

lint: need-go ## gofmt, go vet and staticcheck
	@unformatted="$$(gofmt -l $$(git ls-files '*.go'))"; \
	  if [ -n "$$unformatted" ]; then echo "not formatted, run gofmt -w on:"; echo "$$unformatted"; exit 1; fi
	@for module in $(MODULES); do echo "go vet, staticcheck: $$module"; \
	  (cd $$module && go vet ./... && go run $(STATICCHECK) ./...) || exit 1; done

e2e: need-go node_modules ## Deploy to a local AWS and prove it with ORY Hydra and oidc-provider; writes docs/tested.md
	@go build -C local -buildvcs=false -o ../bin/ ./e2e && bin/e2e -report docs/tested.md

commands: need-go node_modules ## Type the documents' commands against a local AWS and write docs/commands.md
	@go build -C local -buildvcs=false -o ../bin/ ./e2e && bin/e2e -commands docs/commands.md

faults: need-go ## Stage every fault against the built function and write docs/faults.md
	go -C local test ./faults -count=1 -timeout 15m -update

reference: need-go ## Write the pages in docs/reference that are made from the code
	go test ./internal/reason -update

bench: need-go ## Measure the function against a minimal one and write docs/benchmarks.md (five minutes)
	@go -C local run ./bench

fuzz: need-go ## Run each fuzz target for FUZZTIME (default 10s)
	@go list -f '{{$$d := .Dir}}{{range .TestGoFiles}}{{$$d}}/{{.}} {{end}}{{range .XTestGoFiles}}{{$$d}}/{{.}} {{end}}' ./... \
	  | tr ' ' '\n' | xargs grep -o 'func Fuzz[A-Za-z]*' | sed 's/:func / /' \
	  | while read -r file target; do echo "$$target in $$(dirname $$file)"; \
	      go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$(dirname $$file) || exit 1; done

synth: need-go node_modules ## Synthesize the CloudFormation templates into cdk.out
	npx cdk synth --quiet

preflight: need-go ## Check cdk.context.json against the provider and AWS before a deploy: make preflight ARGS=--write
	@go run ./cmd/preflight $(ARGS)

deploy: need-go node_modules ## Deploy; stops before a datastore would be replaced (CLIENT_SECRET, SRV_API_KEY from the environment)
	@go run ./cmd/deploy $(CONTEXT) -- $(CDK_OPTIONS)

idp-config: need-go node_modules ## Print the datastore's identity provider settings for update-fhir-datastore
	@go run ./cmd/deploy idp-config $(CONTEXT)

licenses: need-go ## Write docs/licenses.md: what is linked into the function
	@GOFLAGS=-tags=lambda.norpc go run $(GO_LICENSES) report ./lambda/checktoken --ignore healthlake-smart-on-fhir \
	  --template docs/licenses.md.tmpl >docs/licenses.md.new 2>/dev/null && mv docs/licenses.md.new docs/licenses.md

node_modules: package-lock.json | need-node
	npm ci
	@touch node_modules

clean: ## Remove what the other targets made
	rm -rf cdk.out node_modules bin local/.cache local/oidcprovider/node_modules

.PHONY: need-go need-node
need-go:
	@command -v go >/dev/null || { echo "Go 1.26 or later is needed: https://go.dev/dl/"; exit 1; }
need-node:
	@command -v npm >/dev/null || { echo "Node.js 20 or later with npm is needed: https://nodejs.org/"; exit 1; }
