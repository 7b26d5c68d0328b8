package stats

import (
	"sync"
	"time"
)

// samples is the number of samples that a rate is the mean of; they are meant to be taken each 100 ms.
const samples = 16

// Rates are the instantaneous metrics of INFO.
type Rates struct {
	// OpsPerSec is in commands per second.
	OpsPerSec int64
	// InputKbps and the like are in units of 1024 bytes per second.
	InputKbps, OutputKbps         float64
	ReplInputKbps, ReplOutputKbps float64
	// CyclesPerSec counts turns of the event loops, CycleUsec is their mean duration in microseconds.
	CyclesPerSec, CycleUsec int64
}

// The sources of rates.
const (
	rateOps = iota
	rateInput
	rateOutput
	rateReplInput
	rateReplOutput
	rateCycles
	rateCycleNanos
	numRates
)

// rates holds a ring of samples for each source.
type rates struct {
	mu struct {
		sync.Mutex
		started bool
		last    time.Duration
		totals  [numRates]int64
		ring    [numRates][samples]int64 // per second; for rateCycleNanos per cycle
		next    int
	}
}

func (r *rates) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.started = false
	r.mu.ring = [numRates][samples]int64{}
	r.mu.next = 0
}

// Sample takes a sample for the rates. It is to be called about each 100 ms with the monotonic time.
func (s *Stats) Sample(now time.Duration) {
	totals := [numRates]int64{
		rateOps:        s.TotalCommands(),
		rateInput:      s.Sum(NetInput),
		rateOutput:     s.Sum(NetOutput),
		rateReplInput:  s.Sum(NetReplInput),
		rateReplOutput: s.Sum(NetReplOutput),
		rateCycles:     s.Sum(LoopCycles),
		rateCycleNanos: s.Sum(LoopNanos),
	}
	m := &s.rates.mu
	m.Lock()
	defer m.Unlock()
	elapsed := now - m.last
	started := m.started
	before := m.totals
	m.started, m.last, m.totals = true, now, totals
	if !started || elapsed <= 0 {
		return
	}
	cycles := max(totals[rateCycles]-before[rateCycles], 0)
	for i := range totals {
		// A reset between two samples makes the difference negative.
		n := max(totals[i]-before[i], 0)
		rate := int64(float64(n) / elapsed.Seconds())
		if i == rateCycleNanos {
			rate = 0
			if cycles > 0 {
				rate = n / cycles
			}
		}
		m.ring[i][m.next] = rate
	}
	m.next = (m.next + 1) % samples
}

func (r *rates) current() Rates {
	r.mu.Lock()
	defer r.mu.Unlock()
	mean := func(i int) int64 {
		var sum int64
		for _, n := range r.mu.ring[i] {
			sum += n
		}
		return sum / samples
	}
	kbps := func(i int) float64 { return float64(mean(i)) / 1024 }
	return Rates{
		OpsPerSec:      mean(rateOps),
		InputKbps:      kbps(rateInput),
		OutputKbps:     kbps(rateOutput),
		ReplInputKbps:  kbps(rateReplInput),
		ReplOutputKbps: kbps(rateReplOutput),
		CyclesPerSec:   mean(rateCycles),
		CycleUsec:      mean(rateCycleNanos) / 1000,
	}
}
