package compat

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/redis/go-redis/v9"
)

// The suite that every implementation of the library's publishers and subscribers is to pass, as the library has it; its
// short form, less the part that restarts the server.
func TestWatermillPassesItsOwnSuite(t *testing.T) {
	t.Parallel()
	features := tests.Features{
		ConsumerGroups: true, Persistent: true, NewSubscriberReceivesOldMessages: true,
		GuaranteedOrder: true, GuaranteedOrderWithSingleSubscriber: true, // of one subscriber, which is what is asked of it
		ForceShort: true,
	}
	for name, test := range map[string]func(*testing.T, tests.TestContext, tests.PubSubConstructor){
		"PublishSubscribe":                 tests.TestPublishSubscribe,
		"ConcurrentSubscribe":              tests.TestConcurrentSubscribe,
		"ConcurrentSubscribeMultipleTopic": tests.TestConcurrentSubscribeMultipleTopics,
		"ResendOnError":                    tests.TestResendOnError,
		"NoAck":                            tests.TestNoAck,
		"ContinueAfterSubscribeClose":      tests.TestContinueAfterSubscribeClose,
		"ConcurrentClose":                  tests.TestConcurrentClose,
		"ContinueAfterErrors":              tests.TestContinueAfterErrors,
		"PublishSubscribeInOrder":          tests.TestPublishSubscribeInOrder,
		"PublisherClose":                   tests.TestPublisherClose,
		"Topic":                            tests.TestTopic,
		"MessageCtx":                       tests.TestMessageCtx,
		"SubscribeCtx":                     tests.TestSubscribeCtx,
		"NewSubscriberReceivesOldMessages": tests.TestNewSubscriberReceivesOldMessages,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := watermillOn(address(t))
			test(t, tests.TestContext{TestID: tests.NewTestID(), Features: features}, w.pubSub)
		})
	}
	t.Run("ConsumerGroups", func(t *testing.T) {
		t.Parallel()
		w := watermillOn(address(t))
		tests.TestConsumerGroups(t, tests.TestContext{TestID: tests.NewTestID(), Features: features}, w.groupPubSub)
	})
}

// watermillOn is the library at an address. Each publisher and subscriber has a client of its own, which it closes.
type watermillOn string

func (w watermillOn) client() redis.UniversalClient {
	// As the library wants it: a first read may wait for ever.
	return redis.NewClient(&redis.Options{Addr: string(w), ReadTimeout: -1, PoolTimeout: time.Minute})
}

func (w watermillOn) publisher(t *testing.T, c redisstream.PublisherConfig) *redisstream.Publisher {
	t.Helper()
	c.Client = w.client()
	pub, err := redisstream.NewPublisher(c, watermill.NopLogger{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pub.Close() })
	return pub
}

func (w watermillOn) subscriber(t *testing.T, c redisstream.SubscriberConfig) *redisstream.Subscriber {
	t.Helper()
	c.Client = w.client()
	sub, err := redisstream.NewSubscriber(c, watermill.NopLogger{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sub.Close() })
	return sub
}

func (w watermillOn) pubSub(t *testing.T) (message.Publisher, message.Subscriber) {
	return w.groupPubSub(t, watermill.NewShortUUID())
}

func (w watermillOn) groupPubSub(t *testing.T, group string) (message.Publisher, message.Subscriber) {
	return w.publisher(t, redisstream.PublisherConfig{}), w.subscriber(t, redisstream.SubscriberConfig{
		Consumer: watermill.NewShortUUID(), ConsumerGroup: group,
		BlockTime: 10 * time.Millisecond, ClaimInterval: 3 * time.Second, MaxIdleTime: 5 * time.Second,
	})
}

func subscribe(t *testing.T, sub message.Subscriber, topic string) <-chan *message.Message {
	t.Helper()
	msgs, err := sub.Subscribe(context.Background(), topic)
	if err != nil {
		t.Fatal(err)
	}
	return msgs
}

func publish(t *testing.T, pub message.Publisher, topic string, payloads ...string) {
	t.Helper()
	for _, p := range payloads {
		m := message.NewMessage(watermill.NewUUID(), []byte(p))
		m.Metadata.Set("of", p)
		if err := pub.Publish(topic, m); err != nil {
			t.Fatal(err)
		}
	}
}

// receive waits for a message and does not acknowledge it.
func receive(t *testing.T, msgs <-chan *message.Message) *message.Message {
	t.Helper()
	select {
	case m, ok := <-msgs:
		if !ok {
			t.Fatal("the subscription has ended")
		}
		return m
	case <-time.After(20 * time.Second):
		t.Fatal("no message within 20 s")
	}
	return nil
}

func numbers(from, to int) []string {
	var out []string
	for i := from; i < to; i++ {
		out = append(out, strconv.Itoa(i))
	}
	return out
}

// Without a group everybody gets everything, from where they want to begin.
func TestWatermillFansOut(t *testing.T) {
	t.Parallel()
	rdb := client(t)
	w := watermillOn(rdb.Options().Addr)
	topic := unique(t)
	t.Cleanup(func() { rdb.Del(context.Background(), topic) })
	pub := w.publisher(t, redisstream.PublisherConfig{})
	publish(t, pub, topic, numbers(0, 10)...)
	oldest := subscribe(t, w.subscriber(t, redisstream.SubscriberConfig{FanOutOldestId: "0", BlockTime: 10 * time.Millisecond}), topic)
	var late []<-chan *message.Message
	for range 3 {
		late = append(late, subscribe(t, w.subscriber(t, redisstream.SubscriberConfig{BlockTime: 10 * time.Millisecond}), topic))
	}
	// From "$" is from when the server gets to the first read; so publish until each has heard something.
	first := make([]int, len(late))
	next := 10
	for i, msgs := range late {
		for first[i] == 0 {
			publish(t, pub, topic, strconv.Itoa(next))
			next++
			select {
			case m := <-msgs:
				first[i], _ = strconv.Atoi(string(m.Payload))
				m.Ack()
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	publish(t, pub, topic, numbers(next, next+20)...)
	for i, msgs := range append(late, oldest) {
		begin := 0
		if i < len(first) {
			if begin = first[i] + 1; first[i] < 10 {
				t.Errorf("subscriber %d heard of %d, which was before it", i, first[i])
			}
		}
		for _, want := range numbers(begin, next+20) {
			m := receive(t, msgs)
			if got := string(m.Payload); got != want || m.Metadata.Get("of") != want {
				t.Fatalf("subscriber %d: %q, metadata %v; want %s", i, got, m.Metadata, want)
			}
			m.Ack()
		}
	}
}

// What a subscriber held that is gone goes to another, and its name leaves the group.
func TestWatermillTakesOverFromTheDead(t *testing.T) {
	t.Parallel()
	rdb := client(t)
	ctx := context.Background()
	w := watermillOn(rdb.Options().Addr)
	topic := unique(t)
	t.Cleanup(func() { rdb.Del(ctx, topic) })
	pub := w.publisher(t, redisstream.PublisherConfig{})
	config := func(name string) redisstream.SubscriberConfig {
		return redisstream.SubscriberConfig{
			Consumer: name, ConsumerGroup: "group", BlockTime: 10 * time.Millisecond,
			ClaimInterval: 20 * time.Millisecond, ClaimBatchSize: 2, MaxIdleTime: 200 * time.Millisecond,
			CheckConsumersInterval: 20 * time.Millisecond, ConsumerTimeout: 400 * time.Millisecond,
		}
	}
	publish(t, pub, topic, numbers(0, 12)...)
	dead := w.subscriber(t, config("dead"))
	held := receive(t, subscribe(t, dead, topic))
	// It also hangs on to some that a crashed process would have read in one go.
	if got, err := rdb.XReadGroup(ctx, &redis.XReadGroupArgs{
		Group: "group", Consumer: "dead", Streams: []string{topic, ">"}, Count: 5, Block: -1,
	}).Result(); err != nil || len(got) != 1 || len(got[0].Messages) != 5 {
		t.Fatalf("%v, %v", got, err)
	}
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	msgs := subscribe(t, w.subscriber(t, config("alive")), topic)
	for len(got) < 12 {
		m := receive(t, msgs)
		got[string(m.Payload)]++
		m.Ack()
	}
	if got[string(held.Payload)] == 0 {
		t.Errorf("%s was lost", held.Payload)
	}
	await(t, "nothing pending, no dead consumer", func() bool {
		consumers, err := rdb.XInfoConsumers(ctx, topic, "group").Result()
		return err == nil && len(consumers) == 1 && consumers[0].Name == "alive" && consumers[0].Pending == 0
	})
	if groups, err := rdb.XInfoGroups(ctx, topic).Result(); err != nil || len(groups) != 1 || groups[0].Lag != 0 || groups[0].EntriesRead != 12 {
		t.Errorf("%+v, %v", groups, err)
	}
}

// Groups share nothing, the subscribers of one group share everything, and a topic can have a length.
func TestWatermillGroups(t *testing.T) {
	t.Parallel()
	rdb := client(t)
	ctx := context.Background()
	w := watermillOn(rdb.Options().Addr)
	topic := unique(t)
	t.Cleanup(func() { rdb.Del(ctx, topic) })
	const messages = 300
	type got struct{ group, payload string }
	all := make(chan got, 10*messages)
	for _, group := range []string{"a", "b"} {
		for i := range 3 {
			msgs := subscribe(t, w.subscriber(t, redisstream.SubscriberConfig{
				Consumer: fmt.Sprint(group, i), ConsumerGroup: group, BlockTime: 10 * time.Millisecond,
			}), topic)
			go func() {
				for m := range msgs {
					all <- got{group, string(m.Payload)}
					m.Ack()
				}
			}()
		}
	}
	pub := w.publisher(t, redisstream.PublisherConfig{DefaultMaxlen: 100_000})
	publish(t, pub, topic, numbers(0, messages)...)
	seen := map[string][]string{}
	for range 2 * messages {
		select {
		case g := <-all:
			seen[g.group] = append(seen[g.group], g.payload)
		case <-time.After(20 * time.Second):
			t.Fatal("no message within 20 s")
		}
	}
	want := numbers(0, messages)
	slices.Sort(want)
	for group, payloads := range seen {
		if slices.Sort(payloads); !slices.Equal(payloads, want) {
			t.Errorf("group %s got %d messages", group, len(payloads))
		}
	}
	await(t, "all acknowledged", func() bool {
		groups, err := rdb.XInfoGroups(ctx, topic).Result()
		return err == nil && len(groups) == 2 && groups[0].Pending == 0 && groups[1].Pending == 0
	})
	short := w.publisher(t, redisstream.PublisherConfig{Maxlens: map[string]int64{topic: 50}})
	publish(t, short, topic, numbers(0, 200)...)
	// Approximately, in blocks of a hundred.
	if n, err := rdb.XLen(ctx, topic).Result(); err != nil || n < 50 || n > 150 {
		t.Errorf("%d messages kept, %v", n, err)
	}
}
