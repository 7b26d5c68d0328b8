package session

import (
	"context"
	"testing"
	"time"

	"github.com/streampulse/pulse/bench/internal/benchtest"
)

// A client sends a request again when its reply was lost.
func TestRotationSentTwice(t *testing.T) {
	rdb, prefix := benchtest.Client(t)
	s, err := New(rdb, prefix, Options{Idle: time.Minute, Max: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	id, err := s.Create(ctx, "ann", nil)
	if err != nil {
		t.Fatal(err)
	}
	from, _ := find(id)
	to := place{from.tag, digest("another")}
	for range 2 {
		if err := s.rotate(ctx, from, to); err != nil {
			t.Error(err)
		}
	}
	if list, err := s.List(ctx, "ann"); err != nil || len(list) != 1 || list[0].Handle != to.handle {
		t.Errorf("%v, %v", list, err)
	}
}

// The server is asked once whether fields have deadlines, and what it says decides where tokens are.
func TestDetection(t *testing.T) {
	rdb, prefix := benchtest.Client(t)
	s, err := New(rdb, prefix, Options{Idle: time.Minute, Max: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	id, err := s.Create(ctx, "ann", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Issue(ctx, id, "pay", time.Minute); err != nil {
		t.Fatal(err)
	}
	p, _ := find(id)
	inField := rdb.HExists(ctx, s.key(p), "t:pay").Val()
	inKey := rdb.Exists(ctx, s.key(p)+":pay").Val() == 1
	has := rdb.HPExpire(ctx, prefix+"none", time.Minute, "f").Err() == nil
	if inField != has || inKey == has || s.fields.Load() == 0 {
		t.Errorf("HPEXPIRE known: %v; in a field: %v, in a key: %v, noted %d", has, inField, inKey, s.fields.Load())
	}
	if has {
		if ttl := rdb.HPTTL(ctx, s.key(p), "t:pay").Val(); len(ttl) != 1 || ttl[0] < 50_000 || ttl[0] > 60_000 {
			t.Errorf("the field has %v left", ttl)
		}
	}
}
