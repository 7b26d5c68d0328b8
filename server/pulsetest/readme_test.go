package pulsetest_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/server/pulsetest"
)

func TestLogin(t *testing.T) {
	s := pulsetest.Start(t, pulsetest.Frozen(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)))
	rdb := redis.NewClient(&redis.Options{Addr: s.Addr(), MaxRetries: -1})
	defer rdb.Close()

	rdb.SetEx(t.Context(), "session:1", "alice", 30*time.Minute)
	s.Clock.Advance(30 * time.Minute) // takes no time
	if err := rdb.Get(t.Context(), "session:1").Err(); err != redis.Nil {
		t.Errorf("the session is still there: %v", err)
	}

	s.Inject(pulsetest.Fault{Command: "SET", Err: "OOM command not allowed when used memory > 'maxmemory'.", Times: 1})
	if err := rdb.Set(t.Context(), "session:2", "bob", 0).Err(); err == nil {
		t.Error("no error")
	}
	rdb.Set(t.Context(), "session:2", "bob", 0)
	s.Equal(map[string]any{"session:2": "bob"})
}

// The test in the README is the one above.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	this, err := os.ReadFile("readme_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(readme), "\n## Use it in tests\n")
	_, code, ok2 := strings.Cut(section, "```go\n")
	code, _, ok3 := strings.Cut(code, "```\n")
	if !ok || !ok2 || !ok3 || !strings.Contains(string(this), "\n"+code) {
		t.Errorf("the README has another test than this file: %s", code)
	}
}
