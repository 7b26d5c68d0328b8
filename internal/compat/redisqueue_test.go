package compat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/robinjoseph08/redisqueue/v2"
)

// flow is redisqueue on one server, with streams that no other test has. The library brings a client of its own, four
// versions older than ours.
type flow struct {
	rdb    *redis.Client
	stream string
	opt    *redisqueue.RedisOptions
}

func newFlow(t *testing.T) *flow {
	t.Helper()
	rdb := client(t)
	f := &flow{rdb: rdb, stream: unique(t), opt: &redisqueue.RedisOptions{Addr: rdb.Options().Addr}}
	t.Cleanup(func() { rdb.Del(context.Background(), f.stream, f.stream+":2") })
	return f
}

func (f *flow) producer(t *testing.T, maxLen int64, about bool) *redisqueue.Producer {
	t.Helper()
	p, err := redisqueue.NewProducerWithOptions(&redisqueue.ProducerOptions{StreamMaxLength: maxLen, ApproximateMaxLength: about, RedisOptions: f.opt})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (f *flow) enqueue(t *testing.T, p *redisqueue.Producer, stream, text string) *redisqueue.Message {
	t.Helper()
	m := &redisqueue.Message{Stream: stream, Values: map[string]any{"text": text}}
	if err := p.Enqueue(m); err != nil {
		t.Fatal(err)
	}
	return m
}

// consume runs a consumer until the end of the test, or until stop is called; what is not set in o is quick.
func (f *flow) consume(t *testing.T, o redisqueue.ConsumerOptions, handlers map[string]redisqueue.ConsumerFunc) (stop func(), errs *diary) {
	t.Helper()
	o.RedisOptions, o.GroupName, o.BlockingTimeout = f.opt, "group", 10*time.Millisecond
	if o.VisibilityTimeout == 0 {
		o.VisibilityTimeout = time.Hour
	}
	if o.ReclaimInterval == 0 {
		o.ReclaimInterval = 5 * time.Millisecond
	}
	o.BufferSize, o.Concurrency = 20, 4
	c, err := redisqueue.NewConsumerWithOptions(&o)
	if err != nil {
		t.Fatal(err)
	}
	for stream, handle := range handlers {
		c.Register(stream, handle)
	}
	errs = &diary{}
	done, listened := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(listened)
		for {
			select {
			case err := <-c.Errors:
				errs.add(err.Error())
			case <-done:
				return
			}
		}
	}()
	go func() {
		c.Run()
		close(done)
	}()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			c.Shutdown()
			<-listened
		})
	}
	t.Cleanup(stop)
	return stop, errs
}

func (f *flow) pending(t *testing.T, stream string) int64 {
	t.Helper()
	p, err := f.rdb.XPending(context.Background(), stream, "group").Result()
	if err != nil {
		if strings.HasPrefix(err.Error(), "NOGROUP") { // the consumer has not begun
			return -1
		}
		t.Fatal(err)
	}
	return p.Count
}

func TestRedisQueueHandlesEveryMessageOnce(t *testing.T) {
	t.Parallel()
	f := newFlow(t)
	var d diary
	note := func(m *redisqueue.Message) error {
		d.add(fmt.Sprint(m.Stream == f.stream, " ", m.Values["text"]))
		return nil
	}
	p := f.producer(t, 10_000, true)
	const each = 150
	var want []string
	var wg sync.WaitGroup
	for i := range each {
		want = append(want, fmt.Sprint("true ", i), fmt.Sprint("false ", i))
	}
	early := f.enqueue(t, p, f.stream, "0") // a group that is new begins at the beginning
	if early.ID == "" {
		t.Error("a message without an id")
	}
	for i := range 3 {
		_, errs := f.consume(t, redisqueue.ConsumerOptions{Name: fmt.Sprint("consumer ", i)},
			map[string]redisqueue.ConsumerFunc{f.stream: note, f.stream + ":2": note})
		t.Cleanup(func() {
			if got := errs.all(); len(got) > 0 {
				t.Errorf("errors %q", got)
			}
		})
	}
	for s, stream := range []string{f.stream, f.stream + ":2"} {
		wg.Go(func() {
			for i := 1 - s; i < each; i++ {
				f.enqueue(t, p, stream, fmt.Sprint(i))
			}
		})
	}
	wg.Wait()
	await(t, "all messages", d.holds(2*each))
	await(t, "nothing pending", func() bool { return f.pending(t, f.stream) == 0 && f.pending(t, f.stream+":2") == 0 })
	got := d.all()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d messages handled, want %d", len(got), len(want))
	}
}

// A message that fails, panics, or whose consumer died is claimed after the visibility timeout, and only then.
func TestRedisQueueReclaims(t *testing.T) {
	t.Parallel()
	f := newFlow(t)
	ctx := context.Background()
	p := f.producer(t, 10_000, true)
	for _, text := range []string{"dead", "deleted", "fails", "panics", "fine"} {
		f.enqueue(t, p, f.stream, text)
	}
	if err := f.rdb.XGroupCreate(ctx, f.stream, "group", "0").Err(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	held, err := f.rdb.XReadGroup(ctx, &redis.XReadGroupArgs{Group: "group", Consumer: "dead", Streams: []string{f.stream, ">"}, Count: 2, Block: -1}).Result()
	if err != nil || len(held) != 1 || len(held[0].Messages) != 2 {
		t.Fatalf("%v, %v", held, err)
	}
	if n, err := f.rdb.XDel(ctx, f.stream, held[0].Messages[1].ID).Result(); err != nil || n != 1 {
		t.Fatalf("%d deleted, %v", n, err)
	}
	const timeout = 2 * time.Second // more than a busy machine takes to handle a message that was read
	var d diary
	var mu sync.Mutex
	tries := map[string]int{}
	_, errs := f.consume(t, redisqueue.ConsumerOptions{Name: "alive", VisibilityTimeout: timeout}, map[string]redisqueue.ConsumerFunc{
		f.stream: func(m *redisqueue.Message) error {
			text := m.Values["text"].(string)
			mu.Lock()
			tries[text]++
			n := tries[text]
			mu.Unlock()
			switch {
			case text == "dead" && time.Since(began) < timeout:
				d.add("early")
			case text == "fails" && n < 3:
				return errors.New("broken")
			case text == "panics" && n < 2:
				panic("at the disco")
			}
			d.add(text)
			return nil
		},
	})
	await(t, "all messages", d.holds(4))
	// The claim of what was deleted ends its being pending.
	await(t, "nothing pending", func() bool { return f.pending(t, f.stream) == 0 })
	got := d.all()
	slices.Sort(got)
	if want := []string{"dead", "fails", "fine", "panics"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	told := strings.Join(errs.all(), "\n")
	if strings.Count(told, "broken") != 2 || strings.Count(told, "at the disco") != 1 || len(errs.all()) != 3 {
		t.Errorf("errors: %s", told)
	}
}

func TestRedisQueueShutdownAndLength(t *testing.T) {
	t.Parallel()
	f := newFlow(t)
	exact := f.producer(t, 7, false)
	for i := range 50 {
		f.enqueue(t, exact, f.stream, fmt.Sprint(i))
	}
	ctx := context.Background()
	if n, err := f.rdb.XLen(ctx, f.stream).Result(); err != nil || n != 7 {
		t.Errorf("%d messages kept, %v", n, err)
	}
	about := f.producer(t, 120, true)
	for i := range 500 {
		f.enqueue(t, about, f.stream+":2", fmt.Sprint(i))
	}
	if n, err := f.rdb.XLen(ctx, f.stream+":2").Result(); err != nil || n < 120 || n > 220 {
		t.Errorf("%d messages kept, %v", n, err)
	}
	// An id of one's own must be above the last.
	if err := about.Enqueue(&redisqueue.Message{ID: "1-1", Stream: f.stream, Values: map[string]any{"a": "b"}}); err == nil || !strings.Contains(err.Error(), "equal or smaller") {
		t.Errorf("an old id: %v", err)
	}
	var d diary
	stop, errs := f.consume(t, redisqueue.ConsumerOptions{Name: "one"}, map[string]redisqueue.ConsumerFunc{
		f.stream: func(m *redisqueue.Message) error {
			d.add(m.Values["text"].(string))
			return nil
		},
	})
	await(t, "all messages", d.holds(7))
	stop()
	got := d.all()
	slices.Sort(got)
	if want := []string{"43", "44", "45", "46", "47", "48", "49"}; !slices.Equal(got, want) || len(errs.all()) > 0 {
		t.Errorf("%q, want %q; errors %q", got, want, errs.all())
	}
	// Who has been shut down reads no more.
	f.enqueue(t, exact, f.stream, "later")
	if groups, err := f.rdb.XInfoGroups(ctx, f.stream).Result(); err != nil || len(groups) != 1 || groups[0].Lag != 1 || groups[0].Pending != 0 {
		t.Errorf("%+v, %v", groups, err)
	}
}
