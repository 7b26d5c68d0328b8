package server

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// TestNotificationsInOrder has clients make and delete the same keys at the same time. A key that is made was not there, and
// one that is deleted was: so the events of each key take turns, whoever caused them, on all loops and shards.
func TestNotificationsInOrder(t *testing.T) {
	const clients, rounds, keys = 6, 400, 3
	srv := openWith(t, Options{Addr: "127.0.0.1:0", Shards: 2}, "notify-keyspace-events", "Kg$", "io-threads", "3")
	listener, control := dial(t, srv), dial(t, srv)
	listener.do("PSUBSCRIBE __key*")
	var wg sync.WaitGroup
	for i := range clients {
		c := dial(t, srv)
		wg.Go(func() {
			for n := range rounds {
				key := fmt.Sprintf("k%d", (n+i)%keys)
				c.send(requests("SETNX "+key+" v", "DEL "+key))
				c.read()
				c.read()
			}
		})
	}
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	go func() {
		<-done
		control.send(encode("PUBLISH", "__key-end", "x"))
	}()
	there := map[string]bool{}
	events := 0
	for {
		m := parts(t, listener.read())
		if m[2] == "__key-end" {
			break
		}
		events++
		key := strings.TrimPrefix(m[2], "__keyspace@0__:")
		if made := m[3] == "set"; made == there[key] {
			t.Fatalf("event %d: %s of %s, which was there: %v", events, m[3], key, there[key])
		} else {
			there[key] = made
		}
	}
	if events < 2*rounds {
		t.Errorf("only %d events", events)
	}
	<-done
}

// TestEvictedNotification looks at the event of a key that went because memory was short.
func TestEvictedNotification(t *testing.T) {
	eachTarget(t, settings{"notify-keyspace-events", "KEe", "maxmemory", "5mb", "maxmemory-policy", "allkeys-random"}, func(t *testing.T, to target) {
		listener, c := to.dial(t), to.dial(t)
		listener.do("PSUBSCRIBE __key*")
		value := strings.Repeat("x", 20<<10)
		for i := range 400 {
			c.doArgs("SET", fmt.Sprintf("k%d", i), value)
		}
		c.doArgs("PUBLISH", "__key-end", "x")
		gone := 0
		for {
			m := parts(t, listener.read())
			if m[2] == "__key-end" {
				break
			}
			next := parts(t, listener.read())
			key := strings.TrimPrefix(m[2], "__keyspace@0__:")
			if m[3] != "evicted" || next[2] != "__keyevent@0__:evicted" || next[3] != key {
				t.Fatalf("%q, %q", m, next)
			}
			c.want("EXISTS "+key, ":0\r\n")
			gone++
		}
		if gone < 50 {
			t.Errorf("%d keys were evicted", gone)
		}
	})
}

// TestReplayingTellsNobody starts a server again on its log: what was done before is not told again.
func TestReplayingTellsNobody(t *testing.T) {
	dir := t.TempDir()
	s := []string{"notify-keyspace-events", "KEAn", "appendonly", "yes"}
	srv := openWith(t, Options{Addr: "127.0.0.1:0", Dir: dir}, s...)
	c := dial(t, srv)
	for i := range 100 {
		c.want(fmt.Sprintf("SET k%d v", i), "+OK\r\n")
	}
	closeServer(t, srv)
	srv = openWith(t, Options{Addr: "127.0.0.1:0", Dir: dir}, s...)
	listener, c := dial(t, srv), dial(t, srv)
	listener.do("PSUBSCRIBE __key*")
	c.want("DBSIZE", ":100\r\n")
	c.do("PUBLISH __key-end x")
	if m := parts(t, listener.read()); m[2] != "__key-end" {
		t.Errorf("told %q", m)
	}
}
