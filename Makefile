# make run     the whole service on http://localhost:8000 (PORT=…), with its own PostgreSQL
# make test    all tests but the slowest; make check: all linters
# make help    all targets
.DEFAULT_GOAL := help
.PHONY: bench build capacity cgi-bundle check clean deb demo format help image install migrate packages \
	run screenshots test test-full test-packages
export PORT ?= 8000
export FILTER

SWIFT_BUILD = swift build -c release --static-swift-stdlib --disable-local-rpath

help: ## print this
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

run: build ## run everything in the foreground until Ctrl-C; the data stays in .run/
	@exec Tests/dev/run

demo: build ## import 258,145 real messages into the running service
	@exec Tests/dev/demo

build: packages ## build the release programs in .build/release/
	@$(SWIFT_BUILD)

test: test-packages build ## run the test suite, or the tests whose name matches FILTER=REGEX
	@exec Tests/dev/test $(if $(FILTER),--filter "$$FILTER")

test-full: test ## also run the tests that take minutes: packages, machines, containers, restarts under load, the runbook
	@deploy/packages full
	@exec Tests/dev/test full

cgi-bundle: build ## pack a CGI program with all it needs: .build/orbital-usage-cgi.tar.gz
	@exec deploy/cgi-bundle .build/orbital-usage-cgi.tar.gz

deb: build ## pack the Debian package .build/orbital-usage_VERSION_ARCH.deb
	@deploy/packages deb
	@exec deploy/deb

image: ## build the container images that deploy/docker/compose.yaml runs, by docker, buildah or podman
	@exec deploy/docker/image

install: ## as root: put what is built below DESTDIR (default: /), as the package does
	@exec deploy/install "$(DESTDIR)/"

bench: build ## measure beside other services, nginx and PostgreSQL; BENCH_FULL=1: ten million records
	@deploy/packages bench
	@python3 Tests/Benchmarks/bench.py $(if $(BENCH_FULL),--full) $(if $(PUBLISH),--publish)

capacity: test-packages build ## measure disk, memory and requests per core; PUBLISH=1: into the runbook
	@python3 -B Tests/Benchmarks/capacity.py $(if $(PUBLISH),--publish)

check: test-packages ## lint, and check the rules of the code, the nginx file and the scripts
	@exec Tests/dev/check

screenshots: test-packages build ## write pictures of the dashboard to .run/screenshots/
	@exec Tests/dev/screenshots

migrate: build ## bring the schema of DATABASE_URL, or of the running service, up to date
	@exec Tests/dev/with-service .build/release/orbitalctl migrate up

format: ## format the Swift sources
	@swift format --in-place --recursive --parallel Package.swift Sources Tests

clean: ## remove what was built; the data in .run/ stays
	@rm -rf .build

packages:
	@deploy/packages run

test-packages:
	@deploy/packages test
