package server

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// streamTime bounds what the tests of streams do in all, however busy the machine is; nobody gives up earlier.
const streamTime = time.Minute

func streamOptions(srv *Server) *redis.Options {
	return &redis.Options{Addr: srv.Addr(), PoolSize: 1, MaxRetries: -1, DialTimeout: streamTime, ReadTimeout: streamTime, WriteTimeout: streamTime}
}

// streamClient is a client with one connection that does nothing twice by itself.
func streamClient(t *testing.T, srv *Server) *redis.Client {
	c := redis.NewClient(streamOptions(srv))
	t.Cleanup(func() { c.Close() })
	return c
}

// tally counts what happened to each entry.
type tally struct {
	mu   sync.Mutex
	seen map[string]int
}

func (c *tally) add(id string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == nil {
		c.seen = map[string]int{}
	}
	c.seen[id] += n
}

// each reports the ids that have not been counted n times.
func (c *tally) each(t *testing.T, what string, ids []string, n int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	bad := 0
	for _, id := range ids {
		if c.seen[id] != n {
			bad++
			if bad < 4 {
				t.Errorf("%s was %s %d times, want %d", id, what, c.seen[id], n)
			}
		}
	}
	if bad > 0 || len(c.seen) > len(ids) {
		t.Errorf("%d of %d ids: not %s %d times; %d ids in all", bad, len(ids), what, n, len(c.seen))
	}
}

// ack acknowledges one entry and counts what the server says to it.
func ack(ctx context.Context, c *redis.Client, acked *tally, id string) error {
	n, err := c.XAck(ctx, "s", "g", id).Result()
	if err == nil {
		acked.add(id, int(n))
	}
	return err
}

// TestXStreamCrashes: producers, and consumers of a group that go away, with entries or while they wait. Every entry is
// given out once, and acknowledged once by whoever it was given to or who claimed it.
func TestXStreamCrashes(t *testing.T) {
	const producers, consumers, perProducer = 3, 4, 400
	srv := openWith(t, Options{Addr: "127.0.0.1:0", Shards: 4}, "stream-node-max-entries", "7")
	ctx, cancel := context.WithTimeout(context.Background(), streamTime)
	defer cancel()
	boss := streamClient(t, srv)
	if err := boss.XGroupCreateMkStream(ctx, "s", "g", "0").Err(); err != nil {
		t.Fatal(err)
	}
	var added, given, acked tally
	var all []string
	var producing, working sync.WaitGroup
	var produced atomic.Bool
	for p := range producers {
		c := streamClient(t, srv)
		producing.Go(func() {
			for i := range perProducer {
				id, err := c.XAdd(ctx, &redis.XAddArgs{Stream: "s", Values: []any{"producer", p, "n", i}}).Result()
				if err != nil {
					t.Errorf("XADD: %v", err)
					return
				}
				added.add(id, 1)
			}
		})
	}
	for n := range consumers {
		working.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(n)))
			for life := 0; ctx.Err() == nil; life++ {
				c := redis.NewClient(streamOptions(srv))
				done := consume(ctx, t, c, fmt.Sprintf("c%d.%d", n, life), rng, &given, &acked, &produced)
				c.Close()
				if done {
					return
				}
			}
		})
	}
	producing.Wait()
	produced.Store(true)
	// Meanwhile entries of those who are gone are claimed; a client that was closed while it waited may be given some
	// before the server knows.
	claim := func(count int64) int {
		n, start := 0, "0-0"
		for {
			entries, next, err := boss.XAutoClaim(ctx, &redis.XAutoClaimArgs{Stream: "s", Group: "g", Consumer: "boss", Start: start, Count: count}).Result()
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if err := ack(ctx, boss, &acked, e.ID); err != nil {
					t.Fatal(err)
				}
			}
			n += len(entries)
			if start = next; start == "0-0" {
				return n
			}
		}
	}
	claimed := claim(5)
	working.Wait()
	for {
		claimed += claim(7)
		groups, err := boss.XInfoGroups(ctx, "s").Result()
		if err != nil || len(groups) != 1 {
			t.Fatal(groups, err)
		}
		if g := groups[0]; g.Pending == 0 && g.Lag == 0 {
			if g.EntriesRead != producers*perProducer {
				t.Errorf("%d entries were read, want %d", g.EntriesRead, producers*perProducer)
			}
			break
		}
		// The last entries were given to nobody.
		if err := boss.Do(ctx, "XREADGROUP", "GROUP", "g", "boss", "STREAMS", "s", ">").Err(); err != nil && err != redis.Nil {
			t.Fatal(err)
		}
	}
	for id := range added.seen {
		all = append(all, id)
	}
	if len(all) != producers*perProducer {
		t.Fatalf("%d ids for %d entries", len(all), producers*perProducer)
	}
	acked.each(t, "acknowledged", all, 1)
	for id, n := range given.seen {
		if n != 1 {
			t.Errorf("%s was given out %d times", id, n)
		}
	}
	if claimed == 0 {
		t.Error("nothing had to be claimed: no consumer has crashed with entries")
	}
	if n, err := boss.XLen(ctx, "s").Result(); n != int64(len(all)) || err != nil {
		t.Errorf("XLEN = %d, %v", n, err)
	}
}

// consume is one life of a consumer. It reports whether everything has been read; otherwise it has crashed.
func consume(ctx context.Context, t *testing.T, c *redis.Client, name string, rng *rand.Rand, given, acked *tally, produced *atomic.Bool) bool {
	for {
		last := produced.Load()
		waiting := func() bool { return true }
		if rng.IntN(12) == 0 {
			waiting = crashSoon(c, time.Duration(rng.IntN(300))*time.Microsecond)
		}
		streams, err := c.XReadGroup(ctx, &redis.XReadGroupArgs{
			Group: "g", Consumer: name, Streams: []string{"s", ">"}, Count: int64(1 + rng.IntN(9)), Block: 5 * time.Millisecond,
		}).Result()
		if !waiting() && ctx.Err() == nil {
			return false
		}
		switch {
		case err == redis.Nil && last:
			return true
		case err == redis.Nil:
			continue
		case err != nil && (strings.HasPrefix(err.Error(), "NOGROUP") || ctx.Err() != nil):
			t.Errorf("XREADGROUP: %v", err)
			return true
		case err != nil:
			return false
		}
		for _, e := range streams[0].Messages {
			given.add(e.ID, 1)
		}
		for _, e := range streams[0].Messages {
			if rng.IntN(40) == 0 {
				return false
			}
			if ack(ctx, c, acked, e.ID) != nil {
				return false
			}
		}
	}
}

// crashSoon closes a client while it waits, or just when something comes. The function that it returns ends the wait: it
// reports whether the client is still open, and keeps it open.
func crashSoon(c *redis.Client, after time.Duration) func() bool {
	var mu sync.Mutex
	waiting, closed := true, false
	time.AfterFunc(after, func() {
		mu.Lock()
		defer mu.Unlock()
		if waiting {
			closed = true
			c.Close()
		}
	})
	return func() bool {
		mu.Lock()
		defer mu.Unlock()
		waiting = false
		return !closed
	}
}

// TestXStreamReaders: everybody who waits on a stream, alone or for a group, sees all entries in order.
func TestXStreamReaders(t *testing.T) {
	const readers, groups, entries = 6, 6, 600
	srv := openWith(t, Options{Addr: "127.0.0.1:0", Shards: 4})
	ctx, cancel := context.WithTimeout(context.Background(), streamTime)
	defer cancel()
	boss := streamClient(t, srv)
	seen := make([][]string, readers+groups)
	var reading sync.WaitGroup
	follow := func(i int, next func(after string) ([]redis.XStream, error)) {
		reading.Go(func() {
			after := "0-0"
			for len(seen[i]) < entries {
				streams, err := next(after)
				if err != nil {
					t.Errorf("reader %d: %v", i, err)
					return
				}
				for _, e := range streams[0].Messages {
					seen[i] = append(seen[i], e.ID)
					after = e.ID
				}
			}
		})
	}
	for i := range readers {
		c := streamClient(t, srv)
		follow(i, func(after string) ([]redis.XStream, error) {
			return c.XRead(ctx, &redis.XReadArgs{Streams: []string{"s", after}, Count: int64(i * 3), Block: 0}).Result()
		})
	}
	for i := range groups {
		c, group := streamClient(t, srv), fmt.Sprint("g", i)
		if err := boss.XGroupCreateMkStream(ctx, "s", group, "$").Err(); err != nil {
			t.Fatal(err)
		}
		follow(readers+i, func(string) ([]redis.XStream, error) {
			return c.XReadGroup(ctx, &redis.XReadGroupArgs{Group: group, Consumer: "c", Streams: []string{"s", ">"}, Count: int64(i), NoAck: i%2 == 0}).Result()
		})
	}
	var want []string
	for i := 0; i < entries; i += 3 {
		// One, then two at once.
		id, err := boss.XAdd(ctx, &redis.XAddArgs{Stream: "s", Values: []any{"n", i}}).Result()
		if err != nil {
			t.Fatal(err)
		}
		replies, err := boss.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.XAdd(ctx, &redis.XAddArgs{Stream: "s", Values: []any{"n", i + 1}})
			p.XAdd(ctx, &redis.XAddArgs{Stream: "s", Values: []any{"n", i + 2}})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, id, replies[0].(*redis.StringCmd).Val(), replies[1].(*redis.StringCmd).Val())
	}
	reading.Wait()
	for i, got := range seen {
		if !slices.Equal(got, want) {
			t.Errorf("reader %d saw %d entries, not the %d in their order", i, len(got), len(want))
		}
	}
	infos, err := boss.XInfoGroups(ctx, "s").Result()
	if err != nil || len(infos) != groups {
		t.Fatal(infos, err)
	}
	for i, g := range infos {
		if pending := int64(i%2) * entries; g.Pending != pending || g.Lag != 0 || g.EntriesRead != entries {
			t.Errorf("group %s: %d pending, %d read, lag %d; want %d, %d, 0", g.Name, g.Pending, g.EntriesRead, g.Lag, pending, entries)
		}
	}
}

// TestXStreamGroupGone: a group comes and goes while its consumers wait. They are given entries or told that it is gone,
// and nobody waits for ever.
func TestXStreamGroupGone(t *testing.T) {
	const consumers, rounds = 4, 150
	srv := openWith(t, Options{Addr: "127.0.0.1:0", Shards: 4})
	ctx, cancel := context.WithTimeout(context.Background(), streamTime)
	defer cancel()
	boss := streamClient(t, srv)
	var given tally
	var told, over atomic.Int64
	var reading sync.WaitGroup
	for i := range consumers {
		c := streamClient(t, srv)
		reading.Go(func() {
			for {
				last := over.Load() > 0
				streams, err := c.XReadGroup(ctx, &redis.XReadGroupArgs{Group: "g", Consumer: fmt.Sprint("c", i), Streams: []string{"s", ">"}}).Result()
				switch {
				case err == nil:
					for _, e := range streams[0].Messages {
						given.add(e.Values["n"].(string), 1)
					}
				case strings.HasPrefix(err.Error(), "NOGROUP") || strings.HasPrefix(err.Error(), "UNBLOCKED"):
					told.Add(1)
					if last {
						return
					}
				default:
					t.Errorf("consumer %d: %v", i, err)
					return
				}
			}
		})
	}
	n := 0 // ids come again when the stream has been deleted
	for round := range rounds {
		for _, step := range []string{"create", "add", "destroy", "add"} {
			var err error
			switch step {
			case "create":
				err = boss.XGroupCreateMkStream(ctx, "s", "g", "$").Err()
			case "add":
				n++
				err = boss.XAdd(ctx, &redis.XAddArgs{Stream: "s", Values: []any{"n", n}}).Err()
			case "destroy":
				if round%4 == 3 {
					err = boss.Del(ctx, "s").Err()
				} else {
					err = boss.XGroupDestroy(ctx, "s", "g").Err()
				}
			}
			if err != nil {
				t.Fatalf("%s: %v", step, err)
			}
		}
	}
	// Whoever waits now is woken up by the end of the group; whoever comes later finds none.
	if err := boss.XGroupCreateMkStream(ctx, "s", "g", "$").Err(); err != nil {
		t.Fatal(err)
	}
	over.Store(1)
	if err := boss.XGroupDestroy(ctx, "s", "g").Err(); err != nil {
		t.Fatal(err)
	}
	reading.Wait()
	if told.Load() < consumers {
		t.Errorf("%d times a consumer was told that the group is gone", told.Load())
	}
	for id, times := range given.seen {
		if times != 1 {
			t.Errorf("%s was given out %d times", id, times)
		}
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		t.Error("somebody has waited too long")
	}
}
