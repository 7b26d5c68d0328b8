package lock

import (
	"context"
	"testing"
	"time"

	"github.com/streampulse/pulse/bench/internal/benchtest"
)

// A client sends a request again when its reply was lost: the lock that the first one took is not another's.
func TestRequestSentTwiceTakesOneLock(t *testing.T) {
	rdb, prefix := benchtest.Client(t)
	l := New(rdb, prefix)
	var fences [2]int64
	for i := range fences {
		lk, _, err := l.try(context.Background(), "ledger", "one and the same", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		fences[i] = lk.Fence
	}
	if fences[0] != fences[1] {
		t.Errorf("fences %v", fences)
	}
}
