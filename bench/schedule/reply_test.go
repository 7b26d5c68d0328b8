package schedule

import (
	"reflect"
	"testing"
	"time"
)

func TestRepliesOfOtherShapesAreErrors(t *testing.T) {
	const now, due = int64(1_700_000_000_000_000), int64(1_699_999_999_000_000)
	job := []any{"id", "payload", due, int64(2_000), int64(3), int64(7)}
	jobs, next, err := parseClaim(append([]any{now, int64(5)}, job...))
	want := Job{ID: "id", Payload: "payload", Due: time.UnixMicro(due), Claimed: time.UnixMicro(now), Every: 2 * time.Millisecond, Claims: 3, token: 7}
	if err != nil || next != 5*time.Microsecond || len(jobs) != 1 || !reflect.DeepEqual(jobs[0], want) {
		t.Fatalf("%+v, %v, %v; want %+v", jobs, next, err, want)
	}
	if late := jobs[0].Late(); late != time.Second {
		t.Errorf("late by %v", late)
	}
	for name, r := range map[string][]any{
		"nothing":           nil,
		"no time":           {now},
		"a part of a job":   {now, int64(5), "id"},
		"a text for a time": {"now", int64(5)},
		"a number for an id": {
			now, int64(5), int64(1), "payload", due, int64(0), int64(1), int64(1),
		},
		"a payload that is missing": {now, int64(5), "id", nil, due, int64(0), int64(1), int64(1)},
	} {
		if jobs, _, err := parseClaim(r); err == nil {
			t.Errorf("%s: %+v", name, jobs)
		}
	}
}

func TestBackoffGrowsAndEnds(t *testing.T) {
	for claims, want := range map[int64]time.Duration{
		1: firstBackoff, 2: 2 * firstBackoff, 5: 16 * firstBackoff, 10: 51200 * time.Millisecond, 11: lastBackoff, 1 << 40: lastBackoff,
	} {
		if d := backoff(claims); d != want {
			t.Errorf("after %d claims: %v, want %v", claims, d, want)
		}
	}
}
