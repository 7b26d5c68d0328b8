package server

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// refs drives two streams: what newer commands do to "new" must be what older ones, put together, do to "old".
type refs struct {
	t   *testing.T
	ctx context.Context
	c   *redis.Client
	rng *rand.Rand
	ops []string
	top int
}

var refGroups = []string{"g", "h"}

// do sends a request; the key stands as %k for "new" or "old".
func (r *refs) do(key, format string, a ...any) any {
	r.t.Helper()
	line := strings.ReplaceAll(fmt.Sprintf(format, a...), "%k", key)
	r.ops = append(r.ops, line)
	var args []any
	for _, w := range strings.Fields(line) {
		args = append(args, w)
	}
	v, err := r.c.Do(r.ctx, args...).Result()
	if err != nil && err != redis.Nil {
		r.fatal("%s: %v", line, err)
	}
	return v
}

func (r *refs) both(format string, a ...any) {
	r.do("new", format, a...)
	r.do("old", format, a...)
}

func (r *refs) fatal(format string, a ...any) {
	r.t.Helper()
	r.t.Fatalf("%s\nafter\n%s", fmt.Sprintf(format, a...), strings.Join(r.ops[max(0, len(r.ops)-60):], "\n"))
}

// id is one that is, was, or will be in the streams.
func (r *refs) id() string { return fmt.Sprintf("%d-0", 1+max(0, r.top-r.rng.IntN(14))) }

func (r *refs) idList() (ids []string) {
	for range 1 + r.rng.IntN(4) {
		ids = append(ids, r.id())
	}
	return ids
}

func (r *refs) ids(key string) (ids []string) {
	for _, e := range r.do(key, "XRANGE %%k - +").([]any) {
		ids = append(ids, e.([]any)[0].(string))
	}
	return ids
}

func (r *refs) pends(key, group, id string) bool {
	return len(r.do(key, "XPENDING %%k %s %s %s 1", group, id, id).([]any)) > 0
}

// acked reports whether no group needs an entry any more.
func (r *refs) acked(key, id string) bool {
	for _, g := range r.do(key, "XINFO GROUPS %%k").([]any) {
		m := g.(map[any]any)
		var last, this int
		fmt.Sscanf(m["last-delivered-id"].(string), "%d-", &last)
		fmt.Sscanf(id, "%d-", &this)
		if this > last || r.pends(key, m["name"].(string), id) {
			return false
		}
	}
	return true
}

// forget makes all groups forget an entry.
func (r *refs) forget(key, id string) {
	for _, g := range refGroups {
		r.do(key, "XACK %%k %s %s", g, id)
	}
}

// drop is XDELEX of one entry, made of older commands.
func (r *refs) drop(mode, id string) int64 {
	there := len(r.do("old", "XRANGE %%k %s %s", id, id).([]any)) > 0
	switch {
	case mode == "ACKED" && (there && !r.acked("old", id) || r.pends("old", "g", id) || r.pends("old", "h", id)):
		return 2 // even if it is gone, as long as a group remembers it
	case mode == "DELREF":
		r.forget("old", id)
	}
	if !there {
		return -1
	}
	r.do("old", "XDEL %%k %s", id)
	return 1
}

func (r *refs) step() {
	mode := []string{"", "KEEPREF", "DELREF", "ACKED"}[r.rng.IntN(4)]
	group := refGroups[r.rng.IntN(2)]
	switch r.rng.IntN(14) {
	case 0, 1, 2, 3, 4, 5:
		r.top++
		r.both("XADD %%k %d-0 f v", r.top)
	case 6, 7:
		r.both("XREADGROUP GROUP %s c%d COUNT %d STREAMS %%k >", group, r.rng.IntN(2), 1+r.rng.IntN(5))
	case 8:
		r.both("XACK %%k %s %s", group, strings.Join(r.idList(), " "))
	case 9, 10:
		ids := r.idList()
		got := r.do("new", "XDELEX %%k %s IDS %d %s", mode, len(ids), strings.Join(ids, " ")).([]any)
		for i, id := range ids {
			if want := r.drop(mode, id); got[i] != want {
				r.fatal("XDELEX: %v, but %s is %d", got, id, want)
			}
		}
	case 11, 12:
		ids := r.idList()
		got := r.do("new", "XACKDEL %%k %s %s IDS %d %s", group, mode, len(ids), strings.Join(ids, " ")).([]any)
		for i, id := range ids {
			want := int64(-1)
			if r.do("old", "XACK %%k %s %s", group, id) == int64(1) {
				// It was pending: what is not in the stream any more counts as deleted.
				want = max(r.drop(mode, id), 1)
			}
			if got[i] != want {
				r.fatal("XACKDEL: %v, but %s is %d", got, id, want)
			}
		}
	case 13:
		r.trim(mode)
	}
}

// trim compares XTRIM with what it would do without an eye on groups.
func (r *refs) trim(mode string) {
	how := []string{"MAXLEN", "MAXLEN =", "MAXLEN ~"}[r.rng.IntN(3)]
	keep := r.rng.IntN(8)
	before := r.ids("new")
	r.do("new", "XTRIM %%k %s %d %s", how, keep, mode)
	left := r.ids("new")
	if mode != "ACKED" {
		r.do("old", "XTRIM %%k %s %d", how, keep)
		if mode == "DELREF" {
			for _, id := range before[:len(before)-len(left)] {
				r.forget("old", id)
			}
		}
		return
	}
	if len(left) < min(keep, len(before)) {
		r.fatal("XTRIM left %d of %d", len(left), len(before))
	}
	// The first entries are gone but for those that some group needs.
	last := 0
	for i, id := range before {
		if !slices.Contains(left, id) {
			last = i
			if !r.acked("old", id) {
				r.fatal("XTRIM has removed %s, which is needed", id)
			}
		}
	}
	for _, id := range before[:last] {
		if slices.Contains(left, id) && r.acked("old", id) {
			r.fatal("XTRIM has left %s, which is not needed", id)
		}
	}
	// How nodes are left is no matter of older commands: start anew.
	r.both("DEL %%k")
	r.begin()
}

func (r *refs) begin() {
	for _, g := range refGroups {
		r.both("XGROUP CREATE %%k %s 0 MKSTREAM", g)
	}
}

// check compares all that is to be known about the two streams, but for times.
func (r *refs) check() {
	state := func(key string) string {
		var b strings.Builder
		fmt.Fprintln(&b, r.do(key, "XRANGE %%k - +"))
		info := r.do(key, "XINFO STREAM %%k").(map[any]any)
		for _, f := range []string{"length", "radix-tree-keys", "last-generated-id", "entries-added", "recorded-first-entry-id"} {
			fmt.Fprintln(&b, f, info[f])
		}
		for _, g := range refGroups {
			fmt.Fprintln(&b, r.do(key, "XPENDING %%k %s", g))
			for _, e := range r.do(key, "XPENDING %%k %s - + 1000", g).([]any) {
				p := e.([]any)
				fmt.Fprintln(&b, p[0], p[1], p[3])
			}
		}
		return b.String()
	}
	at := len(r.ops)
	a, b := state("new"), state("old")
	r.ops = r.ops[:at]
	if a != b {
		r.fatal("newer commands:\n%s\nolder ones:\n%s", a, b)
	}
}

// TestXStreamReferences: XDELEX, XACKDEL and trimming that minds groups do what older commands can do together.
func TestXStreamReferences(t *testing.T) {
	for _, nodes := range []string{"1", "3", "100"} {
		t.Run("nodes of "+nodes, func(t *testing.T) {
			srv := openServer(t, "stream-node-max-entries", nodes)
			ctx, cancel := context.WithTimeout(context.Background(), streamTime)
			defer cancel()
			for seed := range uint64(4) {
				r := &refs{t: t, ctx: ctx, c: streamClient(t, srv), rng: rand.New(rand.NewPCG(seed, 1))}
				r.both("DEL %%k")
				r.begin()
				for range 60 {
					r.step()
					r.check()
				}
			}
		})
	}
}
