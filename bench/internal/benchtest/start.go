package benchtest

import (
	"testing"

	"github.com/streampulse/pulse/bench/spawn"
)

// startServer starts a server for one test and stops it afterwards. This is the one place that knows which server the
// pattern tests run against when REDIS_ADDR does not say.
func startServer(t testing.TB) string {
	t.Helper()
	if !spawn.Have("redis-server") {
		t.Skip("no REDIS_ADDR and no redis-server on PATH")
	}
	p, err := spawn.Start(t.Context(), t.TempDir(), []string{"redis-server"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p.Addr
}
