package stream

import (
	"fmt"
	"testing"
)

var benchLimits = Limits{4096, 100}

func benchPairs() [][]byte {
	return [][]byte{[]byte("sensor"), []byte("17"), []byte("value"), []byte("23.75"), []byte("unit"), []byte("C")}
}

func BenchmarkAppend(b *testing.B) {
	s, pairs := New(), benchPairs()
	b.ReportAllocs()
	for i := range b.N {
		s.Append(ID{1700000000000 + uint64(i)/4, uint64(i) % 4}, pairs, benchLimits)
	}
	b.ReportMetric(float64(s.Bytes())/float64(s.Len()), "B/entry")
}

func BenchmarkAppendTrim(b *testing.B) {
	s, pairs := New(), benchPairs()
	b.ReportAllocs()
	for i := range b.N {
		s.Append(ID{1700000000000 + uint64(i)/4, uint64(i) % 4}, pairs, benchLimits)
		s.Trim(Trim{MaxLen: 10000, Approx: true, Limit: 10000})
	}
}

func BenchmarkRange100(b *testing.B) {
	for _, reverse := range []bool{false, true} {
		b.Run(fmt.Sprint("reverse=", reverse), func(b *testing.B) {
			s, pairs := New(), benchPairs()
			const n = 100000
			for i := range n {
				s.Append(ID{1700000000000 + uint64(i), 0}, pairs, benchLimits)
			}
			b.ReportAllocs()
			for i := range b.N {
				id := ID{1700000000000 + 200 + uint64(i*7919)%(n-400), 0}
				from, to := id, MaxID
				if reverse {
					from, to = MinID, id
				}
				it, size := s.Range(from, to, reverse), 0
				for range 100 {
					if !it.Next() {
						b.Fatal("too few")
					}
					for range it.NumFields() {
						f, v := it.Field()
						size += len(f) + len(v)
					}
				}
				if size == 0 {
					b.Fatal("empty")
				}
			}
		})
	}
}

// BenchmarkAck delivers and acknowledges with as many entries pending.
func BenchmarkAck(b *testing.B) {
	for _, pending := range []int{1, 100, 1000000} {
		b.Run(fmt.Sprint(pending), func(b *testing.B) {
			s := New()
			g, _ := s.CreateGroup([]byte("g"), ID{}, 0)
			var consumers []*Consumer
			for i := range 8 {
				c, _ := g.CreateConsumer(fmt.Append(nil, i), 0)
				consumers = append(consumers, c)
			}
			id := func(i int) ID { return ID{1700000000000 + uint64(i)/4, uint64(i) % 4} }
			for i := range pending {
				g.Assign(id(i), consumers[i%8], 1, 1)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				g.Assign(id(pending+i), consumers[i%8], 1, 1)
				if !g.Ack(id(i)) {
					b.Fatal("not pending")
				}
			}
			b.ReportMetric(float64(s.Bytes())/float64(pending), "B/pending")
		})
	}
}

func BenchmarkDelete(b *testing.B) {
	s, pairs := New(), benchPairs()
	for i := range b.N {
		s.Append(ID{1700000000000 + uint64(i), 0}, pairs, benchLimits)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		s.Delete(ID{1700000000000 + uint64(i), 0})
	}
}
