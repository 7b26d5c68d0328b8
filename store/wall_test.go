package store

import (
	"math"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/clock"
)

func TestWall(t *testing.T) {
	deadlines, wall := clock.NewFake(time.UnixMilli(1_000)), clock.NewFake(time.UnixMilli(50_000))
	s := New(Options{Clock: deadlines, Wall: wall})
	defer s.Close()
	tx := s.NewTx()
	tx.BeginAt(0, 7) // of no interest
	if tx.Now() != 1_000 || tx.Wall() != 50_000 {
		t.Fatalf("now %d, wall %d", tx.Now(), tx.Wall())
	}
	for _, row := range []struct{ date, deadline int64 }{
		{50_000, 1_000}, {60_000, 11_000}, {0, -49_000}, {Forever, Forever}, {math.MinInt64, math.MinInt64},
	} {
		if got := tx.FromWall(row.date); got != row.deadline {
			t.Errorf("FromWall(%d) = %d, want %d", row.date, got, row.deadline)
		}
		if got := tx.ToWall(row.deadline); row.date != math.MinInt64 && got != row.date {
			t.Errorf("ToWall(%d) = %d, want %d", row.deadline, got, row.date)
		}
	}
	if got := tx.ToWall(Forever - 1); got != Forever-1 {
		t.Errorf("beyond the end: %d", got)
	}

	tx.LockKey([]byte("k"))
	tx.SetText([]byte("k"), []byte("v"), tx.FromWall(51_000))
	tx.Unlock()
	there := func() bool {
		tx.Begin(0)
		tx.LockKey([]byte("k"))
		defer tx.Unlock()
		return tx.Has([]byte("k"))
	}
	wall.Advance(time.Hour)
	if !there() {
		t.Error("the clock that clients see has taken the key")
	}
	deadlines.Advance(time.Second)
	if there() {
		t.Error("the deadline has passed")
	}
}

func TestOneClockIsNotConverted(t *testing.T) {
	s := New(Options{Clock: clock.NewFake(time.UnixMilli(1_000))})
	defer s.Close()
	tx := s.NewTx()
	tx.BeginAt(0, 7)
	if tx.Now() != 7 || tx.Wall() != 7 || tx.FromWall(9) != 9 || tx.ToWall(9) != 9 {
		t.Errorf("now %d, wall %d", tx.Now(), tx.Wall())
	}
}
