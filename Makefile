# make run     the whole service on http://localhost:8000 (PORT=…), with its own PostgreSQL
# make test    the test suite, or the tests that match FILTER=…; make check: all linters
# make help    all targets
.DEFAULT_GOAL := help
.PHONY: bench build capacity cgi-bundle check clean coverage deb demo format help image install migrate packages \
	place run screenshots test test-full test-packages test-unit watch
export PORT ?= 8000
export FILTER

SWIFT_BUILD = swift build -c release --static-swift-stdlib --disable-local-rpath

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

run: build ## run the whole service on PORT=8000 until Ctrl-C; its data stays in .run/
	@exec Tests/dev/run

watch: build ## as run, and rebuild and restart the responder when a source changes
	@WATCH=1 exec Tests/dev/run

demo: build ## import 258,145 real messages into the service that runs
	@exec Tests/dev/demo

build: packages ## build the release programs in .build/release/
	@$(SWIFT_BUILD)

test-unit: place ## run the tests that start no program, in seconds; installs nothing
	@exec Tests/dev/test unit

test: test-packages build ## run the test suite (8 minutes), or the tests whose name matches FILTER=REGEX
	@exec Tests/dev/test $(if $(FILTER),--filter "$$FILTER")

test-full: test ## also run the tests that measure, and the slow ones: packages, machines, containers, upgrades, the runbook
	@deploy/packages full
	@exec Tests/dev/test full

coverage: test-packages build ## show which code the tests, or those of FILTER=REGEX, execute; HTML in .build/coverage/html
	@exec Tests/dev/coverage $(if $(FILTER),--filter "$$FILTER")

cgi-bundle: build ## build the CGI bundle .build/orbital-usage-cgi.tar.gz
	@exec deploy/cgi-bundle .build/orbital-usage-cgi.tar.gz

deb: build ## build the Debian package .build/orbital-usage_VERSION_ARCH.deb
	@deploy/packages deb
	@exec deploy/deb

image: ## build the container images of deploy/docker/compose.yaml with docker, buildah or podman
	@exec deploy/docker/image

install: ## as root: install below DESTDIR (default: /) what the Debian package installs
	@exec deploy/install "$(DESTDIR)/"

bench: build ## compare the speed with other services, nginx and PostgreSQL; BENCH_FULL=1: 50 million records, too
	@deploy/packages bench
	@python3 Tests/Benchmarks/bench.py $(if $(BENCH_FULL),--full) $(if $(PUBLISH),--publish)

capacity: test-packages build ## measure disk, memory and requests per core; PUBLISH=1 writes them into the runbook
	@python3 -B Tests/Benchmarks/capacity.py $(if $(PUBLISH),--publish)

check: test-packages ## run the linters, and check the rules of the code, the nginx configuration and the scripts
	@exec Tests/dev/check

screenshots: test-packages build ## write screenshots of the dashboard to .run/screenshots/
	@exec Tests/dev/screenshots

migrate: build ## migrate the schema of DATABASE_URL, or of the service that runs
	@exec Tests/dev/with-service .build/release/orbitalctl migrate up

format: ## format the Swift sources
	@swift format --in-place --recursive --parallel Package.swift Sources Tests

clean: ## remove .build/; the data in .run/ stays
	@rm -rf .build

packages: place
	@deploy/packages run

test-packages: place
	@deploy/packages test

# Compiled modules and Python's tools contain the path of the directory that they were built in.
place:
	@mkdir -p .build
	@[ ! -f .build/place ] || [ "$$(cat .build/place)" = "$(CURDIR)" ] || { \
		echo "this directory was moved or copied from $$(cat .build/place): rebuilding"; \
		rm -rf .build/test-tools .build/coverage .build/*/*/ModuleCache; }
	@echo "$(CURDIR)" >.build/place
