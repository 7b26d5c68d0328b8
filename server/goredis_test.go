package server

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// TestGoRedis uses a widespread client, as it comes, over all types of data.
func TestGoRedis(t *testing.T) {
	for _, proto := range []int{2, 3} {
		t.Run(fmt.Sprintf("RESP%d", proto), func(t *testing.T) {
			srv := openServer(t)
			c := redis.NewClient(&redis.Options{Addr: srv.Addr(), Protocol: proto, ClientName: "smoke",
				DialTimeout: patience, ReadTimeout: patience, WriteTimeout: patience, MaxRetries: -1}) // what is slow is not done twice
			defer c.Close()
			ctx, cancel := context.WithTimeout(context.Background(), 6*patience)
			defer cancel()
			t.Run("types", func(t *testing.T) { goRedisTypes(ctx, t, c) })
			t.Run("pipeline", func(t *testing.T) { goRedisPipeline(ctx, t, c) })
			t.Run("watch", func(t *testing.T) { goRedisWatch(ctx, t, c) })
			t.Run("pubsub", func(t *testing.T) { goRedisPubSub(ctx, t, c) })
			t.Run("blocking", func(t *testing.T) { goRedisBlocking(ctx, t, c) })
			t.Run("connection", func(t *testing.T) { goRedisConnection(ctx, t, c, proto) })
		})
	}
}

// same compares what a call returned.
func same[T any](t *testing.T, what string, want T) func(got T, err error) {
	t.Helper()
	return func(got T, err error) {
		t.Helper()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s = %v, %v; want %v", what, got, err, want)
		}
	}
}

func goRedisTypes(ctx context.Context, t *testing.T, c *redis.Client) {
	same(t, "Set", "OK")(c.Set(ctx, "k", "v", time.Minute).Result())
	same(t, "Get", "v")(c.Get(ctx, "k").Result())
	if left, err := c.TTL(ctx, "k").Result(); err != nil || left <= 0 || left > time.Minute {
		t.Errorf("TTL: %v, %v", left, err)
	}
	if _, err := c.Get(ctx, "nokey").Result(); !errors.Is(err, redis.Nil) {
		t.Errorf("Get of nothing: %v", err)
	}
	same(t, "IncrBy", int64(5))(c.IncrBy(ctx, "n", 5).Result())
	same(t, "IncrByFloat", 5.5)(c.IncrByFloat(ctx, "n", 0.5).Result())
	same(t, "MGet", []any{"v", nil})(c.MGet(ctx, "k", "nokey").Result())

	same(t, "RPush", int64(3))(c.RPush(ctx, "l", "a", "b", "c").Result())
	same(t, "LRange", []string{"a", "b", "c"})(c.LRange(ctx, "l", 0, -1).Result())
	same(t, "LMove", "a")(c.LMove(ctx, "l", "l", "left", "right").Result())
	same(t, "LPopCount", []string{"b", "c"})(c.LPopCount(ctx, "l", 2).Result())
	same(t, "LPos", int64(0))(c.LPos(ctx, "l", "a", redis.LPosArgs{}).Result())

	same(t, "HSet", int64(2))(c.HSet(ctx, "h", "a", 1, "b", 2).Result())
	same(t, "HGetAll", map[string]string{"a": "1", "b": "2"})(c.HGetAll(ctx, "h").Result())
	same(t, "HMGet", []any{"1", nil})(c.HMGet(ctx, "h", "a", "x").Result())
	same(t, "HIncrBy", int64(3))(c.HIncrBy(ctx, "h", "b", 1).Result())

	same(t, "SAdd", int64(3))(c.SAdd(ctx, "s", 1, 2, 3).Result())
	same(t, "SMembersMap", map[string]struct{}{"1": {}, "2": {}, "3": {}})(c.SMembersMap(ctx, "s").Result())
	same(t, "SMIsMember", []bool{true, false})(c.SMIsMember(ctx, "s", 1, 9).Result())
	same(t, "SInterCard", int64(1))(c.SInterCard(ctx, 1, "s").Result())

	same(t, "ZAdd", int64(2))(c.ZAdd(ctx, "z", redis.Z{Score: 1.5, Member: "a"}, redis.Z{Score: 2, Member: "b"}).Result())
	same(t, "ZRangeWithScores", []redis.Z{{Score: 1.5, Member: "a"}, {Score: 2, Member: "b"}})(c.ZRangeWithScores(ctx, "z", 0, -1).Result())
	same(t, "ZScore", 1.5)(c.ZScore(ctx, "z", "a").Result())
	same(t, "ZRank", int64(1))(c.ZRank(ctx, "z", "b").Result())
	same(t, "ZPopMax", []redis.Z{{Score: 2, Member: "b"}})(c.ZPopMax(ctx, "z").Result())

	seen := 0
	for it := c.Scan(ctx, 0, "*", 2).Iterator(); it.Next(ctx); seen++ {
	}
	same(t, "Scan", 6)(seen, nil)
	same(t, "Del", int64(2))(c.Del(ctx, "k", "n", "nokey").Result())
	if err := c.LPush(ctx, "h", 1).Err(); err == nil || err.Error() != "WRONGTYPE Operation against a key holding the wrong kind of value" {
		t.Errorf("LPush on a hash: %v", err)
	}
	if err := c.ConfigSet(ctx, "maxmemory-policy", "noeviction").Err(); err != nil {
		t.Error(err)
	}
	same(t, "ConfigGet", map[string]string{"maxmemory-policy": "noeviction"})(c.ConfigGet(ctx, "maxmemory-policy").Result())
	if cmds, err := c.Command(ctx).Result(); err != nil || cmds["get"] == nil || !cmds["get"].ReadOnly {
		t.Errorf("Command: %v", err)
	}
}

func goRedisPipeline(ctx context.Context, t *testing.T, c *redis.Client) {
	for name, run := range map[string]func(context.Context, func(redis.Pipeliner) error) ([]redis.Cmder, error){
		"Pipelined": c.Pipelined, "TxPipelined": c.TxPipelined,
	} {
		cmds, err := run(ctx, func(p redis.Pipeliner) error {
			for i := range 100 {
				p.Set(ctx, fmt.Sprint("p", i), i, 0)
				p.Get(ctx, fmt.Sprint("p", i))
			}
			return nil
		})
		if err != nil || len(cmds) != 200 {
			t.Fatalf("%s: %d, %v", name, len(cmds), err)
		}
		for i := range 100 {
			same(t, name, fmt.Sprint(i))(cmds[2*i+1].(*redis.StringCmd).Result())
		}
	}
}

func goRedisWatch(ctx context.Context, t *testing.T, c *redis.Client) {
	incr := func(between func()) error {
		return c.Watch(ctx, func(tx *redis.Tx) error {
			n, err := tx.Get(ctx, "w").Int()
			if err != nil && !errors.Is(err, redis.Nil) {
				return err
			}
			between()
			_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error { p.Set(ctx, "w", n+1, 0); return nil })
			return err
		}, "w")
	}
	if err := incr(func() {}); err != nil {
		t.Error(err)
	}
	if err := incr(func() { c.Incr(ctx, "w") }); !errors.Is(err, redis.TxFailedErr) {
		t.Errorf("the key was changed, but %v", err)
	}
	same(t, "Get", 2)(c.Get(ctx, "w").Int())
}

func goRedisPubSub(ctx context.Context, t *testing.T, c *redis.Client) {
	sub := c.Subscribe(ctx, "ch")
	defer sub.Close()
	if _, err := sub.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	if err := sub.PSubscribe(ctx, "c*"); err != nil {
		t.Fatal(err)
	}
	if _, err := sub.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	same(t, "Publish", int64(2))(c.Publish(ctx, "ch", "m").Result())
	for _, pattern := range []string{"", "c*"} {
		m, err := sub.ReceiveMessage(ctx)
		if err != nil || m.Channel != "ch" || m.Payload != "m" || m.Pattern != pattern {
			t.Errorf("%v, %v", m, err)
		}
	}
	if err := sub.Ping(ctx); err != nil {
		t.Error(err)
	}
	if m, err := sub.Receive(ctx); err != nil {
		t.Errorf("%v, %v", m, err)
	}
	same(t, "PubSubNumSub", map[string]int64{"ch": 1})(c.PubSubNumSub(ctx, "ch").Result())
}

func goRedisBlocking(ctx context.Context, t *testing.T, c *redis.Client) {
	type popped struct {
		kv  []string
		err error
	}
	ch := make(chan popped)
	go func() {
		kv, err := c.BLPop(ctx, 0, "q1", "q2").Result()
		ch <- popped{kv, err}
	}()
	waitFor(t, "the client to wait", func() bool {
		info, _ := c.InfoMap(ctx, "clients").Result()
		return info["Clients"]["blocked_clients"] == "1"
	})
	same(t, "RPush", int64(1))(c.RPush(ctx, "q2", "x").Result())
	got := <-ch
	same(t, "BLPop", []string{"q2", "x"})(got.kv, got.err)
	if _, err := c.Do(ctx, "BLPOP", "q1", "0.01").Result(); !errors.Is(err, redis.Nil) {
		t.Errorf("BLPop of nothing: %v", err)
	}
	c.ZAdd(ctx, "bz", redis.Z{Score: 1, Member: "m"})
	same(t, "BZPopMin", &redis.ZWithKey{Z: redis.Z{Score: 1, Member: "m"}, Key: "bz"})(c.BZPopMin(ctx, 0, "bz").Result())
}

func goRedisConnection(ctx context.Context, t *testing.T, c *redis.Client, proto int) {
	info, err := c.ClientInfo(ctx).Result()
	if err != nil || info.Name != "smoke" || info.LibName == "" || info.LibVer == "" || info.Resp != proto {
		t.Errorf("%+v, %v", info, err)
	}
	same(t, "Ping", "PONG")(c.Ping(ctx).Result())
	if err := c.Do(ctx, "CLIENT", "MAINT_NOTIFICATIONS", "ON", "MOVING-ENDPOINT-TYPE", "internal-ip").Err(); err != nil {
		t.Error(err)
	}
	if errs, err := c.InfoMap(ctx, "errorstats").Result(); err != nil {
		t.Errorf("%v, %v", errs, err)
	}
}
