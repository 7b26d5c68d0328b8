package pubsub

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
)

// queue is a loop whose tasks run when the test says so.
type queue struct {
	mu    sync.Mutex
	tasks []func()
	posts int
}

func (q *queue) Post(f func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tasks = append(q.tasks, f)
	q.posts++
}

func (q *queue) run() {
	q.mu.Lock()
	tasks := q.tasks
	q.tasks = nil
	q.mu.Unlock()
	for _, f := range tasks {
		f()
	}
}

// inbox is a subscriber that notes what it gets.
type inbox struct {
	proto    int
	got, own []string
}

func (in *inbox) Push(m *Message)    { in.got = append(in.got, string(m.Bytes(in.proto))) }
func (in *inbox) PushOwn(m *Message) { in.own = append(in.own, string(m.Bytes(in.proto))) }

func message(proto int, words ...string) string {
	mark := "*"
	if proto == 3 {
		mark = ">"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s%d\r\n", mark, len(words))
	for _, w := range words {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(w), w)
	}
	return b.String()
}

func TestMessagesReachChannelsAndPatterns(t *testing.T) {
	r, q := New(), &queue{}
	two, three := &inbox{proto: 2}, &inbox{proto: 3}
	a, b := NewClient(two, q), NewClient(three, q)
	for _, s := range []struct {
		c    *Client
		k    Kind
		name string
		want bool
	}{
		{a, Channel, "news", true}, {a, Channel, "news", false}, {b, Channel, "news", true},
		{b, Pattern, "n*", true}, {b, Shard, "news", true},
	} {
		if got := r.Subscribe(s.c, s.k, []byte(s.name)); got != s.want {
			t.Errorf("Subscribe(%d, %s) = %v", s.k, s.name, got)
		}
	}
	if n := r.Publish(nil, Channel, []byte("news"), []byte("hi")); n != 3 {
		t.Errorf("Publish reached %d, want 3", n)
	}
	if n := r.Publish(nil, Shard, []byte("news"), []byte("x")); n != 1 {
		t.Errorf("Publish to a shard channel reached %d, want 1", n)
	}
	if q.posts != 3 {
		t.Errorf("%d posts, want one a topic", q.posts)
	}
	q.run()
	if want := []string{message(2, "message", "news", "hi")}; !reflect.DeepEqual(two.got, want) {
		t.Errorf("RESP2: %q, want %q", two.got, want)
	}
	want := []string{message(3, "message", "news", "hi"), message(3, "pmessage", "n*", "news", "hi"), message(3, "smessage", "news", "x")}
	if !reflect.DeepEqual(three.got, want) {
		t.Errorf("RESP3: %q, want %q", three.got, want)
	}
}

func TestPublisherGetsItsOwnAtOnce(t *testing.T) {
	r, q := New(), &queue{}
	in, other := &inbox{proto: 3}, &inbox{proto: 3}
	c := NewClient(in, q)
	r.Subscribe(c, Channel, []byte("c"))
	r.Subscribe(c, Pattern, []byte("*"))
	if n := r.Publish(c, Channel, []byte("c"), []byte("1")); n != 2 || len(in.own) != 2 || q.posts != 0 {
		t.Errorf("reached %d, own %q, posts %d", n, in.own, q.posts)
	}
	r.Subscribe(NewClient(other, q), Channel, []byte("c"))
	r.Publish(c, Channel, []byte("c"), []byte("2"))
	q.run()
	if len(in.got) != 0 || len(in.own) != 4 || len(other.got) != 1 {
		t.Errorf("own messages came twice or not at all: got %q own %q other %q", in.got, in.own, other.got)
	}
}

func TestNothingBeforeSubscribeOrAfterUnsubscribe(t *testing.T) {
	r, q := New(), &queue{}
	early, late := &inbox{proto: 2}, &inbox{proto: 2}
	a, b := NewClient(early, q), NewClient(late, q)
	r.Subscribe(a, Channel, []byte("c"))
	r.Publish(nil, Channel, []byte("c"), []byte("1"))
	r.Subscribe(b, Channel, []byte("c"))
	r.Unsubscribe(a, Channel, []byte("c"))
	q.run()
	if len(early.got)+len(late.got) != 0 {
		t.Errorf("early %q, late %q", early.got, late.got)
	}
	if got := r.Subscribers(Channel, []byte("c")); got != 1 {
		t.Errorf("%d subscribers", got)
	}
	if r.Unsubscribe(a, Channel, []byte("c")) {
		t.Error("unsubscribed twice")
	}
	r.Unsubscribe(b, Channel, []byte("c"))
	if n := r.Count(Channel); n != 0 {
		t.Errorf("%d channels left", n)
	}
}

// TestModel compares long runs of random operations with a plain map.
func TestModel(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7))
	r := New()
	loops := []*queue{{}, {}, {}}
	const clients, names = 40, 4
	var boxes [clients]*inbox
	var cs [clients]*Client
	model := map[string]map[int]bool{}
	for i := range cs {
		boxes[i] = &inbox{proto: 2 + i%2}
		cs[i] = NewClient(boxes[i], loops[i%len(loops)])
	}
	for step := range 5000 {
		i, name := rnd.IntN(clients), fmt.Sprint("c", rnd.IntN(names))
		if model[name] == nil {
			model[name] = map[int]bool{}
		}
		switch rnd.IntN(5) {
		case 0, 1:
			if got := r.Subscribe(cs[i], Channel, []byte(name)); got == model[name][i] {
				t.Fatalf("step %d: Subscribe = %v", step, got)
			}
			model[name][i] = true
		case 2, 3:
			if got := r.Unsubscribe(cs[i], Channel, []byte(name)); got != model[name][i] {
				t.Fatalf("step %d: Unsubscribe = %v", step, got)
			}
			delete(model[name], i)
		case 4:
			if n := r.Publish(nil, Channel, []byte(name), []byte("m")); n != len(model[name]) {
				t.Fatalf("step %d: Publish reached %d, want %d", step, n, len(model[name]))
			}
			for _, l := range loops {
				l.run()
			}
			for j, in := range boxes {
				if (len(in.got) == 1) != model[name][j] || len(in.got) > 1 {
					t.Fatalf("step %d: client %d got %q", step, j, in.got)
				}
				in.got = nil
			}
		}
		if n := r.Subscribers(Channel, []byte(name)); n != len(model[name]) {
			t.Fatalf("step %d: %d subscribers, want %d", step, n, len(model[name]))
		}
	}
	for i, c := range cs {
		for _, name := range r.Subscriptions(c, Channel) {
			if !model[name][i] {
				t.Errorf("client %d has %s", i, name)
			}
			r.Unsubscribe(c, Channel, []byte(name))
		}
	}
	if got := r.Topics(Channel, nil); len(got) != 0 {
		t.Errorf("left over: %v", got)
	}
}

// worker is a loop on a goroutine of its own.
type worker struct{ tasks chan func() }

func (w worker) Post(f func()) { w.tasks <- f }

// order checks that the messages of each publisher arrive with ascending numbers.
type order struct {
	t    *testing.T
	last map[string]int
	n    int
}

func (o *order) Push(m *Message) {
	words := strings.Split(string(m.Bytes(2)), "\r\n")
	var who string
	var n int
	if _, err := fmt.Sscanf(words[6], "%1s-%d", &who, &n); err != nil {
		o.t.Error(err)
	}
	if n <= o.last[who] {
		o.t.Errorf("%s: %d after %d", who, n, o.last[who])
	}
	o.last[who] = n
	o.n++
}

func (o *order) PushOwn(*Message) {}

// TestConcurrentPublishersKeepOrder also lets subscribers come and go, for the race detector.
func TestConcurrentPublishersKeepOrder(t *testing.T) {
	r := New()
	var loops, pubs, churn sync.WaitGroup
	workers := []worker{{make(chan func(), 1<<16)}, {make(chan func(), 1<<16)}}
	var steady []*order
	for i, w := range workers {
		o := &order{t: t, last: map[string]int{}}
		steady = append(steady, o)
		c := NewClient(o, w)
		r.Subscribe(c, Channel, []byte("x"))
		r.Subscribe(c, Channel, []byte("y"))
		churn.Add(1)
		go func() {
			defer churn.Done()
			for n := range 500 {
				done := make(chan struct{})
				w.Post(func() {
					c := NewClient(&order{t: t, last: map[string]int{}}, workers[i])
					r.Subscribe(c, Channel, []byte("x"))
					if n%3 != 0 {
						r.Subscribe(c, Pattern, []byte("[xy]"))
						r.Unsubscribe(c, Pattern, []byte("[xy]"))
					}
					r.Unsubscribe(c, Channel, []byte("x"))
					close(done)
				})
				<-done
			}
		}()
		loops.Add(1)
		go func() {
			defer loops.Done()
			for f := range w.tasks {
				f()
			}
		}()
	}
	const each = 2000
	for _, who := range []string{"a", "b"} {
		pubs.Add(1)
		go func() {
			defer pubs.Done()
			for n := 1; n <= each; n++ {
				r.Publish(nil, Channel, []byte([]string{"x", "y"}[n%2]), []byte(fmt.Sprintf("%s-%d", who, n)))
			}
		}()
	}
	pubs.Wait()
	churn.Wait()
	for _, w := range workers {
		close(w.tasks)
	}
	loops.Wait()
	for i, o := range steady {
		if o.n != 2*each {
			t.Errorf("loop %d: %d messages, want %d", i, o.n, 2*each)
		}
	}
}

func TestPublishToNobodyDoesNotAllocate(t *testing.T) {
	r := New()
	r.Subscribe(NewClient(&inbox{}, &queue{}), Channel, []byte("other"))
	channel, text := []byte("nobody"), []byte("hello")
	if n := testing.AllocsPerRun(100, func() { r.Publish(nil, Channel, channel, text) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkPublish(b *testing.B) {
	for _, n := range []int{0, 1, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := New()
			for range n {
				r.Subscribe(NewClient(nowhere{}, direct{}), Channel, []byte("c"))
			}
			channel, text := []byte("c"), make([]byte, 64)
			b.ReportAllocs()
			for b.Loop() {
				r.Publish(nil, Channel, channel, text)
			}
		})
	}
}

type nowhere struct{}

func (nowhere) Push(*Message)    {}
func (nowhere) PushOwn(*Message) {}

type direct struct{}

func (direct) Post(f func()) { f() }
