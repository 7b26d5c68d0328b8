package rdb_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/streampulse/pulse/persistence/rdb"
	"github.com/streampulse/pulse/store"
	"github.com/streampulse/pulse/store/codec"
)

// small makes a file of n keys of 16 bytes with values of 32.
func small(n int) []byte {
	r := rand.New(rand.NewPCG(1, 1))
	var out bytes.Buffer
	w := rdb.NewWriter(&out, rdb.Config{})
	for i := range n {
		w.Key(0, fmt.Appendf(nil, "key:%012d", i), codec.Value{Text: fmt.Appendf(nil, "%016x%016x", r.Uint64(), r.Uint64())}, rdb.Forever, rdb.Meta{})
	}
	w.Close()
	return out.Bytes()
}

func report(b *testing.B, n, size int) {
	b.SetBytes(int64(size))
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mkeys/s")
}

// BenchmarkLoad reads and decodes.
func BenchmarkLoad(b *testing.B) {
	const n = 500_000
	file := small(n)
	for _, workers := range []int{0, 1, 2} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				res, err := rdb.Load(bytes.NewReader(file), rdb.Options{Workers: workers,
					Put: func(int, int, []byte, codec.Value, int64, rdb.Meta) error { return nil }})
				if err != nil || res.Keys != n {
					b.Fatal(res, err)
				}
			}
			report(b, n, len(file))
		})
	}
}

// BenchmarkFill fills a store, too.
func BenchmarkFill(b *testing.B) {
	const n = 1_000_000
	file := small(n)
	for _, workers := range []int{0, 1, 2} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			for range b.N {
				s := store.New(store.Options{})
				txs := []*store.Tx{s.NewTx(), s.NewTx()}
				_, err := rdb.Load(bytes.NewReader(file), rdb.Options{Workers: workers,
					Put: func(worker, db int, key []byte, v codec.Value, at int64, _ rdb.Meta) error {
						tx := txs[worker]
						tx.Begin(db)
						tx.LockKey(key)
						tx.SetValue(key, v, at)
						tx.Unlock()
						return nil
					}})
				if err != nil || s.Keys(0) != n {
					b.Fatal(s.Keys(0), err)
				}
				s.Close()
			}
			report(b, n, len(file))
		})
	}
}

// BenchmarkWrite encodes and writes.
func BenchmarkWrite(b *testing.B) {
	const n = 500_000
	size := 0
	for b.Loop() {
		size = len(small(n))
	}
	report(b, n, size)
}
