package commands

import (
	"strings"
	"testing"

	"github.com/streampulse/pulse/store"
)

func TestRename(t *testing.T) {
	s := store.New(store.Options{})
	defer s.Close()
	tab := New(s)
	count := len(tab.Commands())
	long := strings.Repeat("A", 200)
	for _, row := range []struct{ from, to, want string }{
		{"GET", "Get2", ""}, {"flushall", "", ""}, {"config", long, ""}, {"set", "set", ""}, {"del", "get", ""},
		{"nosuch", "x", errRenameUnknown.Error()}, {"get2", "SET", errRenameTaken.Error()}, {"flushall", "x", errRenameUnknown.Error()},
		{"config|get", "x", errRenameUnknown.Error()}, {"mget", strings.Repeat("b", maxRename+1), errRenameLong.Error()},
	} {
		got := ""
		if err := tab.Rename(row.from, row.to); err != nil {
			got = err.Error()
		}
		if got != row.want {
			t.Errorf("%s to %.20s: %q, want %q", row.from, row.to, got, row.want)
		}
	}
	for name, want := range map[string]string{"GET": "del", "del": "", "flushAll": "", strings.ToLower(long): "config", "config": "", "Set": "set"} {
		got := ""
		if s := tab.Lookup([]byte(name)); s != nil {
			got = s.FullName()
		}
		if got != want {
			t.Errorf("%.20s is %q, want %q", name, got, want)
		}
		if s := tab.Original([]byte(name)); (s == nil) != (len(name) > 20) || s != nil && s.FullName() != strings.ToLower(name) {
			t.Errorf("%.20s was another command", name)
		}
	}
	if got := len(tab.Commands()); got != count-1 {
		t.Errorf("%d commands of %d", got, count)
	}
}
