package eventstream_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/bench/eventstream"
	"github.com/streampulse/pulse/bench/internal/benchtest"
)

// fixture is a stream that no other test has.
type fixture struct {
	*eventstream.Stream
	rdb       *redis.Client
	name, key string
}

func stream(t *testing.T, keep eventstream.Retention) fixture {
	t.Helper()
	rdb, prefix := benchtest.Client(t)
	s, err := eventstream.New(rdb, prefix, keep)
	if err != nil {
		t.Fatal(err)
	}
	return fixture{s, rdb, prefix, "{" + prefix + "}:events"}
}

func (f fixture) publish(t *testing.T, texts ...string) []string {
	t.Helper()
	ids := make([]string, len(texts))
	for i, text := range texts {
		var err error
		if ids[i], err = f.Publish(context.Background(), "kind", "test", "text", text); err != nil {
			t.Fatal(err)
		}
	}
	return ids
}

func (f fixture) group(t *testing.T, name string, o eventstream.GroupOptions) *eventstream.Group {
	t.Helper()
	g, err := f.Group(context.Background(), name, o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// age makes the lease of events end that anybody of the group holds, with nothing else about them changed.
func (f fixture) age(t *testing.T, group string, lease time.Duration, held ...redis.XPendingExt) {
	t.Helper()
	for _, p := range held {
		if err := f.rdb.Do(context.Background(), "XCLAIM", f.key, group, p.Consumer, 0, p.ID,
			"IDLE", lease.Milliseconds()+1, "RETRYCOUNT", p.RetryCount, "JUSTID").Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// held returns what a worker holds, or all of them if it is "".
func (f fixture) held(t *testing.T, group, worker string) []redis.XPendingExt {
	t.Helper()
	p, err := f.rdb.XPendingExt(context.Background(), &redis.XPendingExtArgs{
		Stream: f.key, Group: group, Start: "-", End: "+", Count: 1_000_000, Consumer: worker,
	}).Result()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func backlog(t *testing.T, g *eventstream.Group, want eventstream.Backlog) {
	t.Helper()
	if b, err := g.Backlog(context.Background()); err != nil || b != want {
		t.Errorf("backlog %+v, %v; want %+v", b, err, want)
	}
}

func texts(events []eventstream.Event) []string {
	var out []string
	for _, e := range events {
		out = append(out, e.Fields["text"])
	}
	return out
}

// delivery is one call of a handler.
type delivery struct {
	worker string
	count  int64
}

// ledger notes every call, by the event's text.
type ledger struct {
	mu   sync.Mutex
	got  map[string][]delivery
	want int
	all  chan struct{} // closed when want events have been handled
}

func newLedger(want int) *ledger {
	return &ledger{got: map[string][]delivery{}, want: want, all: make(chan struct{})}
}

func (l *ledger) add(worker string, e eventstream.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := e.Fields["text"]
	l.got[text] = append(l.got[text], delivery{worker, e.Deliveries})
	if len(l.got[text]) == 1 && len(l.got) == l.want {
		close(l.all)
	}
}

func await(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Errorf("%s: not within 20 s", what)
	}
}

// One of four workers loses its connection with a batch in hand. Nothing is lost, every event is handled, and those that the
// dead worker held, they alone, are delivered a second time.
func TestFourWorkersOneKilled(t *testing.T) {
	t.Parallel()
	f := stream(t, eventstream.Retention{MaxLen: 1_000_000})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	const events, victim = 2000, "worker 0"
	const killedAt, stillHeld = 15, 6 // the fifth of its second batch, which it has handled but not acknowledged
	// The lease never ends by itself here: the test decides what is old, so that the counts are exact on any machine.
	o := eventstream.GroupOptions{Lease: time.Hour, MaxDeliveries: 5, Batch: 10}
	g := f.group(t, "images", o)
	l := newLedger(events)

	mortal := redis.NewClient(f.rdb.Options())
	defer mortal.Close()
	ms, err := eventstream.New(mortal, f.name, eventstream.Retention{})
	if err != nil {
		t.Fatal(err)
	}
	mg, err := ms.Group(ctx, "images", o)
	if err != nil {
		t.Fatal(err)
	}

	half := func(from int) {
		for i := range events / 2 {
			f.publish(t, strconv.Itoa(from+i))
		}
	}
	half(0)
	var wg sync.WaitGroup
	dead := make(chan struct{})
	var others atomic.Int64
	var victimHandled int
	var inHand string // handled, but never acknowledged
	wg.Go(func() {
		defer close(dead)
		err := mg.Work(ctx, victim, func(_ context.Context, e eventstream.Event) error {
			l.add(victim, e)
			if victimHandled++; victimHandled == killedAt {
				inHand = e.Fields["text"]
				return mortal.Close()
			}
			return nil
		})
		if err == nil {
			t.Error("the killed worker ended well")
		}
	})
	for w := 1; w < 4; w++ {
		name := fmt.Sprint("worker ", w)
		wg.Go(func() {
			if err := g.Work(ctx, name, func(_ context.Context, e eventstream.Event) error {
				if others.Add(1) > events/4 {
					<-dead // so that something is left for the victim to die of
				}
				l.add(name, e)
				return nil
			}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	await(t, "the death", dead)
	held := f.held(t, "images", victim)
	if len(held) != stillHeld {
		t.Errorf("the dead worker holds %d events, want %d", len(held), stillHeld)
	}
	half(events / 2)
	f.age(t, "images", o.Lease, held...)
	await(t, "all events", l.all)
	// The one in hand has been handled before; so the end is when nothing is pending.
	for begin := time.Now(); len(f.held(t, "images", "")) > 0 && time.Since(begin) < 20*time.Second; time.Sleep(time.Millisecond) {
	}
	cancel()
	wg.Wait()

	backlog(t, g, eventstream.Backlog{})
	redelivered := map[string]bool{}
	for _, p := range held {
		redelivered[p.ID] = true
	}
	stored, err := f.History(context.Background(), "", events+1)
	if err != nil || len(stored) != events {
		t.Fatalf("%d events kept, %v", len(stored), err)
	}
	var again int
	for _, e := range stored {
		text := e.Fields["text"]
		got := l.got[text]
		last := got[max(0, len(got)-1):]
		switch {
		case !redelivered[e.ID]:
			if len(got) != 1 || got[0].count != 1 {
				t.Errorf("event %s, which nobody lost: %v", text, got)
			}
		case text == inHand:
			again++
			if len(got) != 2 || got[0] != (delivery{victim, 1}) || got[1].worker == victim || got[1].count != 2 {
				t.Errorf("event %s, which was in hand: %v", text, got)
			}
		default:
			again++
			if len(got) != 1 || last[0].worker == victim || last[0].count != 2 {
				t.Errorf("event %s, which the dead worker held: %v", text, got)
			}
		}
	}
	if again != len(held) || !redelivered[stored[slices.Index(texts(stored), inHand)].ID] {
		t.Errorf("%d delivered again, want %d; in hand %q", again, len(held), inHand)
	}
	if letters, err := g.Dead(context.Background(), "", 10); err != nil || len(letters) != 0 {
		t.Errorf("%d dead letters, %v", len(letters), err)
	}
}

// The same by the clock: a worker that hangs loses its events to the others when the lease ends.
func TestLeaseEndsByItself(t *testing.T) {
	t.Parallel()
	f := stream(t, eventstream.Retention{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	const lease = 50 * time.Millisecond
	g := f.group(t, "images", eventstream.GroupOptions{Lease: lease})
	f.publish(t, "a", "b", "c")
	began := time.Now() // before the server's time, however long its reply is under way
	taken, err := g.Read(ctx, "hangs", 2, 0)
	if err != nil || !slices.Equal(texts(taken), []string{"a", "b"}) {
		t.Fatalf("%v, %v", taken, err)
	}
	l := newLedger(3)
	var early time.Duration
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := g.Work(ctx, "lives", func(hctx context.Context, e eventstream.Event) error {
			if end, ok := hctx.Deadline(); !ok || time.Until(end) > lease {
				t.Errorf("a handler has until %v, %v", end, ok)
			}
			if e.Deliveries > 1 {
				early = max(early, lease-time.Millisecond-time.Since(began)) // the server counts in milliseconds
			}
			l.add("lives", e)
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	await(t, "all events", l.all)
	cancel()
	wg.Wait()
	if early > 0 {
		t.Errorf("an event was claimed %v early", early)
	}
	// What has ended cannot be ended by the one that hung; acknowledging it is nobody's loss.
	if err := g.Bury(context.Background(), "hangs", taken[0]); !errors.Is(err, eventstream.ErrLost) {
		t.Errorf("buried by who lost it: %v", err)
	}
	if err := g.GiveBack(context.Background(), "hangs", taken[0]); !errors.Is(err, eventstream.ErrLost) {
		t.Errorf("given back by who lost it: %v", err)
	}
	if ok, err := g.Ack(context.Background(), taken[0].ID); ok || err != nil {
		t.Errorf("acknowledged again: %v, %v", ok, err)
	}
	backlog(t, g, eventstream.Backlog{})
}

// Who lost an event to another worker cannot end the other's lease, nor bury what the other may be about to finish.
func TestOnlyTheHolderDecides(t *testing.T) {
	t.Parallel()
	f := stream(t, eventstream.Retention{})
	ctx := context.Background()
	const lease = time.Hour
	g := f.group(t, "g", eventstream.GroupOptions{Lease: lease})
	f.publish(t, "a")
	taken, err := g.Read(ctx, "first", 1, 0)
	if err != nil || len(taken) != 1 {
		t.Fatalf("%v, %v", taken, err)
	}
	f.age(t, "g", lease, f.held(t, "g", "")...)
	if c, err := g.Claim(ctx, "second", eventstream.Start, 1); err != nil || len(c.Events) != 1 {
		t.Fatalf("%+v, %v", c, err)
	}
	if err := g.Bury(ctx, "first", taken[0]); !errors.Is(err, eventstream.ErrLost) {
		t.Errorf("buried by who lost it: %v", err)
	}
	if err := g.GiveBack(ctx, "first", taken[0]); !errors.Is(err, eventstream.ErrLost) {
		t.Errorf("given back by who lost it: %v", err)
	}
	if held := f.held(t, "g", ""); len(held) != 1 || held[0].Consumer != "second" || held[0].RetryCount != 2 || held[0].Idle >= lease {
		t.Errorf("%+v", held)
	}
	if letters, err := g.Dead(ctx, "", 1); err != nil || len(letters) != 0 {
		t.Errorf("%+v, %v", letters, err)
	}
}

func TestFailuresAreCountedAndBuriedOnce(t *testing.T) {
	t.Parallel()
	f := stream(t, eventstream.Retention{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	const lease = 20 * time.Millisecond
	g := f.group(t, "images", eventstream.GroupOptions{Lease: lease, MaxDeliveries: 3, Batch: 1})
	// Three times a worker dies with this one in hand: nobody shall try it a fourth time.
	unlucky := f.publish(t, "unlucky")[0]
	if got, err := g.Read(ctx, "dies", 1, 0); err != nil || len(got) != 1 {
		t.Fatalf("%v, %v", got, err)
	}
	for count := int64(2); count <= 3; count++ {
		f.age(t, "images", lease, f.held(t, "images", "dies")...)
		c, err := g.Claim(ctx, "dies", eventstream.Start, 1)
		if err != nil || len(c.Events) != 1 || c.Events[0].ID != unlucky || c.Events[0].Deliveries != count || c.Next != eventstream.Start {
			t.Fatalf("%+v, %v; want delivery %d", c, err, count)
		}
	}
	ids := f.publish(t, "fine", "twice", "never")
	type try struct {
		text  string
		count int64
	}
	var mu sync.Mutex
	tries := map[try]int{}
	var wg sync.WaitGroup
	for w := range 3 {
		wg.Go(func() {
			if err := g.Work(ctx, fmt.Sprint(w), func(_ context.Context, e eventstream.Event) error {
				mu.Lock()
				defer mu.Unlock()
				text := e.Fields["text"]
				tries[try{text, e.Deliveries}]++
				if text == "never" || text == "twice" && e.Deliveries < 3 {
					return errors.New("broken")
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
	// That nothing is pending is not enough: there may be events that nobody has read yet.
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		b, err := g.Backlog(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if b == (eventstream.Backlog{}) {
			break
		}
		if time.Since(begin) > 20*time.Second {
			t.Fatalf("%+v, still pending: %+v", b, f.held(t, "images", ""))
		}
	}
	cancel()
	wg.Wait()
	ctx = context.Background()
	// A machine that is slow enough may deliver without trying, so there can be fewer tries, never more.
	for got, n := range tries {
		if n != 1 || got.count < 1 || got.count > 3 || got.text == "unlucky" {
			t.Errorf("%+v: %d times", got, n)
		}
	}
	letters, err := g.Dead(ctx, "", 10)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]eventstream.Letter{}
	for _, d := range letters {
		found[d.Event.Fields["text"]] = d
	}
	if len(found) != len(letters) {
		t.Errorf("an event was buried twice: %+v", letters)
	}
	for text, id := range map[string]string{"never": ids[2], "unlucky": unlucky} {
		d := found[text]
		if want := map[string]string{"kind": "test", "text": text}; d.Event.ID != id || d.Event.Deliveries != 3 || !maps.Equal(d.Event.Fields, want) {
			t.Errorf("dead letter of %s: %+v", text, d)
		}
	}
	if page, err := g.Dead(ctx, letters[0].ID, 10); err != nil || len(page) != len(letters)-1 {
		t.Errorf("letters after the first: %+v, %v", page, err)
	}
	backlog(t, g, eventstream.Backlog{})
}

// A worker that is stopped gives back what it has not begun; the next one has it at once, for the first time.
func TestStoppedWorkerGivesBack(t *testing.T) {
	t.Parallel()
	f := stream(t, eventstream.Retention{})
	g := f.group(t, "images", eventstream.GroupOptions{Lease: time.Hour, Batch: 10})
	f.publish(t, "0", "1", "2", "3", "4", "5")
	l := newLedger(6)
	for _, name := range []string{"stopped", "next"} {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		if name == "next" {
			go func() { <-l.all; cancel() }()
		}
		if err := g.Work(ctx, name, func(_ context.Context, e eventstream.Event) error {
			l.add(name, e)
			if name == "stopped" && e.Fields["text"] == "1" {
				cancel()
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
	for i := range 6 {
		want := delivery{"next", 1}
		if i < 2 {
			want.worker = "stopped"
		}
		if got := l.got[strconv.Itoa(i)]; len(got) != 1 || got[0] != want {
			t.Errorf("event %d: %v, want %v", i, got, want)
		}
	}
	backlog(t, g, eventstream.Backlog{})
}

func TestGroupsReadAtTheirOwnPace(t *testing.T) {
	t.Parallel()
	f := stream(t, eventstream.Retention{})
	ctx := context.Background()
	o := eventstream.GroupOptions{Lease: time.Hour}
	first := f.group(t, "first", o)
	ids := f.publish(t, "a", "b", "c", "d")
	o.From = "$"
	latest := f.group(t, "latest", o)
	o.From = ids[1]
	middle := f.group(t, "middle", o)
	again := f.group(t, "first", o) // it exists: where to begin is settled
	f.publish(t, "e")
	for _, c := range []struct {
		g    *eventstream.Group
		n    int64
		want []string
		left eventstream.Backlog
	}{
		{first, 2, []string{"a", "b"}, eventstream.Backlog{Waiting: 3, Pending: 2}},
		{again, 9, []string{"c", "d", "e"}, eventstream.Backlog{Pending: 5}},
		{middle, 9, []string{"c", "d", "e"}, eventstream.Backlog{Pending: 3}},
		{latest, 9, []string{"e"}, eventstream.Backlog{Pending: 1}},
		{latest, 9, nil, eventstream.Backlog{Pending: 1}},
	} {
		got, err := c.g.Read(ctx, "w", c.n, 0)
		if err != nil || !slices.Equal(texts(got), c.want) {
			t.Errorf("%v, %v; want %v", got, err, c.want)
		}
		for _, e := range got {
			if e.Deliveries != 1 || e.Fields["kind"] != "test" {
				t.Errorf("%+v", e)
			}
		}
		backlog(t, c.g, c.left)
	}
	if ok, err := first.Ack(ctx, ids[0]); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	backlog(t, first, eventstream.Backlog{Pending: 4})
	backlog(t, middle, eventstream.Backlog{Pending: 3})

	var all []string
	for after := ""; ; {
		page, err := f.History(ctx, after, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		all = append(all, texts(page)...)
		after = page[len(page)-1].ID
	}
	if want := []string{"a", "b", "c", "d", "e"}; !slices.Equal(all, want) {
		t.Errorf("history %v, want %v", all, want)
	}
}

// A reader that waits gets an event at once.
func TestReadWaits(t *testing.T) {
	t.Parallel()
	f := stream(t, eventstream.Retention{})
	g := f.group(t, "g", eventstream.GroupOptions{Lease: time.Hour})
	if got, err := g.Read(context.Background(), "w", 1, time.Microsecond); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
	got := make(chan []string)
	go func() {
		e, err := g.Read(context.Background(), "w", 1, 20*time.Second)
		if err != nil {
			t.Error(err)
		}
		got <- texts(e)
	}()
	f.publish(t, "now")
	if e := <-got; !slices.Equal(e, []string{"now"}) {
		t.Errorf("%v", e)
	}
}

func TestRetention(t *testing.T) {
	t.Parallel()
	const keep, block = 300, 100
	f := stream(t, eventstream.Retention{MaxLen: keep})
	for i := range 1000 {
		f.publish(t, strconv.Itoa(i))
	}
	if n, err := f.Len(context.Background()); err != nil || n < keep || n > keep+block {
		t.Errorf("%d events kept, %v; want %d and up to a block more", n, err, keep)
	}
	f = stream(t, eventstream.Retention{MaxAge: time.Hour})
	ctx := context.Background()
	begin := time.Now().Add(-2 * time.Hour).UnixMilli()
	for i := range int64(350) {
		if err := f.rdb.XAdd(ctx, &redis.XAddArgs{Stream: f.key, ID: fmt.Sprintf("%d-1", begin+i), Values: []string{"text", "old"}}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	f.publish(t, "new")
	if n, err := f.Len(ctx); err != nil || n < 1 || n > block {
		t.Errorf("%d events kept, %v; want what shares a block with the new one", n, err)
	}
}

// What is trimmed while a worker holds it is not there to be handed out again; the group hears of it.
func TestTrimmedEventsAreReported(t *testing.T) {
	t.Parallel()
	f := stream(t, eventstream.Retention{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	lost := make(chan []string, 1)
	const lease = time.Minute
	g := f.group(t, "g", eventstream.GroupOptions{Lease: lease, Lost: func(ids []string) { lost <- ids; cancel() }})
	ids := f.publish(t, "a", "b", "c")
	if got, err := g.Read(ctx, "dies", 9, 0); err != nil || len(got) != 3 {
		t.Fatalf("%v, %v", got, err)
	}
	if n, err := f.rdb.XTrimMinID(ctx, f.key, ids[2]).Result(); err != nil || n != 2 {
		t.Fatalf("%d trimmed, %v", n, err)
	}
	// A dead letter can still be written of what is gone.
	if err := g.Bury(ctx, "dies", eventstream.Event{ID: ids[0], Deliveries: 1}); err != nil {
		t.Error(err)
	}
	if letters, err := g.Dead(ctx, "", 9); err != nil || len(letters) != 1 || letters[0].Event.ID != ids[0] || len(letters[0].Event.Fields) != 0 {
		t.Errorf("%+v, %v", letters, err)
	}
	f.age(t, "g", lease, redis.XPendingExt{ID: ids[2], Consumer: "dies", RetryCount: 1})
	// An entry that is gone cannot be made older: it is found when it is looked at.
	h := f.group(t, "g", eventstream.GroupOptions{Lease: time.Millisecond, Lost: func(ids []string) { lost <- ids; cancel() }})
	time.Sleep(5 * time.Millisecond)
	if err := h.Work(ctx, "w", func(context.Context, eventstream.Event) error { return nil }); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-lost:
		if !slices.Equal(got, ids[1:2]) {
			t.Errorf("lost %q, want %q", got, ids[1:2])
		}
	default:
		t.Error("nothing was reported")
	}
	if held := f.held(t, "g", ""); len(held) != 1 || held[0].ID != ids[2] {
		t.Errorf("pending: %+v", held)
	}
}

// The cursor leads past what is not old enough to what is.
func TestClaimLooksAtEverything(t *testing.T) {
	t.Parallel()
	f := stream(t, eventstream.Retention{})
	ctx := context.Background()
	const lease, n = time.Hour, 60
	g := f.group(t, "g", eventstream.GroupOptions{Lease: lease})
	for i := range n {
		f.publish(t, strconv.Itoa(i))
	}
	if got, err := g.Read(ctx, "w", n, 0); err != nil || len(got) != n {
		t.Fatalf("%d, %v", len(got), err)
	}
	held := f.held(t, "g", "")
	f.age(t, "g", lease, held[n-1], held[n-2], held[n/2])
	var got []string
	rounds := 0
	for cursor := eventstream.Start; rounds == 0 || cursor != eventstream.Start; rounds++ {
		c, err := g.Claim(ctx, "v", cursor, 1)
		if err != nil || rounds > n {
			t.Fatalf("round %d: %v", rounds, err)
		}
		got = append(got, texts(c.Events)...)
		cursor = c.Next
	}
	if want := []string{strconv.Itoa(n / 2), strconv.Itoa(n - 2), strconv.Itoa(n - 1)}; !slices.Equal(got, want) || rounds < 3 {
		t.Errorf("claimed %v in %d rounds, want %v", got, rounds, want)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	f := stream(t, eventstream.Retention{})
	ctx := context.Background()
	for _, keep := range []eventstream.Retention{{MaxLen: -1}, {MaxAge: -1}, {MaxLen: 1, MaxAge: 1}} {
		if _, err := eventstream.New(f.rdb, "x", keep); err == nil {
			t.Errorf("%+v passed", keep)
		}
	}
	for _, fields := range [][]string{nil, {"odd"}, make([]string, 2002)} {
		if _, err := f.Publish(ctx, fields...); err == nil {
			t.Errorf("%d strings passed", len(fields))
		}
	}
	if _, err := f.Group(ctx, "", eventstream.GroupOptions{Lease: time.Second}); err == nil {
		t.Error("a group without a name")
	}
	for _, o := range []eventstream.GroupOptions{{}, {Lease: time.Second, MaxDeliveries: -1}, {Lease: time.Second, Batch: -1}, {Lease: time.Second, From: "nonsense"}} {
		if _, err := f.Group(ctx, "g", o); err == nil {
			t.Errorf("%+v passed", o)
		}
	}
	g := f.group(t, "g", eventstream.GroupOptions{Lease: time.Second})
	if err := g.Work(ctx, "", nil); err == nil {
		t.Error("a worker without a name")
	}
	if err := f.rdb.XGroupDestroy(ctx, f.key, "g").Err(); err != nil {
		t.Fatal(err)
	}
	if err := g.Work(ctx, "w", nil); err == nil {
		t.Error("work for a group that is gone")
	}
	if _, err := g.Backlog(ctx); err == nil {
		t.Error("the backlog of a group that is gone")
	}
	// The largest event can be buried.
	big := make([]string, 2000)
	for i := range big {
		big[i] = strconv.Itoa(i)
	}
	g = f.group(t, "g", eventstream.GroupOptions{Lease: time.Second})
	if _, err := f.Publish(ctx, big...); err != nil {
		t.Fatal(err)
	}
	e, err := g.Read(ctx, "w", 1, 0)
	if err != nil || len(e) != 1 {
		t.Fatalf("%v, %v", e, err)
	}
	if err := g.Bury(ctx, "w", e[0]); err != nil {
		t.Fatal(err)
	}
	if letters, err := g.Dead(ctx, "", 1); err != nil || len(letters) != 1 || len(letters[0].Event.Fields) != 1000 {
		t.Errorf("%v, %v", letters, err)
	}
}
