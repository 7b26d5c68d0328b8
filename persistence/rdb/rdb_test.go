package rdb

import (
	"bytes"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/streampulse/pulse/store/codec"
	"github.com/streampulse/pulse/store/list"
)

func TestRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for i, c := range []Config{
		{},
		{Version: 12, Compress: true},
		{Version: 12, NoChecksum: true},
		{Version: 12, Compress: true, Info: Info{Version: "7.4.1", Created: 1_700_000_000, UsedMemory: 1 << 40, Base: true},
			Sizes: []Size{{DB: 0, Keys: 500, Expires: 7}, {DB: 1, Keys: 1 << 62}}},
	} {
		kinds := 7
		if c.Version < codec.Version74 {
			kinds = 6
		}
		keys := sample(r, 500, kinds, 1+i)
		file := write(t, c, keys, "#!lua name=a\ncode", "")
		got, res, err := load(t, file)
		if err != nil {
			t.Fatal(err)
		}
		compare(t, got, keys)
		expires := int64(0)
		for _, k := range keys {
			if k.at != Forever {
				expires++
			}
		}
		want := Result{Version: max(c.Version, 10), Size: int64(len(file)), Keys: 500, Expires: expires, Functions: 2, Verified: !c.NoChecksum}
		if res != want {
			t.Errorf("%+v, want %+v", res, want)
		}
		if !slices.Equal(got.functions, []string{"#!lua name=a\ncode", ""}) {
			t.Errorf("functions %q", got.functions)
		}
		if c.Info.Version != "" && !slices.Equal(got.aux, []string{"redis-ver=7.4.1", "redis-bits=64", "ctime=1700000000", "used-mem=1099511627776", "aof-base=1"}) {
			t.Errorf("aux %q", got.aux)
		}
	}
}

// TestLong has values that are too long for a batch, with others around them.
func TestLong(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	noise := make([]byte, 200<<10)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	l := list.New()
	for range 40 {
		l.PushOne(noise[:1+r.IntN(6000)], false, usual.List)
	}
	keys := sample(r, 100, 6, 1)
	keys = append(keys,
		key{name: "noise", v: codec.Value{Text: noise}, at: 5},
		key{name: "short", v: codec.Value{Text: noise[:100]}, at: Forever},
		key{name: "list", v: codec.Value{Object: l}, at: Forever, m: Meta{Access: Idle, Used: 3}},
		key{name: string(noise[1:]), v: value(r, 3, 300), at: Forever})
	keys = append(keys, sample(r, 100, 6, 1)...)
	for i := 104; i < len(keys); i++ {
		keys[i].db = 7
	}
	keys = append(keys, key{db: 8, name: "hash", v: value(r, 4, 3000), at: Forever})
	file := write(t, Config{}, keys, string(noise))
	for _, longest := range []int{10, 1000, 100 << 10, usualLongest} {
		for _, workers := range []int{0, 2} {
			var c contents
			rd := NewReader(&dribble{b: file, n: 30000})
			rd.longest = longest
			res, err := rd.all(c.options(workers, usual))
			if err != nil {
				t.Fatal(longest, err)
			}
			compare(t, &c, keys)
			if !res.Verified || res.Size != int64(len(file)) || c.functions[0] != string(noise) {
				t.Errorf("%+v", res)
			}
		}
	}
}

// TestPreamble reads what follows the data.
func TestPreamble(t *testing.T) {
	keys := sample(rand.New(rand.NewPCG(3, 3)), 300, 6, 2)
	file := write(t, Config{}, keys)
	for _, more := range []string{"", "x", "*1\r\n$4\r\nPING\r\n", string(make([]byte, 1<<20))} {
		for _, workers := range []int{0, 2} {
			var c contents
			r := NewReader(bytes.NewReader(append(slices.Clone(file), more...)))
			res, err := r.Load(c.options(workers, usual))
			if err != nil || res.Size != int64(len(file)) {
				t.Fatal(err, res)
			}
			compare(t, &c, keys)
			if rest, err := io.ReadAll(r); err != nil || string(rest) != more {
				t.Fatalf("%v, %d bytes follow, want %d", err, len(rest), len(more))
			}
		}
	}
}
