package stats

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

// A latency falls into a bucket of a log-linear histogram: below 2^subBits nanoseconds each has its own, above, each power
// of two is cut into 2^subBits equal parts, so a bucket is at most 1/32 of its values wide. Latencies above maxLatency
// count as maxLatency.
//
//	index:  0 .. 31 | 32 .. 63 | 64 .. 95 | ...
//	ns:     0 .. 31 | 32 .. 63 | 64 .. 127 in steps of 2 | ...
const (
	subBits    = 5
	maxLatency = time.Second
	// topBit is the highest bit of maxLatency in nanoseconds, 10^9 < 2^30.
	topBit     = 29
	numBuckets = (topBit - subBits + 2) << subBits
)

// histogram counts on one loop.
type histogram [numBuckets]atomic.Int64

func bucketOf(d time.Duration) int {
	n := uint64(min(max(d, 0), maxLatency))
	if n < 1<<subBits {
		return int(n)
	}
	shift := bits.Len64(n) - 1 - subBits
	return (shift+1)<<subBits + int(n>>shift) - 1<<subBits
}

// bucketMax is the largest latency that falls into the bucket.
func bucketMax(i int) time.Duration {
	if i < 1<<subBits {
		return time.Duration(i)
	}
	shift := i>>subBits - 1
	part := i&(1<<subBits-1) | 1<<subBits
	return time.Duration((part+1)<<shift - 1)
}

func (c *command) record(d time.Duration) {
	h := c.latency.Load()
	if h == nil {
		c.latency.CompareAndSwap(nil, new(histogram))
		if h = c.latency.Load(); h == nil {
			return // reset meanwhile
		}
	}
	h[bucketOf(d)].Add(1)
}

// Latency is the distribution of the latencies of one command.
type Latency struct {
	total  int64
	counts [numBuckets]int64
}

// Latency adds up the latencies of a command. It returns nil when none was tracked.
func (s *Stats) Latency(id int) *Latency {
	var out *Latency
	for _, l := range s.loops() {
		h := l.commands[id].latency.Load()
		if h == nil {
			continue
		}
		if out == nil {
			out = new(Latency)
		}
		for i := range h {
			n := h[i].Load()
			out.counts[i] += n
			out.total += n
		}
	}
	if out == nil || out.total == 0 {
		return nil
	}
	return out
}

// Count is the number of tracked calls.
func (l *Latency) Count() int64 { return l.total }

// Percentile is the latency that percent of the calls do not exceed, rounded up to its bucket: at most 1/32 too large.
// percent is from 0 to 100; 0 gives the fastest call.
func (l *Latency) Percentile(percent float64) time.Duration {
	rank := int64(math.Round(percent / 100 * float64(l.total)))
	rank = min(max(rank, 1), l.total)
	var seen int64
	for i, n := range l.counts {
		if seen += n; seen >= rank {
			return bucketMax(i)
		}
	}
	return maxLatency
}

// Step is one entry of LATENCY HISTOGRAM: Count calls took no longer than Usec microseconds.
type Step struct {
	Usec  int64
	Count int64
}

// Steps lists cumulative counts at the powers of two of a microsecond, from the first that any call stayed below to the
// first that all did; steps which add no call are left out.
func (l *Latency) Steps() []Step {
	var out []Step
	var seen, shown int64
	i := 0
	for usec := int64(1); shown < l.total; usec *= 2 {
		// A bucket counts for the step when it ends there at the latest; the last one ends above one second.
		for i < numBuckets && bucketMax(i) <= time.Duration(usec)*time.Microsecond {
			seen += l.counts[i]
			i++
		}
		if seen > shown {
			out = append(out, Step{usec, seen})
			shown = seen
		}
	}
	return out
}
