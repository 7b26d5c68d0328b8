package store

import (
	"sync"
	"testing"
)

// TestEnterUnlessBusy: who waits at a gate learns that the operation inside takes too long, and gets in once it is over.
func TestEnterUnlessBusy(t *testing.T) {
	s := New(Options{Shards: 1})
	defer s.Close()
	gate := s.NewGate()
	inside, leave := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		s.Exclusive(nil, func() {
			close(inside)
			<-leave
		})
	})
	<-inside
	entered := make(chan bool)
	go func() { entered <- s.EnterUnlessBusy(gate) }()
	s.SetBusy(true)
	if <-entered {
		t.Fatal("entered while an exclusive operation runs")
	}
	s.SetBusy(false)
	go func() { entered <- s.EnterUnlessBusy(gate) }()
	close(leave)
	if !<-entered {
		t.Fatal("given up although nothing is busy")
	}
	gate.Leave()
	wg.Wait()
}

// TestExclusiveIsAlone has many enter gates while exclusive operations come and go.
func TestExclusiveIsAlone(t *testing.T) {
	s := New(Options{Shards: 1})
	defer s.Close()
	n := 0 // written without a lock by those who are alone, read by those inside a gate
	var wg sync.WaitGroup
	for range 4 {
		gate := s.NewGate()
		wg.Go(func() {
			for range 300 {
				if s.EnterUnlessBusy(gate) {
					_ = n
					gate.Leave()
				}
			}
		})
		wg.Go(func() {
			for range 100 {
				s.Exclusive(nil, func() { n++ })
			}
		})
	}
	wg.Wait()
	if n != 400 {
		t.Errorf("%d exclusive operations counted, want 400", n)
	}
}

// A gate that is made while an exclusive operation runs is closed until it is over.
func TestGateMadeMeanwhile(t *testing.T) {
	s := New(Options{})
	defer s.Close()
	entered := make(chan struct{})
	s.Exclusive(nil, func() {
		g := s.NewGate()
		if g.mu.TryRLock() {
			t.Error("the gate is open")
		}
		go func() {
			g.Enter()
			defer g.Leave()
			close(entered)
		}()
	})
	<-entered
	s.Exclusive(nil, func() {}) // it is one of all gates now
}
