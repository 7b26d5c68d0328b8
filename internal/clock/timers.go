package clock

import (
	"container/heap"
	"math"
	"sync"
	"time"
)

// timers are the pending timers of a clock that a program moves, ordered by deadline, then creation. They belong to whoever
// holds the clock's mutex.
type timers struct {
	heap timerHeap
	seq  uint64
}

// add makes a timer that is due at the monotonic time due; mu guards ts.
func (ts *timers) add(mu *sync.Mutex, due time.Duration, f func()) *timer {
	ts.seq++
	t := &timer{mu: mu, all: ts, due: due, seq: ts.seq, f: f}
	heap.Push(&ts.heap, t)
	return t
}

// next returns the deadline of the first timer; ok is false if there is none.
func (ts *timers) next() (due time.Duration, ok bool) {
	if len(ts.heap) == 0 {
		return 0, false
	}
	return ts.heap[0].due, true
}

// pop takes the first timer if it is due at end or earlier, else it returns nil.
func (ts *timers) pop(end time.Duration) *timer {
	if due, ok := ts.next(); !ok || due > end {
		return nil
	}
	return heap.Pop(&ts.heap).(*timer)
}

// timer is a Timer of a clock that a program moves.
type timer struct {
	mu    *sync.Mutex
	all   *timers
	due   time.Duration // monotonic
	seq   uint64
	f     func()
	index int // position in the heap, -1 when not in it; guarded by mu
}

// Stop implements Timer.
func (t *timer) Stop() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.index < 0 {
		return false
	}
	heap.Remove(&t.all.heap, t.index)
	return true
}

// after is the sum of two durations that are not negative; what is too large is the end of time.
func after(at, d time.Duration) time.Duration {
	if d > math.MaxInt64-at {
		return math.MaxInt64
	}
	return at + d
}

// timerHeap is a container/heap.
type timerHeap []*timer

func (h timerHeap) Len() int { return len(h) }

func (h timerHeap) Less(i, j int) bool {
	if h[i].due != h[j].due {
		return h[i].due < h[j].due
	}
	return h[i].seq < h[j].seq
}

func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *timerHeap) Push(x any) {
	t := x.(*timer)
	t.index = len(*h)
	*h = append(*h, t)
}

func (h *timerHeap) Pop() any {
	old := *h
	last := len(old) - 1
	t := old[last]
	old[last] = nil
	*h = old[:last]
	t.index = -1
	return t
}
