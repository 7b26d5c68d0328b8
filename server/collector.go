package server

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"sync/atomic"
)

// collector tunes Go's garbage collector to the data, so that the resident set stays near what is live. It changes the
// whole process, so it is off unless Options.TuneCollector asks for it.
//
// A cycle costs in proportion to what it has to look at, and data without pointers, which is most of it, costs next to
// nothing; so the heap may grow by a small share of itself between two cycles. If cycles take more of the processor's
// time than they should, because values with pointers prevail, the share grows until they do not. Small heaps may
// grow by a fixed amount, which keeps cycles rare.
type collector struct {
	s  *Server
	on atomic.Bool
	mu struct {
		sync.Mutex
		share    float64 // of the live heap, by which it may grow
		percent  int     // GOGC in force
		limit    int64   // soft limit in force
		gc, all  float64 // processor seconds at the last look at them
		usedThen int64   // bytes of data at the end of the last cycle
	}
	old struct {
		percent int
		limit   int64
	}
	idle int // turns of watch since the data shrank
}

const (
	minGrowth = 16 << 20 // bytes a heap may grow by, however small
	minShare  = 0.11
	maxShare  = 1.0
	// costly and cheap bound the share of the processors' time that cycles may take before the heap's share changes.
	costly = 0.05
	cheap  = 0.02
	// window is the processor time in seconds over which that is measured, at least.
	window = 0.5
)

// start begins to tune; GOGC in the environment is an order not to.
func (c *collector) start(s *Server) {
	c.s = s
	if os.Getenv("GOGC") != "" {
		return
	}
	c.on.Store(true)
	c.mu.share = minShare
	c.old.percent = debug.SetGCPercent(100)
	c.mu.percent = 100
	c.old.limit = debug.SetMemoryLimit(-1)
	c.mu.limit = c.old.limit
	c.plan()
	c.arm()
}

// stop gives the process back what start has found.
func (c *collector) stop() {
	if c.on.CompareAndSwap(true, false) {
		c.mu.Lock()
		defer c.mu.Unlock()
		debug.SetGCPercent(c.old.percent)
		debug.SetMemoryLimit(c.old.limit)
	}
}

// arm has turn called at the end of the next cycle: an object that nobody holds is finalized then.
func (c *collector) arm() {
	type sentinel struct{ c *collector }
	runtime.SetFinalizer(&sentinel{c}, func(x *sentinel) {
		if x.c.on.Load() {
			x.c.turn()
			x.c.arm()
		}
	})
}

// turn looks at what cycles cost and plans the next one.
func (c *collector) turn() {
	v := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}, {Name: "/cpu/classes/gc/mark/idle:cpu-seconds"},
		{Name: "/cpu/classes/total:cpu-seconds"}}
	metrics.Read(v)
	gc, all := v[0].Value.Float64()-v[1].Value.Float64(), v[2].Value.Float64()
	c.mu.Lock()
	if d := all - c.mu.all; d >= window {
		c.mu.share = nextShare(c.mu.share, (gc-c.mu.gc)/d)
		c.mu.gc, c.mu.all = gc, all
	}
	c.mu.usedThen = c.s.store.UsedMemory()
	c.mu.Unlock()
	c.plan()
}

// nextShare is the share by which the heap may grow, after cycles have taken cost of the processors' time.
func nextShare(share, cost float64) float64 {
	switch {
	case cost > costly:
		share *= min(2, cost/costly)
	case cost < cheap:
		share *= 0.8
	}
	return min(max(share, minShare), maxShare)
}

// plan sets the collector to the live heap and to maxmemory.
func (c *collector) plan() {
	if !c.on.Load() {
		return
	}
	v := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(v)
	c.mu.Lock()
	defer c.mu.Unlock()
	live := int64(v[0].Value.Uint64())
	percent := growthPercent(live, c.mu.share)
	// Each change stops the world for some microseconds: small ones are not worth it.
	if d := percent - c.mu.percent; d*d*100 > c.mu.percent*c.mu.percent {
		debug.SetGCPercent(percent)
		c.mu.percent = percent
	}
	if c.old.limit != math.MaxInt64 {
		return // GOMEMLIMIT says it
	}
	if limit := softLimit(live, c.s.store.Eviction().Limit); limit != c.mu.limit {
		debug.SetMemoryLimit(limit)
		c.mu.limit = limit
	}
}

// growthPercent is GOGC for a heap with live bytes that may grow by share.
func growthPercent(live int64, share float64) int {
	grow := max(float64(minGrowth), float64(live)*share)
	return int(math.Ceil(100 * grow / float64(max(live, 4<<20))))
}

// softLimit is the runtime's memory limit for a given maxmemory: a quarter more, for the dead share of logs and for
// garbage. It is never so near the live heap that the collector would have to run all the time.
func softLimit(live, maxMemory int64) int64 {
	if maxMemory <= 0 || maxMemory > math.MaxInt64/2 {
		return math.MaxInt64
	}
	const step = 16 << 20 // rounding, so that it does not change with every cycle
	limit := max(maxMemory+maxMemory/4+2*minGrowth, live+live/4+2*minGrowth)
	return (limit + step - 1) / step * step
}

// watch is called once a second. The collector runs when memory is taken, so after much of the data was dropped
// nothing would be given back until much is taken again: it is told to run.
func (c *collector) watch() {
	if !c.on.Load() {
		return
	}
	used := c.s.store.UsedMemory()
	c.mu.Lock()
	shrunk := used+used/4+2*minGrowth < c.mu.usedThen
	c.mu.Unlock()
	if !shrunk {
		c.idle = 0
		return
	}
	// Two looks in a row: whoever drops data in steps is let finish.
	if c.idle++; c.idle >= 2 {
		c.idle = 0
		c.s.env().PurgeMemory()
	}
}
