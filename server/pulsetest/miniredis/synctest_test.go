package miniredis_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/streampulse/pulse/server/pulsetest/miniredis"
	"github.com/streampulse/pulse/server/pulsetest/miniredis/proto"
)

// TestInABubble has real time be that of a bubble: a minute takes none.
func TestInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := miniredis.NewMiniRedis()
		defer m.Close()
		m.ClockTTL(true)
		nc, err := m.Dial()
		if err != nil {
			t.Fatal(err)
		}
		c := proto.NewClient(nc)
		defer c.Close()
		ask := func(want string, args ...string) {
			t.Helper()
			if got, err := c.Do(args...); got != want || err != nil {
				t.Errorf("%q: got %q, %v, want %q", args, got, err, want)
			}
		}
		ask("+OK\r\n", "SET", "k", "v", "EX", "60")
		time.Sleep(59 * time.Second)
		ask(":1000\r\n", "PTTL", "k")
		began := time.Now()
		ask("*-1\r\n", "BLPOP", "none", "30")
		if took := time.Since(began); took < 30*time.Second || took > 31*time.Second {
			t.Errorf("BLPOP took %v", took)
		}
		ask("$-1\r\n", "GET", "k")
		ask(proto.Strings("946684889", "0"), "TIME") // bubbles begin with the year 2000
	})
}
