package pulsetest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/internal/oracle"
	"github.com/streampulse/pulse/internal/resp"
	"github.com/streampulse/pulse/server/pulsetest"
)

// everyType makes values of every type, small and large.
const everyType = `
	SET text "some \x00 bytes"
	SET number 12
	EXPIRE number 1000
	RPUSH list a "" b a
	HSET hash f v "" empty
	SADD ints 3 1 2
	SADD words x y z
	ZADD zset 1.5 b -inf a 1.5 c 3e300 d
	XADD stream 5-1 f v g w
	XADD stream 5-2 f v
	XGROUP CREATE stream group 0
	XREADGROUP GROUP group alice COUNT 1 STREAMS stream >
	PFADD hll a b c
	GEOADD places 13.361389 38.115556 Palermo
	SELECT 2
	SET elsewhere x
	SELECT 0
`

// Capture reads a real Redis as Snapshot reads a server of ours.
func TestCapture(t *testing.T) {
	t.Parallel()
	real := oracle.Start(t)
	s := pulsetest.Start(t)
	s.Load(everyType)
	c := redis.NewClient(&redis.Options{Addr: real.Addr(), DisableIdentity: true})
	defer c.Close()
	err := c.Watch(t.Context(), func(tx *redis.Tx) error { // one connection
		for line := range strings.Lines(everyType) {
			words, err := resp.SplitArgs([]byte(strings.TrimSpace(line)))
			if err != nil {
				return err
			}
			var args []any
			for _, w := range words {
				args = append(args, w)
			}
			if len(args) > 0 {
				if err := tx.Do(t.Context(), args...).Err(); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want, err := pulsetest.Capture(real.Addr())
	if err != nil {
		t.Fatal(err)
	}
	if d := pulsetest.Diff(want, s.Snapshot()); d != "" {
		t.Error(d)
	}
	ours, err := pulsetest.Capture(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	if d := pulsetest.Diff(ours, s.Snapshot()); d != "" || len(ours) != 11 {
		t.Errorf("over the network there are %d keys; %s", len(ours), d)
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	k := func(name string) pulsetest.Key { return pulsetest.Key{Name: name} }
	v := func(items ...string) pulsetest.Value { return pulsetest.Value{Type: "list", Items: items} }
	soon, later := v("a"), v("a")
	soon.Deadline, later.Deadline = at, at.Add(2*time.Second)
	nearly := soon
	nearly.Deadline = at.Add(999 * time.Millisecond)
	want := pulsetest.Snapshot{
		k("same"): v("a"), k("missing"): v("a", "b"), k("other"): v("a"), k("expires"): soon, k("stays"): v("a"), k("nearly"): soon,
		{DB: 1, Name: "type"}: {Type: "string", Items: []string{"x"}},
	}
	got := pulsetest.Snapshot{
		k("same"): v("a"), k("more"): v(), k("other"): v("b"), k("expires"): later, k("stays"): soon, k("nearly"): nearly,
		{DB: 1, Name: "type"}: {Type: "hash", Items: []string{"x", "y"}},
	}
	lines := []string{
		`"expires" expires 2030-01-01 00:00:02.000, want 2030-01-01 00:00:00.000`,
		`"missing" is missing, want list(2) "a" "b"`,
		`"more" is list(0), want nothing`,
		`"other" is list(1) "b", want list(1) "a"`,
		`"stays" expires 2030-01-01 00:00:00.000, want never`,
		`"type" in database 1 is hash(1) "x"="y", want string "x"`,
	}
	if d := pulsetest.Diff(want, got); d != strings.Join(lines, "\n")+"\n" {
		t.Errorf("%s\nwant\n%s", d, strings.Join(lines, "\n"))
	}
	if d := pulsetest.Diff(got, got); d != "" {
		t.Errorf("with itself: %s", d)
	}
}

func TestFillAndEqual(t *testing.T) {
	t.Parallel()
	f := &failing{TB: t}
	s := pulsetest.Start(f, pulsetest.InMemory())
	data := map[string]any{
		"text": "x", "bytes": []byte{0, 255}, "int": -5, "uint": uint8(5), "float": 0.1, "list": []string{"b", "a", "b"},
		"hash": map[string]string{"f": "v", "": ""}, "set": pulsetest.Members{"b", "a", "b"}, "zset": pulsetest.Scores{"a": 0.1, "b": -2, "c": 1e21},
	}
	s.Must("RPUSH", "text", "is replaced")
	s.Fill(data)
	s.Equal(data)
	s.Must("EXPIRE", "text", "100") // does not matter
	s.Must("SELECT", "1")
	s.Must("SET", "elsewhere", "x") // nor does that
	s.Equal(data)
	if len(f.failed) != 0 {
		t.Errorf("%q", f.failed)
	}
	s.Must("SELECT", "0")
	s.Must("SREM", "set", "a")
	s.Equal(data)
	if len(f.failed) != 1 || !strings.Contains(f.failed[0], `"set" is set(1) "b", want set(2) "a" "b"`) {
		t.Errorf("%q", f.failed)
	}
	for _, g := range f.cleanup {
		g()
	}
}
