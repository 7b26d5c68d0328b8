package schedule_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/bench/internal/benchtest"
	"github.com/streampulse/pulse/bench/schedule"
)

func queue(t *testing.T) (*schedule.Queue, *redis.Client) {
	t.Helper()
	rdb, prefix := benchtest.Client(t)
	return schedule.New(rdb, prefix), rdb
}

// serverTime returns what the clock says that jobs go by.
func serverTime(t *testing.T, rdb *redis.Client) time.Time {
	t.Helper()
	now, err := rdb.Time(context.Background()).Result()
	if err != nil {
		t.Fatal(err)
	}
	return now
}

func claim(t *testing.T, q *schedule.Queue, n int, lease time.Duration) []schedule.Job {
	t.Helper()
	jobs, _, err := q.Claim(context.Background(), n, lease)
	if err != nil {
		t.Fatal(err)
	}
	return jobs
}

// claimSoon claims one job that becomes due within a moment.
func claimSoon(t *testing.T, q *schedule.Queue, lease time.Duration) schedule.Job {
	t.Helper()
	for begin := time.Now(); time.Since(begin) < 10*time.Second; time.Sleep(time.Millisecond) {
		if jobs := claim(t, q, 1, lease); len(jobs) > 0 {
			return jobs[0]
		}
	}
	t.Fatal("no job became due within 10 s")
	return schedule.Job{}
}

func TestNothingEarlyNothingTwice(t *testing.T) {
	t.Parallel()
	q, rdb := queue(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	const workers, jobs, spread = 8, 400, 300 * time.Millisecond
	type record struct {
		times int
		due   time.Time
	}
	var mu sync.Mutex
	done := map[string]*record{}
	var late []time.Duration
	all := make(chan struct{})
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			err := q.Work(ctx, time.Minute, func(_ context.Context, j *schedule.Job) error {
				mu.Lock()
				defer mu.Unlock()
				r := done[j.ID]
				switch {
				case r == nil:
					return fmt.Errorf("foreign job %q", j.ID)
				case j.Late() < 0:
					t.Errorf("job %s was claimed %v early", j.ID, -j.Late())
				case !j.Due.Equal(r.due) || j.Payload != "payload of "+j.ID || j.Claims != 1 || j.Every != 0:
					t.Errorf("job %s: %+v, want the time %v", j.ID, j, r.due)
				}
				r.times++
				if late = append(late, j.Late()); len(late) == jobs {
					close(all)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	base := serverTime(t, rdb).Truncate(time.Microsecond)
	for i := range jobs {
		id := fmt.Sprint("job ", i)
		due := base.Add(time.Duration(rnd.Int64N(int64(spread/time.Microsecond))) * time.Microsecond)
		mu.Lock()
		done[id] = &record{due: due}
		mu.Unlock()
		if err := q.At(ctx, id, "payload of "+id, due); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-all:
	case <-time.After(20 * time.Second):
		t.Error("some jobs were not done within 20 s")
	}
	cancel()
	wg.Wait()
	for id, r := range done {
		if r.times != 1 {
			t.Errorf("%s done %d times", id, r.times)
		}
	}
	if n, err := q.Len(context.Background()); err != nil || n != 0 {
		t.Errorf("%d jobs left, %v", n, err)
	}
	slices.Sort(late)
	t.Logf("late: median %v, 99 of 100 within %v, at most %v", late[len(late)/2], late[len(late)*99/100], late[len(late)-1])
}

// A worker that waits for a time far away must be woken by a job that comes before it, and at its time.
func TestSoonerJobWakesAWaitingWorker(t *testing.T) {
	t.Parallel()
	q, _ := queue(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := q.In(ctx, "far", "", time.Hour); err != nil {
		t.Fatal(err)
	}
	got := make(chan time.Duration, 10)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := q.Work(ctx, time.Minute, func(_ context.Context, j *schedule.Job) error {
				got <- j.Late()
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
	// The turn of a wait is a second: half of the jobs that workers noticed only then would be later than half of one. What a busy machine
	// adds now and then moves the mean, but not the median.
	var lates []time.Duration
	const jobs = 10
	for i := range jobs {
		if err := q.In(ctx, fmt.Sprint(i), "", 20*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		select {
		case late := <-got:
			lates = append(lates, late)
		case <-time.After(10 * time.Second):
			t.Fatal("the job was not done within 10 s")
		}
	}
	if slices.Sort(lates); lates[0] < 0 || lates[jobs/2] > 200*time.Millisecond {
		t.Errorf("late: %v", lates)
	}
	cancel()
	wg.Wait()
}

func TestDeadWorkersJobComesBackAndIsNotItsAnyMore(t *testing.T) {
	t.Parallel()
	q, rdb := queue(t)
	ctx := context.Background()
	due := serverTime(t, rdb).Truncate(time.Microsecond)
	if err := q.At(ctx, "a", "payload", due); err != nil {
		t.Fatal(err)
	}
	const lease = 20 * time.Millisecond
	dead := claimSoon(t, q, lease)
	again := claimSoon(t, q, time.Minute)
	if again.ID != "a" || again.Payload != "payload" || again.Claims != 2 || !again.Due.Equal(due) || again.Claimed.Sub(dead.Claimed) < lease {
		t.Errorf("%+v after %+v", again, dead)
	}
	if _, err := q.Finish(ctx, &dead); !errors.Is(err, schedule.ErrLost) {
		t.Errorf("the first worker finishes: %v", err)
	}
	if err := q.Postpone(ctx, &dead, 0); !errors.Is(err, schedule.ErrLost) {
		t.Errorf("the first worker postpones: %v", err)
	}
	if err := q.Extend(ctx, &dead, time.Hour); !errors.Is(err, schedule.ErrLost) {
		t.Errorf("the first worker extends: %v", err)
	}
	if jobs := claim(t, q, 10, time.Minute); len(jobs) != 0 {
		t.Errorf("a third claim: %+v", jobs)
	}
	if _, err := q.Finish(ctx, &again); err != nil {
		t.Error(err)
	}
	if _, err := q.Finish(ctx, &again); !errors.Is(err, schedule.ErrLost) {
		t.Errorf("finished twice: %v", err)
	}
}

func TestExtendedLeaseHolds(t *testing.T) {
	t.Parallel()
	q, _ := queue(t)
	ctx := context.Background()
	if err := q.In(ctx, "a", "", 0); err != nil {
		t.Fatal(err)
	}
	j := claimSoon(t, q, time.Minute)
	if err := q.Extend(ctx, &j, time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, next, err := q.Claim(ctx, 1, time.Minute); err != nil || next < 59*time.Minute || next > time.Hour {
		t.Errorf("the next claim is in %v, %v", next, err)
	}
	if err := q.Extend(ctx, &j, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if again := claimSoon(t, q, time.Minute); again.Claims != 2 {
		t.Errorf("%+v", again)
	}
}

// What failed is tried again, later and later, and the count says how often.
func TestFailedJobIsTriedAgain(t *testing.T) {
	t.Parallel()
	q, _ := queue(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := q.In(ctx, "a", "", 0); err != nil {
		t.Fatal(err)
	}
	var claimed []time.Time
	if err := q.Work(ctx, time.Minute, func(hctx context.Context, j *schedule.Job) error {
		if _, ok := hctx.Deadline(); !ok {
			t.Error("the handler does not know its lease")
		}
		if claimed = append(claimed, j.Claimed); int64(len(claimed)) != j.Claims {
			t.Errorf("claim %d says %d", len(claimed), j.Claims)
		}
		if len(claimed) < 3 {
			return errors.New("broken")
		}
		cancel()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if a, b := claimed[1].Sub(claimed[0]), claimed[2].Sub(claimed[1]); a < 100*time.Millisecond || b < 200*time.Millisecond {
		t.Errorf("tried again after %v and %v", a, b)
	}
	if n, err := q.Len(context.Background()); err != nil || n != 0 {
		t.Errorf("%d jobs left, %v", n, err)
	}
}

func TestPostponedJobIsNobodys(t *testing.T) {
	t.Parallel()
	q, _ := queue(t)
	ctx := context.Background()
	if err := q.In(ctx, "a", "", 0); err != nil {
		t.Fatal(err)
	}
	j := claimSoon(t, q, time.Minute)
	if err := q.Postpone(ctx, &j, time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Finish(ctx, &j); !errors.Is(err, schedule.ErrLost) {
		t.Errorf("finished after it was given back: %v", err)
	}
	if n, err := q.Len(ctx); err != nil || n != 1 {
		t.Errorf("%d jobs, %v", n, err)
	}
}

// Every turn of a recurring job lies on the grid of the first; those that were missed are left out.
func TestRecurringJobKeepsItsGrid(t *testing.T) {
	t.Parallel()
	q, rdb := queue(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	const every, turns, slow = 15 * time.Millisecond, 12, 4
	begin := serverTime(t, rdb)
	if err := q.Every(ctx, "tick", "payload", every); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var dues []time.Time
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := q.Work(ctx, time.Minute, func(_ context.Context, j *schedule.Job) error {
				mu.Lock()
				defer mu.Unlock()
				if j.Late() < 0 || j.Claims != 1 || j.Every != every || j.Payload != "payload" {
					t.Errorf("%+v", j)
				}
				if dues = append(dues, j.Due); len(dues) == slow {
					time.Sleep(3 * every) // a turn that takes longer than the interval
				}
				if len(dues) == turns {
					cancel()
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if d := dues[0].Sub(begin); d < every {
		t.Errorf("first turn after %v", d)
	}
	for i := 1; i < len(dues); i++ {
		d := dues[i].Sub(dues[i-1])
		if d < every || d%every != 0 || i == slow && d < 3*every {
			t.Errorf("turn %d comes %v after the one before", i+1, d)
		}
	}
	if n, err := q.Len(context.Background()); err != nil || n != 1 {
		t.Errorf("%d jobs left, %v", n, err)
	}
	if ok, err := q.Cancel(context.Background(), "tick"); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
}

func TestOrderAndBatches(t *testing.T) {
	q, rdb := queue(t)
	ctx := context.Background()
	base := serverTime(t, rdb).Add(-time.Minute)
	for i, id := range []string{"c", "a", "d", "b"} {
		if err := q.At(ctx, id, "", base.Add(time.Duration(i)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.In(ctx, "later", "", time.Hour); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, want := range []int{3, 1, 0} {
		jobs, next, err := q.Claim(ctx, 3, 2*time.Hour)
		if err != nil || len(jobs) != want {
			t.Fatalf("%d jobs, %v; want %d", len(jobs), err, want)
		}
		if want == 3 && next != 0 || want < 3 && (next < 59*time.Minute || next > time.Hour) {
			t.Errorf("after %d jobs, the next is in %v", want, next)
		}
		for _, j := range jobs {
			got = append(got, j.ID)
		}
	}
	if want := []string{"c", "a", "d", "b"}; !slices.Equal(got, want) {
		t.Errorf("jobs came as %v, want %v", got, want)
	}
}

func TestIdsAreTakenUntilTheirJobsAreGone(t *testing.T) {
	rdb, prefix := benchtest.Client(t)
	q := schedule.New(rdb, prefix)
	ctx := context.Background()
	if jobs, next, err := q.Claim(ctx, 1, time.Minute); err != nil || len(jobs) != 0 || next != -1 {
		t.Errorf("an empty queue: %v, %v, %v", jobs, next, err)
	}
	if err := q.In(ctx, "a", "first", 0); err != nil {
		t.Fatal(err)
	}
	if err := q.In(ctx, "a", "second", 0); !errors.Is(err, schedule.ErrExists) {
		t.Errorf("%v while it waits", err)
	}
	j := claimSoon(t, q, time.Minute)
	if err := q.Every(ctx, "a", "second", time.Second); !errors.Is(err, schedule.ErrExists) || j.Payload != "first" {
		t.Errorf("%v while it runs", err)
	}
	if ok, err := q.Cancel(ctx, "a"); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	if ok, err := q.Cancel(ctx, "a"); ok || err != nil {
		t.Errorf("cancelled twice: %v, %v", ok, err)
	}
	// The same id and time, claimed as often as the one that was cancelled: still another job.
	if err := q.At(ctx, "a", "third", j.Due); err != nil {
		t.Fatal(err)
	}
	third := claimSoon(t, q, time.Minute)
	if _, err := q.Finish(ctx, &j); !errors.Is(err, schedule.ErrLost) {
		t.Errorf("the cancelled job finishes: %v", err)
	}
	if next, err := q.Finish(ctx, &third); err != nil || !next.IsZero() {
		t.Errorf("%v, %v", next, err)
	}
	if n, err := rdb.HLen(ctx, "{"+prefix+"}:payloads").Result(); err != nil || n != 0 {
		t.Errorf("%d payloads left, %v", n, err)
	}
}

func TestNonsenseIsRefused(t *testing.T) {
	q, _ := queue(t)
	ctx := context.Background()
	now := time.Now()
	for name, err := range map[string]error{
		"no id":          q.In(ctx, "", "", 0),
		"long id":        q.In(ctx, strings.Repeat("x", 513), "", 0),
		"large payload":  q.In(ctx, "a", strings.Repeat("x", 1<<20+1), 0),
		"negative delay": q.In(ctx, "a", "", -1),
		"long delay":     q.In(ctx, "a", "", 1<<62),
		"far past":       q.At(ctx, "a", "", time.Time{}),
		"far future":     q.At(ctx, "a", "", now.AddDate(20, 0, 0)),
		"no interval":    q.Every(ctx, "a", "", 0),
		"short interval": q.Every(ctx, "a", "", time.Microsecond),
	} {
		if err == nil || errors.Is(err, schedule.ErrExists) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, n := range []int{0, -1, 1001} {
		if _, _, err := q.Claim(ctx, n, time.Minute); err == nil {
			t.Errorf("%d jobs can be claimed", n)
		}
	}
	for _, lease := range []time.Duration{0, -1, time.Microsecond, 1 << 62} {
		if err := q.Work(ctx, lease, nil); err == nil {
			t.Errorf("lease %v passed", lease)
		}
	}
	id := "\r\n{}\x00\xff 1 2 3"
	if err := q.In(ctx, id, id, 0); err != nil {
		t.Fatal(err)
	}
	if j := claimSoon(t, q, time.Minute); j.ID != id || j.Payload != id {
		t.Errorf("%+v", j)
	}
}
