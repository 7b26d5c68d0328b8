package miniredis_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/internal/certs"
	"github.com/streampulse/pulse/server/pulsetest/miniredis"
	"github.com/streampulse/pulse/server/pulsetest/miniredis/proto"
	"github.com/streampulse/pulse/server/pulsetest/miniredis/server"
)

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

func client(t testing.TB, m *miniredis.Miniredis) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: m.Addr()})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// want compares two values.
func want[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func do(t testing.TB, c *redis.Client, args ...any) any {
	t.Helper()
	v, err := c.Do(t.Context(), args...).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return err.Error()
	}
	return v
}

func TestDirect(t *testing.T) {
	m := miniredis.RunT(t)
	at := func(i int) *miniredis.RedisDB { return m.DB(i) }
	type result struct {
		v   any
		err error
	}
	pair := func(v any, err error) result { return result{v, err} }
	only := func(err error) result { return result{nil, err} }
	for i, row := range []struct{ got, want result }{
		{only(m.Set("s", "text")), only(nil)},
		{pair(m.Get("s")), pair("text", nil)},
		{pair(m.Get("none")), pair("", miniredis.ErrKeyNotFound)},
		{pair(m.Incr("s", 1)), pair(0, miniredis.ErrIntValueError)},
		{pair(m.Incrfloat("s", 1)), pair(0.0, miniredis.ErrFloatValueError)},
		{pair(m.Incr("n", 5)), pair(5, nil)},
		{pair(m.IncrByFloat("n", 1.5)), pair(6.5, nil)},
		{only(m.Set("big", "9223372036854775807")), only(nil)},
		{pair(m.Incr("big", 1)), pair(0, miniredis.ErrIntValueOverflowError)},

		{pair(m.Push("l", "b", "c")), pair(2, nil)},
		{pair(m.Lpush("l", "a")), pair(3, nil)},
		{pair(m.Push("l")), pair(3, nil)},
		{pair(m.Pop("l")), pair("c", nil)},
		{pair(m.Lpop("l")), pair("a", nil)},
		{pair(m.RPop("none")), pair("", miniredis.ErrKeyNotFound)},
		{pair(m.Lpop("s")), pair("", miniredis.ErrWrongType)},
		{only(m.Set("l", "x")), only(miniredis.ErrWrongType)},

		{pair(m.SAdd("set", "b", "a", "a")), pair(2, nil)},
		{pair(m.SetAdd("set")), pair(0, nil)},
		{pair(m.SIsMember("set", "a")), pair(true, nil)},
		{pair(m.IsMember("set", "z")), pair(false, nil)},
		{pair(m.IsMember("none", "z")), pair(false, miniredis.ErrKeyNotFound)},
		{pair(m.SCard("set")), pair(2, nil)},
		{pair(m.SCard("none")), pair(0, miniredis.ErrKeyNotFound)},
		{pair(m.SRem("set", "a", "q")), pair(1, nil)},
		{pair(m.SRem("none", "a")), pair(0, miniredis.ErrKeyNotFound)},
		{pair(m.SRandMember("set")), pair("b", nil)},
		{pair(m.SRandMember("none")), pair("", nil)},
		{pair(m.SRandMember("s")), pair("", miniredis.ErrWrongType)},

		{pair(m.ZAdd("z", 1.5, "a")), pair(true, nil)},
		{pair(m.ZAdd("z", 2, "a")), pair(false, nil)},
		{pair(m.ZScore("z", "a")), pair(2.0, nil)},
		{pair(m.ZScore("z", "none")), pair(0.0, nil)},
		{pair(m.ZScore("none", "a")), pair(0.0, miniredis.ErrKeyNotFound)},
		{pair(m.ZRem("z", "none")), pair(false, nil)},
		{pair(m.ZRem("none", "a")), pair(false, miniredis.ErrKeyNotFound)},
		{pair(m.ZAdd("s", 1, "a")), pair(false, miniredis.ErrWrongType)},

		{pair(m.HIncr("h", "f", 5)), pair(5, nil)},
		{pair(m.HIncrByFloat("h", "f", 0.5)), pair(5.5, nil)},
		{pair(m.HIncrBy("h", "f", 1)), pair(0, miniredis.ErrIntValueError)},

		{pair(m.XAdd("x", "1-1", []string{"a", "b"})), pair("1-1", nil)},
		{pair(m.XAdd("x", "5-*", []string{"a", "b"})), pair("5-0", nil)},
		{pair(m.XAdd("s", "", []string{"a", "b"})), pair("", miniredis.ErrWrongType)},

		{pair(m.PfAdd("p", "a", "b")), pair(1, nil)},
		{pair(m.PfAdd("p", "a")), pair(0, nil)},
		{pair(m.PfCount("p", "none")), pair(2, nil)},
		{pair(m.PfCount("s")), pair(0, miniredis.ErrNotValidHllValue)},
		{pair(m.PfCount("h")), pair(0, miniredis.ErrNotValidHllValue)},
		{only(m.PfMerge("q", "p")), only(nil)},
		{only(m.PfMerge("q", "s")), only(miniredis.ErrNotValidHllValue)},
		{pair(m.PfAdd("s", "x")), pair(0, miniredis.ErrWrongType)},

		{only(m.Copy(0, "none", 1, "x")), only(miniredis.ErrKeyNotFound)},
		{only(m.Copy(0, "s", 1, "copy")), only(nil)},
		{pair(at(1).Get("copy")), pair("text", nil)},
		{pair(m.SwapDB(0, 1), nil), pair(true, nil)},
		{pair(m.Get("copy")), pair("text", nil)},
		{pair(m.SwapDB(0, 1), nil), pair(true, nil)},
		{pair(m.Exists("s"), nil), pair(true, nil)},
		{pair(m.Del("n"), nil), pair(true, nil)},
		{pair(m.Unlink("n"), nil), pair(false, nil)},
	} {
		if row.got != row.want {
			t.Errorf("row %d: got %v, want %v", i, row.got, row.want)
		}
	}
	for key, kind := range map[string]string{
		"s": "string", "p": "hll", "l": "list", "set": "set", "z": "zset", "h": "hash", "x": "stream", "none": "",
	} {
		want(t, "the type of "+key, m.Type(key), kind)
	}
	if keys := m.Keys(); !slices.Equal(keys, []string{"big", "h", "l", "p", "q", "s", "set", "x", "z"}) {
		t.Errorf("keys %q", keys)
	}
	m.Select(1)
	m.CheckGet(t, "copy", "text")
	m.FlushDB()
	want(t, "keys", len(m.Keys()), 0)
	m.FlushAll()
	want(t, "keys", len(at(0).Keys()), 0)
}

func TestDirectCollections(t *testing.T) {
	m := miniredis.RunT(t)
	m.Push("l", "b", "a")
	m.SetAdd("set", "b", "a")
	m.HSet("h", "b", "1", "a", "2", "odd")
	m.ZAdd("z", 2, "a")
	m.ZAdd("z", -1.5, "b")
	m.XAdd("x", "1-1", []string{"f", "v", "g", "w"})
	for what, got := range map[string][]string{
		"list [b a]": must(m.List("l")), "set [a b]": must(m.SMembers("set")), "fields [a b]": must(m.HKeys("h")),
		"members [b a]": must(m.ZMembers("z")),
	} {
		if _, list, _ := strings.Cut(what, " "); fmt.Sprint(got) != list {
			t.Errorf("%s: got %v", what, got)
		}
	}
	m.CheckList(t, "l", "b", "a")
	m.CheckSet(t, "set", "b", "a")
	if z := must(m.SortedSet("z")); !maps.Equal(z, map[string]float64{"a": 2, "b": -1.5}) {
		t.Errorf("%v", z)
	}
	if s := must(m.ZMScore("z", "a", "none")); !slices.Equal(s, []float64{2, 0}) {
		t.Errorf("%v", s)
	}
	if x := must(m.Stream("x")); len(x) != 1 || x[0].ID != "1-1" || !slices.Equal(x[0].Values, []string{"f", "v", "g", "w"}) {
		t.Errorf("%v", x)
	}
	want(t, "field", m.HGet("h", "a"), "2")
	want(t, "field that is missing", m.HGet("h", "odd")+m.HGet("l", "x")+m.HGet("none", "x"), "")
	m.HDel("h", "a")
	m.HSet("l", "now", "a hash")
	want(t, "type", m.Type("l"), "hash")
	for _, f := range []func(string) ([]string, error){m.List, m.Members, m.HKeys, m.ZMembers} {
		if _, err := f("none"); err != miniredis.ErrKeyNotFound {
			t.Error(err)
		}
	}
	if s, err := m.Stream("none"); len(s) != 0 || err != nil {
		t.Error(s, err)
	}
	want(t, "Dump", m.Dump(), `- h
   b: "1"
- l
   now: "a hash"
- set
   "a"
   "b"
- x
   1-1
      "f": "v"
      "g": "w"
- z
   -1.500000: "b"
   2.000000: "a"
`)
	m.FlushAll()
	m.Set("long", strings.Repeat("x", 70))
	want(t, "a long line", m.Dump(), "- long\n   \""+strings.Repeat("x", 53)+"\"...(70)\n")
	limit := 100
	miniredis.DumpLimit(&limit)
	defer miniredis.DumpLimit(&miniredis.DumpMaxLineLen)
	want(t, "a longer line", m.Dump(), "- long\n   \""+strings.Repeat("x", 70)+"\"\n")
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// failures counts what checks complain about.
type failures []string

func (f *failures) Helper() {}

func (f *failures) Errorf(format string, args ...any) { *f = append(*f, fmt.Sprintf(format, args...)) }

func TestChecks(t *testing.T) {
	m := miniredis.RunT(t)
	m.Set("s", "v")
	m.Push("l", "a", "b")
	m.SetAdd("set", "a", "b")
	var f failures
	m.CheckGet(&f, "s", "v")
	m.CheckList(&f, "l", "a", "b")
	m.CheckSet(&f, "set", "b", "a")
	if len(f) != 0 {
		t.Errorf("%q", f)
	}
	m.CheckGet(&f, "s", "w")
	m.CheckGet(&f, "none", "w")
	m.CheckList(&f, "l", "b", "a")
	m.CheckList(&f, "s", "b", "a")
	m.CheckSet(&f, "set", "a")
	m.CheckSet(&f, "l", "a")
	want(t, "complaints", len(f), 6)
}

func TestTTL(t *testing.T) {
	m := miniredis.RunT(t)
	c := client(t, m)
	do(t, c, "SET", "k", "v", "EX", "10")
	want(t, "TTL", m.TTL("k"), 10*time.Second)
	m.FastForward(9 * time.Second)
	want(t, "PTTL", do(t, c, "PTTL", "k"), any(int64(1000)))
	m.FastForward(time.Second)
	want(t, "key", m.Exists("k"), false)

	m.Set("k", "v")
	m.SetTTL("k", time.Second)
	m.Set("k", "w")
	want(t, "TTL after Set", m.TTL("k"), 0)
	m.SetTTL("k", time.Microsecond)
	want(t, "the shortest TTL", m.TTL("k"), time.Millisecond)
	m.SetTTL("k", 0)
	m.FastForward(time.Hour)
	want(t, "key without TTL", m.Exists("k"), true)
	m.SetTTL("k", time.Second)
	m.FastForward(-time.Second)
	want(t, "TTL that grew", m.TTL("k"), 2*time.Second)
	m.SetTTL("k", -time.Second)
	want(t, "key", m.Exists("k"), false)

	m.HSet("h", "f", "v", "g", "w")
	want(t, "HExpire", m.HExpire("h", "f", time.Second), true)
	want(t, "HExpire of nothing", m.HExpire("h", "none", time.Second) || m.HExpire("none", "f", time.Second), false)
	want(t, "HTTL", m.HTTL("h", "f"), time.Second)
	want(t, "HTTL of a field without", m.HTTL("h", "g")+m.HTTL("none", "g"), 0)
	want(t, "HPersist", m.HPersist("h", "f"), true)
	want(t, "HPersist again", m.HPersist("h", "f"), false)
	m.HSetEX("h", time.Minute, "f", "x", "e", "y")
	m.FastForward(time.Minute)
	if keys := must(m.HKeys("h")); !slices.Equal(keys, []string{"g"}) {
		t.Errorf("fields %q", keys)
	}
}

func TestExpiredEventsPrecedeFastForward(t *testing.T) {
	m := miniredis.RunT(t)
	c := client(t, m)
	do(t, c, "CONFIG", "SET", "notify-keyspace-events", "Ex")
	sub := m.NewSubscriber()
	defer sub.Close()
	sub.Subscribe("__keyevent@0__:expired")
	for _, k := range []string{"late", "early"} {
		m.Set(k, "v")
	}
	m.SetTTL("early", time.Second)
	m.SetTTL("late", time.Minute)
	m.FastForward(time.Hour)
	want(t, "first", receive(t, sub.Messages()).Message, "early")
	want(t, "second", receive(t, sub.Messages()).Message, "late")
}

func receive[T any](t testing.TB, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatal("nothing came")
	}
	return v
}

func TestCalendar(t *testing.T) {
	m := miniredis.RunT(t)
	c := client(t, m)
	// Real time: a date an hour from now is a TTL of an hour at most.
	do(t, c, "SET", "k", "v")
	do(t, c, "EXPIREAT", "k", time.Now().Add(time.Hour).Unix())
	if ttl := m.TTL("k"); ttl > time.Hour || ttl < time.Hour-patience {
		t.Errorf("TTL %v", ttl)
	}
	before := time.Now().Truncate(time.Microsecond)
	if now := must(c.Time(t.Context()).Result()); now.Before(before) || now.After(time.Now()) {
		t.Errorf("TIME %v", now)
	}

	m.SetTime(time.Unix(1000, 0))
	m.FastForward(time.Minute)
	for _, row := range []struct {
		reply any
		args  string
	}{
		{"[1000 0]", "TIME"},
		{"1000000-0", "XADD x * a b"},
		{"OK", "SET e v"},
		{"1", "EXPIREAT e 1010"},
		{"10", "TTL e"},
		{"1010", "EXPIRETIME e"},
		{"OK", "SET p v PXAT 1010500"},
		{"10500", "PTTL p"},
		{"v", "GETEX p EXAT 1020"},
		{"20000", "PTTL p"},
		{"1", "HSET h f v"},
		{"[1]", "HPEXPIREAT h 1003000 FIELDS 1 f"},
		{"[3]", "HTTL h FIELDS 1 f"},
		{"[1003000]", "HPEXPIRETIME h FIELDS 1 f"},
		{"OK", "RESTORE r 1005000 \x00\x01v\x0b\x00 ABSTTL"},
	} {
		var args []any
		for _, a := range strings.Split(row.args, " ") {
			args = append(args, a)
		}
		if strings.HasPrefix(row.args, "RESTORE") {
			args[3] = must(c.Dump(t.Context(), "e").Result())
		}
		want(t, row.args, fmt.Sprint(do(t, c, args...)), fmt.Sprint(row.reply))
	}
	want(t, "TTL of what was restored", m.TTL("r"), 5*time.Second)
	m.FastForward(5 * time.Second)
	want(t, "TIME", fmt.Sprint(do(t, c, "TIME")), "[1000 0]")
	want(t, "EXPIRETIME", do(t, c, "EXPIRETIME", "e"), any(int64(1005)))
	want(t, "what was restored", m.Exists("r"), false)

	m.ClockTTL(true)
	want(t, "TTL", m.TTL("e"), 5*time.Second)
	m.SetTime(time.Unix(1004, 0))
	want(t, "TTL", m.TTL("e"), time.Second)
	m.SetTime(time.Unix(1001, 0))
	want(t, "TTL", m.TTL("e"), 4*time.Second)
	m.SetTime(time.Unix(1006, 0))
	want(t, "key", m.Exists("e"), false)
	m.ClockTTL(false)
	m.SetTTL("p", time.Second)
	m.SetTime(time.Time{})
	want(t, "TTL", m.TTL("p"), time.Second)
	if now := must(c.Time(t.Context()).Result()); now.Before(before) {
		t.Errorf("TIME %v", now)
	}
}

func TestClockTTLInRealTime(t *testing.T) {
	m := miniredis.RunT(t)
	c := client(t, m)
	do(t, c, "CONFIG", "SET", "notify-keyspace-events", "Ex")
	sub := m.NewSubscriber()
	defer sub.Close()
	sub.Subscribe("__keyevent@0__:expired")
	m.Set("k", "v")
	m.SetTTL("k", 20*time.Millisecond)
	m.ClockTTL(true)
	want(t, "what expires by itself", receive(t, sub.Messages()).Message, "k")
	m.ClockTTL(false)
	m.Set("k", "v")
	m.SetTTL("k", time.Hour)
	want(t, "TTL", m.TTL("k"), time.Hour)
}

func TestBlockingTakesRealTime(t *testing.T) {
	m := miniredis.RunT(t)
	c := client(t, m)
	m.SetTime(time.Unix(1000, 0))
	got := make(chan string, 1)
	go func() {
		got <- fmt.Sprint(c.Do(context.Background(), "BLPOP", "l", "0.05").Err())
	}()
	want(t, "a wait in vain", receive(t, got), redis.Nil.Error())
	go func() {
		got <- fmt.Sprint(c.BLPop(context.Background(), 0, "l").Val())
	}()
	m.Push("l", "x")
	want(t, "a wait", receive(t, got), "[l x]")
}

func TestRestart(t *testing.T) {
	m := miniredis.NewMiniRedis()
	want(t, "Addr before the start", m.Addr()+m.Host()+m.Port(), "")
	if err := m.Restart(); err == nil {
		t.Error("Restart before the start is no error")
	}
	m.Set("early", "v")
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	addr := m.Addr()
	want(t, "Host:Port", net.JoinHostPort(m.Host(), m.Port()), addr)
	if err := m.Start(); err == nil {
		t.Error("Start of what runs is no error")
	}
	c := client(t, m)
	do(t, c, "SET", "k", "v", "PX", "1500")
	do(t, c, "SET", "gone", "v", "PX", "500")
	m.DB(7).HSet("h", "f", "v", "g", "w")
	m.DB(7).HExpire("h", "f", time.Minute)
	m.RequireUserAuth("joe", "secret")
	front, ctx := m.Server(), m.Ctx
	m.Close()
	m.Close()
	if ctx.Err() == nil || m.Server() != nil {
		t.Error("closed, and cannot be told")
	}
	if _, err := net.DialTimeout("tcp", addr, patience); err == nil {
		t.Error("the port is open")
	}
	m.FastForward(time.Second / 2)
	m.CheckGet(t, "k", "v")
	want(t, "what was due while it was closed", m.Exists("gone"), false)
	m.Set("late", "v")
	m.FastForward(time.Second / 2)
	if err := m.Restart(); err != nil {
		t.Fatal(err)
	}
	want(t, "Addr", m.Addr(), addr)
	want(t, "the same server", m.Server() == front || m.Ctx.Err() != nil, false)
	want(t, "without a password", do(t, c, "PING"), any("NOAUTH Authentication required."))
	joe := redis.NewClient(&redis.Options{Addr: m.Addr(), Username: "joe", Password: "secret"})
	defer joe.Close()
	want(t, "PTTL", do(t, joe, "PTTL", "k"), any(int64(500)))
	want(t, "HTTL", m.DB(7).HTTL("h", "f"), 59*time.Second)
	m.CheckGet(t, "early", "v")
	m.CheckGet(t, "late", "v")
	m.RequireUserAuth("joe", "")
	want(t, "no password any more", do(t, client(t, m), "PING"), any("PONG"))
}

func TestRequireAuth(t *testing.T) {
	m := miniredis.RunT(t)
	m.RequireAuth("secret")
	want(t, "without", do(t, client(t, m), "PING"), any("NOAUTH Authentication required."))
	c := redis.NewClient(&redis.Options{Addr: m.Addr(), Password: "secret"})
	defer c.Close()
	want(t, "with", do(t, c, "PING"), any("PONG"))
	m.Set("k", "v")
	m.CheckGet(t, "k", "v")
	m.RequireAuth("")
	want(t, "not needed", do(t, client(t, m), "PING"), any("PONG"))
}

func TestSetError(t *testing.T) {
	m := miniredis.RunT(t)
	c := client(t, m)
	m.SetError("LOADING soon")
	want(t, "PING", do(t, c, "PING"), any("LOADING soon"))
	m.Set("k", "v")
	m.SetError("")
	want(t, "GET", do(t, c, "GET", "k"), any("v"))
}

func TestHooks(t *testing.T) {
	m := miniredis.RunT(t)
	c := client(t, m)
	s := m.Server()
	var mu sync.Mutex
	var seen []string
	s.SetPreHook(func(p *server.Peer, cmd string, args ...string) bool {
		if cmd != "HELLO" && cmd != "CLIENT" { // what a connection begins with
			mu.Lock()
			seen = append(seen, strings.Join(append([]string{cmd}, args...), " "))
			mu.Unlock()
		}
		switch cmd {
		case "GET":
			v, _ := m.Get(args[0])
			p.WriteBulk("hooked " + v)
		case "PANIC":
			panic("in a hook")
		case "ALIAS":
			s.Dispatch(p, args)
		default:
			return false
		}
		return true
	})
	// A pipeline: each hook sees what came before it.
	pipe := c.Pipeline()
	set, get, incr := pipe.Set(t.Context(), "n", 1, 0), pipe.Get(t.Context(), "n"), pipe.Incr(t.Context(), "n")
	again, alias := pipe.Get(t.Context(), "n"), pipe.Do(t.Context(), "alias", "incr", "n")
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(t, "replies", fmt.Sprint(set.Val(), get.Val(), incr.Val(), again.Val(), alias.Val()), "OKhooked 12hooked 23")
	want(t, "seen", strings.Join(seen, "|"), "SET n 1|GET n|INCR n|GET n|ALIAS incr n|INCR n")
	if e := fmt.Sprint(do(t, c, "panic")); !strings.Contains(e, "in a hook") {
		t.Error(e)
	}
	s.SetPreHook(nil)
	want(t, "without", do(t, c, "GET", "n"), any("3"))
}

func TestRegister(t *testing.T) {
	m := miniredis.RunT(t)
	c := client(t, m)
	s := m.Server()
	twice := func(p *server.Peer, cmd string, args []string) {
		p.WriteMapLen(2)
		p.WriteBulk("name")
		p.WriteInline(cmd)
		p.WriteBulk("args")
		p.WriteStrings(args)
	}
	if err := s.Register("twice", twice, server.ReadOnlyOption()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"TWICE", "get", "Eval"} {
		if err := s.Register(name, twice); err == nil || err.Error() != "command already registered: "+strings.ToUpper(name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	want(t, "RESP3", fmt.Sprint(do(t, c, "Twice", "a", "b")), "map[args:[a b] name:TWICE]")
	if err := s.Register("CONFIG", twice); err != nil {
		t.Errorf("what miniredis has not: %v", err)
	}
	want(t, "in its place", fmt.Sprint(do(t, c, "CONFIG", "x")), "map[args:[x] name:CONFIG]")
	for name, is := range map[string][2]bool{
		"twice": {true, true}, "GET": {true, true}, "set": {true, false}, "none": {}, "config": {true, false},
	} {
		want(t, name, [2]bool{s.IsRegisteredCommand(name), s.IsReadOnlyCommand(name)}, is)
		want(t, name, m.IsReadOnlyCommand(name), is[1])
	}
	n := m.CommandCount()
	do(t, c, "TWICE")
	do(t, c, "GET", "k")
	do(t, c, "NONE")
	want(t, "counted", m.CommandCount()-n, 2)
	want(t, "connections", m.CurrentConnectionCount(), 1)
	want(t, "connections in all", m.TotalConnectionCount(), 1)
}

func TestSubscriber(t *testing.T) {
	m := miniredis.RunT(t)
	c := client(t, m)
	s := m.NewSubscriber()
	want(t, "subscriptions", s.Subscribe("b"), 1)
	want(t, "subscriptions", s.Subscribe("a"), 2)
	want(t, "subscriptions", s.Subscribe("a"), 2)
	want(t, "subscriptions", s.Psubscribe("a*"), 3)
	want(t, "Count, Channels, Patterns", fmt.Sprint(s.Count(), s.Channels(), s.Patterns()), "3 [a b] [a*]")
	want(t, "receivers", m.Publish("a", "direct"), 2)
	want(t, "receivers", c.Publish(t.Context(), "a", "client").Val(), 2)
	for _, text := range []string{"direct", "client"} {
		want(t, "message", receive(t, s.Messages()), miniredis.PubsubMessage{Channel: "a", Message: text})
		want(t, "message", receive(t, s.Pmessages()), miniredis.PubsubPmessage{Pattern: "a*", Channel: "a", Message: text})
	}
	want(t, "its own", s.Publish("ab", "x"), 1)
	want(t, "message", receive(t, s.Pmessages()).Message, "x")
	want(t, "PubSub*", fmt.Sprint(m.PubSubChannels(""), m.PubSubChannels("a*"), m.PubSubNumSub("a", "z"), m.PubSubNumPat()),
		"[a b] [a] map[a:1 z:0] 1")
	m.Close()
	want(t, "subscriptions", s.Unsubscribe("b"), 2)
	if err := m.Restart(); err != nil {
		t.Fatal(err)
	}
	want(t, "receivers after Restart", m.Publish("a", "again"), 2)
	want(t, "message", receive(t, s.Messages()).Message, "again")
	want(t, "subscriptions", s.Punsubscribe("a*"), 1)
	want(t, "receivers", m.Publish("a", "last"), 1)
	s.Close()
	s.Close()
	want(t, "receivers", m.Publish("a", "nobody"), 0)
	for range s.Messages() { // is closed
	}
}

func TestSeed(t *testing.T) {
	draw := func(seed int) string {
		m := miniredis.RunT(t)
		for i := range 50 {
			m.SetAdd("s", fmt.Sprint(i))
		}
		m.Seed(seed)
		var all []string
		for range 10 {
			all = append(all, must(m.SRandMember("s")))
		}
		return strings.Join(all, " ")
	}
	want(t, "the same seed", draw(7), draw(7))
	if draw(7) == draw(8) {
		t.Error("another seed makes no difference")
	}
}

func TestTLS(t *testing.T) {
	ca := must(certs.New("test"))
	pair := must(must(ca.Sign("server")).TLS())
	m, err := miniredis.RunTLS(&tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	c := redis.NewClient(&redis.Options{Addr: m.Addr(), TLSConfig: &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost"}})
	defer c.Close()
	want(t, "PING", do(t, c, "PING"), any("PONG"))
}

func TestDial(t *testing.T) {
	m := miniredis.NewMiniRedis()
	defer m.Close()
	c := redis.NewClient(&redis.Options{Dialer: func(context.Context, string, string) (net.Conn, error) { return m.Dial() }})
	defer c.Close()
	want(t, "PING", do(t, c, "PING"), any("PONG"))
	want(t, "Addr", m.Addr(), "")
	want(t, "connections", m.TotalConnectionCount(), 1)
}

func TestWaitHasNoReplicasToWaitFor(t *testing.T) {
	m := miniredis.RunT(t)
	want(t, "WAIT", do(t, client(t, m), "WAIT", "2", "0"), any(int64(0)))
}

// TestManyAtOnce has clients and direct methods at work while servers come and go, and sees whether anything is left.
func TestManyAtOnce(t *testing.T) {
	goroutines := runtime.NumGoroutine()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			m, err := miniredis.Run()
			if err != nil {
				t.Error(err)
				return
			}
			var work sync.WaitGroup
			for i := range 4 {
				work.Go(func() {
					c, err := proto.Dial(m.Addr())
					if err != nil {
						t.Error(err)
						return
					}
					defer c.Close()
					for n := range 30 {
						_, _ = c.Do("INCR", "n") // fails when the server is closed
						_, _ = m.Push("l", "x")
						m.FastForward(time.Millisecond)
						if i == 0 && n == 20 {
							m.Close()
						}
						m.SetError([]string{"", "ERR now and then"}[n%2])
						m.Keys()
					}
				})
			}
			work.Wait()
			want(t, "elements", len(must(m.List("l"))), 120)
			m.Close()
		})
	}
	all.Wait()
	for deadline := time.Now().Add(patience); runtime.NumGoroutine() > goroutines; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines are left\n%s", runtime.NumGoroutine()-goroutines, buf[:runtime.Stack(buf, true)])
		}
	}
}

func TestCluster(t *testing.T) {
	m := miniredis.RunT(t)
	c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{m.Addr()}})
	defer c.Close()
	want(t, "SET", c.Set(t.Context(), "k", "v", 0).Err(), nil)
	m.CheckGet(t, "k", "v")
	one := client(t, m)
	for key, slot := range map[string]int64{"foo": 12182, "{foo}.bar": 12182, "123456789": 0x31c3, "{}x": 10595, "": 0} {
		if got := do(t, one, "CLUSTER", "KEYSLOT", key); got != slot {
			t.Errorf("the slot of %q is %v, want %d", key, got, slot)
		}
	}
	for args, part := range map[string]string{
		"CLUSTER NODES": m.Addr(), "CLUSTER SHARDS": "role:master", "CLUSTER MYID": "", "CLUSTER INFO": "cluster support disabled",
		"CLUSTER": "wrong number", "CLUSTER KEYSLOT": "wrong number",
	} {
		var list []any
		for _, a := range strings.Fields(args) {
			list = append(list, a)
		}
		if got := fmt.Sprint(do(t, one, list...)); !strings.Contains(got, part) {
			t.Errorf("%s: %s", args, got)
		}
	}
}
