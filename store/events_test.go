package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/clock"
)

// heard collects what a store tells.
func heard(s *Store, to Events) *[]string {
	var got []string
	s.Listen(to, func(_ *Tx, events []Event) {
		for _, e := range events {
			got = append(got, fmt.Sprintf("%s %s@%d", e.Name, e.Key, e.DB))
		}
	})
	return &got
}

func TestEventsAreToldInOrderUnderTheLock(t *testing.T) {
	clk := clock.NewFake(time.UnixMilli(1_000_000))
	s := New(Options{Clock: clk, Shards: 4, Databases: 2})
	defer s.Close()
	s.SetActiveExpire(false)
	got := heard(s, OnNew|OnExpired|OnMiss|OnGeneric)
	tx := s.NewTx()
	key, other := []byte("key"), []byte("other")
	tx.Begin(1)
	tx.LockAll()
	tx.SetText(key, []byte("v"), clk.NowMs()+5)
	tx.Tell(OnGeneric, "first", key)
	tx.Tell(OnString, "nobody listens", key)
	tx.SetText(key, []byte("w"), clk.NowMs()+5)
	tx.Text(other)
	if len(*got) != 0 {
		t.Errorf("told before the end: %q", *got)
	}
	tx.Unlock()
	want := []string{"new key@1", "first key@1", "keymiss other@1"}
	if !slices.Equal(*got, want) {
		t.Errorf("told %q, want %q", *got, want)
	}
	clk.Advance(10 * time.Millisecond)
	*got = nil
	tx.Begin(1)
	tx.LockKey(key)
	tx.Text(key)
	tx.Unlock()
	if want := []string{"expired key@1", "keymiss key@1"}; !slices.Equal(*got, want) {
		t.Errorf("told %q, want %q", *got, want)
	}
	// What was done before is not told again, and nothing is once nobody listens.
	*got = nil
	tx.Replaying = true
	tx.Begin(0)
	tx.LockKey(key)
	tx.SetText(key, []byte("v"), Forever)
	tx.Unlock()
	tx.Replaying = false
	s.Listen(0, nil)
	tx.Begin(0)
	tx.LockKey(other)
	tx.SetText(other, []byte("v"), Forever)
	tx.Unlock()
	if len(*got) != 0 {
		t.Errorf("told %q", *got)
	}
}

func TestManyEventsDoNotWaitForTheEnd(t *testing.T) {
	s := New(Options{Shards: 4, Databases: 1})
	defer s.Close()
	got := heard(s, OnNew)
	tx := s.NewTx()
	tx.Begin(0)
	tx.LockAll()
	const n = 5 * maxTold
	for i := range n {
		tx.SetText(fmt.Appendf(nil, "k%d", i), []byte("v"), Forever)
	}
	if len(tx.told.events) > maxTold {
		t.Errorf("%d events wait", len(tx.told.events))
	}
	tx.Unlock()
	for i := range n {
		if want := fmt.Sprintf("new k%d@0", i); (*got)[i] != want {
			t.Fatalf("event %d is %q, want %q", i, (*got)[i], want)
		}
	}
	if len(*got) != n {
		t.Errorf("%d events, want %d", len(*got), n)
	}
}
