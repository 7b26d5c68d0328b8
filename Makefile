# One word each. CI runs: check test race oracle compat, crash in a short form, and bench on request.
GO ?= go
FUZZTIME ?= 15s

.PHONY: all build check test race oracle compat miniredis crash fuzz bench report clean

all: check test

build:
	$(GO) build -o bin/ ./cmd/...

# What a reviewer should not have to look at: formatting, vet, the rules of the tree.
check:
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo 'gofmt is needed on the files above'; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags invariants ./...
	$(GO) test -count=1 ./internal/lint

# Everything that needs nothing but Go; what compares with redis-server skips itself when there is none on PATH.
test:
	$(GO) test ./...

# The race detector, with the self-checks compiled in.
race:
	$(GO) test -race -tags invariants -timeout 25m ./...

# The behaviour beside a real redis-server, which must be on PATH.
oracle:
	@command -v redis-server >/dev/null || { echo 'make oracle needs redis-server on PATH'; exit 1; }
	$(GO) test -count=1 ./server -run 'TestTranscripts' -oracle
	$(GO) test -count=1 ./server -timeout 20m -run 'TestDifferential' -differential.n=1000000

# What libraries that stand on scripts or streams promise, at the versions in a go.mod of their own; half a minute, most of it waiting.
compat:
	cd internal/compat && $(GO) vet ./... && $(GO) test -count=1 ./...

# Open-source programs whose tests use miniredis, with Pulse in its place; it downloads them. Four minutes.
miniredis:
	.ci/miniredis

# What is kept in files: servers that are killed under load, power cuts at every step, damaged files, snapshots under load that a
# redis-server reads, random requests across restarts. Half an hour; with a redis-server on PATH it is killed, too, and its
# losses are reported.
CRASH_CYCLES ?= 200
CRASH_MUTATIONS ?= 20000
CRASH_FLAGS ?= -crash.redis
crash:
	$(GO) test -count=1 -v -timeout 60m ./server/internal/crash -crash.cycles=$(CRASH_CYCLES) -crash.snapshots=$(CRASH_CYCLES) $(CRASH_FLAGS)
	$(GO) test -count=1 -timeout 30m ./server -run 'TestReplay' -replay.n=$(CRASH_MUTATIONS)
	$(GO) test -count=1 -timeout 60m ./persistence/aof -aof.cuts=8 -aof.mutations=$(CRASH_MUTATIONS)
	$(GO) test -count=1 -timeout 60m ./persistence/rdb -rdb.mutations=$(CRASH_MUTATIONS)

# Every native fuzz target for FUZZTIME.
fuzz:
	@set -e; for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
		for target in $$(grep -ho '^func Fuzz[A-Za-z0-9_]*' $$dir/*_test.go | sed 's/func //'); do \
			echo "$$dir $$target"; $(GO) test $$dir -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME); \
		done; \
	done

# Side by side with redis-server, interleaved; about ten minutes. BENCH='--suite throughput' runs a part.
BENCH ?= --suite all
bench:
	@command -v redis-server >/dev/null || { echo 'make bench needs redis-server on PATH'; exit 1; }
	$(GO) build -o bin/pulse-server ./cmd/pulse-server
	$(GO) run ./cmd/pulse-bench --spawn --server-a bin/pulse-server $(BENCH)

# The patterns beside redis-server, and memory, kept as a page with charts in bench/results; ten minutes, on a machine with nothing else to do.
REPORT ?= --suite patterns,patterns-open,memory --rounds 3 --duration 1s --memory-keys 1000000
report:
	@command -v redis-server >/dev/null || { echo 'make report needs redis-server on PATH'; exit 1; }
	$(GO) build -o bin/ ./cmd/pulse-server ./cmd/pulse-bench
	bin/pulse-bench --spawn --server-a bin/pulse-server $(REPORT) --results bench/results

clean:
	rm -rf bin bench/out
