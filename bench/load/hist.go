package load

import (
	"math/bits"
	"time"
)

// subBits gives each power of two 64 linear buckets, so a reported value is within 1.6 % of the recorded one.
const subBits = 6

const histLen = (64 - subBits) << subBits

// Histogram counts durations in buckets fixed in advance: recording neither allocates nor branches on what came before.
// The zero value is empty and ready. Not for concurrent use; record in one per goroutine and Merge.
type Histogram struct {
	buckets [histLen]int64
	count   int64
	max     int64
}

// bucketOf maps nanoseconds to a bucket: exact below 1<<subBits, then the subBits bits after the leading one.
func bucketOf(ns int64) int {
	v := uint64(ns)
	if v < 1<<subBits {
		return int(v)
	}
	shift := bits.Len64(v) - subBits - 1
	return (shift+1)<<subBits + int(v>>shift) - 1<<subBits
}

// upperOf returns the largest value that falls into bucket i.
func upperOf(i int) int64 {
	if i < 1<<subBits {
		return int64(i)
	}
	shift := i>>subBits - 1
	return (int64(i&(1<<subBits-1))+1<<subBits+1)<<shift - 1
}

// Record counts d n times; a negative d counts as zero.
func (h *Histogram) Record(d time.Duration, n int) {
	ns := max(0, int64(d))
	h.buckets[bucketOf(ns)] += int64(n)
	h.count += int64(n)
	h.max = max(h.max, ns)
}

// Merge adds what o has counted.
func (h *Histogram) Merge(o *Histogram) {
	for i, n := range o.buckets {
		h.buckets[i] += n
	}
	h.count += o.count
	h.max = max(h.max, o.max)
}

// Count returns how many durations were recorded.
func (h *Histogram) Count() int64 { return h.count }

// Quantile returns the smallest bucket bound that at least the fraction q of the durations do not exceed; zero when empty.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := int64(q*float64(h.count) + 0.9999999)
	rank = min(max(rank, 1), h.count)
	if h.count == 0 {
		return 0
	}
	var seen int64
	for i, n := range h.buckets {
		if seen += n; seen >= rank {
			return time.Duration(min(upperOf(i), h.max))
		}
	}
	return time.Duration(h.max)
}
