package lock_test

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/bench/lock"
	"github.com/streampulse/pulse/bench/spawn"
	"github.com/streampulse/pulse/server"
)

// fleet is five servers that know nothing of each other.
type fleet struct {
	addrs []string
	kill  []func()
}

// newFleet starts five servers in this process; five redis-servers when REDIS_ADDR says that one is to be tested, and there is a program.
func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{}
	for range 5 {
		var addr string
		var stop func() error
		if os.Getenv("REDIS_ADDR") != "" {
			if !spawn.Have("redis-server") {
				t.Skip("needs redis-server on PATH to start five, beside the one at REDIS_ADDR")
			}
			p, err := spawn.Start(t.Context(), t.TempDir(), []string{"redis-server"})
			if err != nil {
				t.Fatal(err)
			}
			addr, stop = p.Addr, p.Stop
		} else {
			srv, err := server.Open(server.Options{})
			if err != nil {
				t.Fatal(err)
			}
			addr, stop = srv.Addr(), func() error { return srv.Close(context.Background()) }
		}
		kill := sync.OnceFunc(func() {
			if err := stop(); err != nil {
				t.Error(err)
			}
		})
		t.Cleanup(kill)
		f.addrs, f.kill = append(f.addrs, addr), append(f.kill, kill)
	}
	return f
}

// quorum returns a Quorum with connections of its own, as another process would have.
func (f *fleet) quorum(t *testing.T, patience time.Duration) (*lock.Quorum, []*redis.Client) {
	t.Helper()
	var clients []*redis.Client
	var servers []redis.UniversalClient
	for _, addr := range f.addrs {
		rdb := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true})
		t.Cleanup(func() { _ = rdb.Close() })
		clients, servers = append(clients, rdb), append(servers, rdb)
	}
	q, err := lock.NewQuorum(servers, "l:", patience)
	if err != nil {
		t.Fatal(err)
	}
	return q, clients
}

// Several processes take turns while two of the servers are killed: never two holders, and fences only grow. With a third one dead, nobody
// gets the lock.
func TestQuorumOutlivesServers(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	const workers, each = 4, 12
	var holders atomic.Int64
	var fences []int64 // guarded by the lock under test
	var turns atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		q, _ := f.quorum(t, 5*time.Second)
		wg.Go(func() {
			for range each {
				lk, err := q.Acquire(ctx, "ledger", time.Minute)
				if err != nil {
					t.Error(err)
					return
				}
				if n := holders.Add(1); n != 1 || !lk.Held() {
					t.Errorf("%d holders; held: %v", n, lk.Held())
				}
				fences = append(fences, lk.Fence)
				killed := true
				switch turns.Add(1) {
				case 10:
					f.kill[1]()
				case 25:
					f.kill[4]()
				default:
					killed = false
				}
				holders.Add(-1)
				// A lock of three servers, one of which has just been killed, is released by two: that is no majority.
				err = lk.Release(ctx)
				if killed && (errors.Is(err, lock.ErrLost) || errors.Is(err, lock.ErrNoQuorum)) {
					err = nil
				}
				if err != nil || lk.Held() {
					t.Errorf("release: %v; held: %v", err, lk.Held())
				}
			}
		})
	}
	wg.Wait()
	if !slices.IsSorted(fences) || len(slices.Compact(slices.Clone(fences))) != workers*each {
		t.Errorf("fences %v", fences)
	}
	q, _ := f.quorum(t, 5*time.Second)
	lk, err := q.Try(ctx, "other", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	f.kill[0]()
	if err := lk.Extend(ctx, time.Hour); !errors.Is(err, lock.ErrNoQuorum) || !lk.Held() || time.Until(lk.Until()) > time.Minute {
		t.Errorf("extension by two of five: %v; held until %v", err, lk.Until())
	}
	if _, err := q.Try(ctx, "ledger", time.Minute); !errors.Is(err, lock.ErrNoQuorum) {
		t.Errorf("a lock of two of five servers: %v", err)
	}
}

func TestQuorumHoldsExtendsAndLoses(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.kill[2]()
	ctx := context.Background()
	q, clients := f.quorum(t, 5*time.Second)
	other, _ := f.quorum(t, 5*time.Second)
	lk, err := q.Try(ctx, "ledger", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Try(ctx, "ledger", time.Minute); !errors.Is(err, lock.ErrHeld) {
		t.Errorf("a second holder: %v", err)
	}
	if err := lk.Extend(ctx, time.Hour); err != nil || time.Until(lk.Until()) < 50*time.Minute {
		t.Errorf("extend: %v, until %v", err, lk.Until())
	}
	for _, i := range []int{0, 1} { // as if two servers had restarted empty
		if err := clients[i].Del(ctx, "l:{ledger}").Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := lk.Extend(ctx, time.Hour); !errors.Is(err, lock.ErrLost) {
		t.Errorf("extension of what two of five know of: %v", err)
	}
	if err := lk.Release(ctx); !errors.Is(err, lock.ErrLost) {
		t.Errorf("release of what two of five know of: %v", err)
	}
	// It was given back where it was, so the next has all four.
	next, err := other.Try(ctx, "ledger", time.Minute)
	if err != nil || next.Fence <= lk.Fence {
		t.Fatalf("%+v, %v after fence %d", next, err, lk.Fence)
	}
	for i, rdb := range clients {
		if i == 2 {
			continue
		}
		if n := rdb.Exists(ctx, "l:{ledger}").Val(); n != 1 {
			t.Errorf("server %d does not know of the lock", i)
		}
	}
}

// Fences of servers that were away lie behind: what counts is the largest that a majority has seen.
func TestQuorumFencesOutliveOtherMajorities(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	ctx := context.Background()
	q, clients := f.quorum(t, 5*time.Second)
	last := int64(0)
	// Each turn another pair refuses, so that the majorities differ as much as they can.
	for turn := range 25 {
		away := []int{turn % 5, (turn*2 + 1) % 5}
		for _, i := range away {
			if err := clients[i].Set(ctx, "l:{ledger}", "another's", 0).Err(); err != nil {
				t.Fatal(err)
			}
		}
		if turn == 7 { // and one server has counted far ahead
			if err := clients[3].Set(ctx, "l:{ledger}:fence", 1000, 0).Err(); err != nil {
				t.Fatal(err)
			}
		}
		lk, err := q.Try(ctx, "ledger", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if lk.Fence <= last {
			t.Errorf("turn %d: fence %d after %d", turn, lk.Fence, last)
		}
		last = lk.Fence
		if err := lk.Release(ctx); err != nil {
			t.Error(err)
		}
		for _, i := range away {
			clients[i].Del(ctx, "l:{ledger}")
		}
	}
	if last <= 1000 {
		t.Errorf("the last fence is %d", last)
	}
}

// A holder that sleeps past its lock's end cannot write what the next one guards.
func TestPausedQuorumHolderCannotWrite(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.kill[0]()
	ctx := context.Background()
	q, clients := f.quorum(t, 5*time.Second)
	g := lock.NewGuarded(clients[1], "balance")
	var paused *lock.QuorumLock
	for ttl := 100 * time.Millisecond; paused == nil; ttl *= 2 { // as long as it takes on a busy machine
		var err error
		if paused, err = q.Try(ctx, "ledger", ttl); err != nil && !errors.Is(err, lock.ErrLost) {
			t.Fatal(err)
		}
	}
	if err := g.Write(ctx, paused.Fence, "by the first"); err != nil {
		t.Fatal(err)
	}
	next, err := q.Acquire(ctx, "ledger", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if paused.Held() {
		t.Error("two hold the lock")
	}
	if err := g.Write(ctx, next.Fence, "by the second"); err != nil {
		t.Fatal(err)
	}
	if err := g.Write(ctx, paused.Fence, "by the first, late"); !errors.Is(err, lock.ErrStale) {
		t.Errorf("the paused holder wrote: %v", err)
	}
	if err := paused.Extend(ctx, time.Minute); !errors.Is(err, lock.ErrLost) {
		t.Errorf("the paused holder extends: %v", err)
	}
	if err := paused.Release(ctx); !errors.Is(err, lock.ErrLost) {
		t.Errorf("the paused holder releases: %v", err)
	}
	if v, _, err := g.Read(ctx); v != "by the second" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
}

// A server that accepts requests and never answers costs patience, not the lock.
func TestQuorumWithASilentServer(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	f.addrs[0] = mute.Addr().String()
	ctx := context.Background()
	for patience := 300 * time.Millisecond; ; patience *= 2 { // as long as the others take on a busy machine
		q, _ := f.quorum(t, patience)
		begin := time.Now()
		lk, err := q.Acquire(ctx, "ledger", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		err = lk.Release(ctx)
		if errors.Is(err, lock.ErrNoQuorum) && patience < 5*time.Second {
			continue
		}
		if d := time.Since(begin); err != nil || d > time.Minute {
			t.Errorf("%v after %v, with a patience of %v", err, d, patience)
		}
		return
	}
}

func TestQuorumRefusesNonsense(t *testing.T) {
	t.Parallel()
	servers := make([]redis.UniversalClient, 101)
	for _, n := range []int{0, 1, 2, 4, 101} {
		if _, err := lock.NewQuorum(servers[:n], "l:", 0); err == nil {
			t.Errorf("%d servers pass", n)
		}
	}
	for _, p := range []time.Duration{-1, time.Nanosecond, time.Hour} {
		if _, err := lock.NewQuorum(servers[:3], "l:", p); err == nil {
			t.Errorf("patience %v passes", p)
		}
	}
	q, err := lock.NewQuorum(servers[:5], "l:", 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, ttl := range map[string]time.Duration{"": time.Second, "}": time.Second, "x": 0, "y": 1 << 62} {
		if _, err := q.Try(context.Background(), name, ttl); err == nil {
			t.Errorf("%q for %v passes", name, ttl)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	f := newFleet(t)
	live, _ := f.quorum(t, 0)
	if _, err := live.Acquire(ctx, "x", time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
}
