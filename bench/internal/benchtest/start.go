package benchtest

import (
	"context"
	"testing"

	"github.com/streampulse/pulse/server"
)

// startServer starts a server for one test and stops it afterwards. This is the one place that knows which server the
// pattern tests run against when REDIS_ADDR does not say.
func startServer(t testing.TB) string {
	t.Helper()
	srv, err := server.Open(server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return srv.Addr()
}
