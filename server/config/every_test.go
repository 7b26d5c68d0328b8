package config

import (
	"context"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/internal/oracle"
)

// everyValue are values tried on each parameter: they find out kinds, bounds, units and flags.
var everyValue = []string{
	"abc", "", "-1", "0", "1", "3", "101", "1001", "65536", "2147483647", "2147483648", "4294967295", "4294967296",
	"9223372036854775807", "1kb", "5%", "yes", "NO", "a b",
}

// notTried are parameters that a server under test must not get at random, with the reason.
var notTried = map[string]string{
	"port": "it would be another server", "bind": "it would be another server", "tls-port": "it would listen",
	"maxclients": "bounded by the machine", "maxmemory-clients": "the client itself would go",
	"dir": "protected", "dbfilename": "protected", "watchdog-period": "it sends signals", "oom-score-adj": "it may not be allowed",
	"oom-score-adj-values": "it may not be allowed", "appendonly": "it begins a file",
	"activedefrag": "it depends on the allocator", "jemalloc-bg-thread": "it depends on the allocator",
	"tls-auth-clients": "it is refused without certificates", "tls-cluster": "as above", "tls-replication": "as above",
	"locale-collate": "it depends on the machine", "requirepass": "it would ask for it",
}

// moved are parameters whose values the compatibility level has changed since the older oracle.
var moved = map[string]bool{"maxmemory-samples": true, "loglevel": true, "aof-disable-auto-gc": true}

func TestEveryParameterAgainstOracle(t *testing.T) {
	srv := oracle.Start(t)
	client := redis.NewClient(&redis.Options{Addr: srv.Addr(), Protocol: 2, DisableIdentity: true})
	defer client.Close()
	ctx := context.Background()
	old := isOld(t, client)
	c, tried := New(), 0
	for _, p := range Params() {
		name := p.Name
		has, err := client.ConfigGet(ctx, name).Result()
		if err != nil {
			t.Fatal(err)
		}
		if notTried[name] != "" || strings.HasPrefix(name, "tls-") || len(has) == 0 || old && moved[name] {
			if len(has) == 0 && !own[name] && !(old && since74[name]) && !strings.HasSuffix(name, "-cpulist") {
				t.Errorf("%s: the oracle has no such parameter", name)
			}
			continue
		}
		tried++
		for _, text := range everyValue {
			want, got := "OK", "OK"
			if err := client.Do(ctx, "CONFIG", "SET", name, text).Err(); err != nil {
				want = strings.TrimPrefix(err.Error(), "ERR ")
			}
			if err := c.Set(bytesOf(name, text), false); err != nil {
				got = err.Error()
			}
			if got != want {
				t.Errorf("CONFIG SET %s %q:\n got %s\nwant %s", name, text, got, want)
				continue
			}
			has, err := client.ConfigGet(ctx, name).Result()
			if err != nil {
				t.Fatal(err)
			}
			if got != "OK" {
				continue
			}
			if has[name] != c.Text(name) {
				t.Errorf("%s set to %q is %q, there %q", name, text, c.Text(name), has[name])
			}
		}
		if !p.Has(Immutable) && c.Text(name) != p.Default {
			if err := client.Do(ctx, "CONFIG", "SET", name, p.Default).Err(); err != nil {
				t.Errorf("%s back to %q: %v", name, p.Default, err)
			}
		}
	}
	if tried < 120 {
		t.Errorf("only %d parameters were tried", tried)
	}
}

// own are parameters that no redis-server has.
var own = map[string]bool{"ignore-unread-data": true, "metrics-addr": true, "log-format": true}
