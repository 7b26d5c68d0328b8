package log

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestFormats writes the same messages in each format.
func TestFormats(t *testing.T) {
	l, w := newLogger(t, Options{Role: Master})
	for _, row := range []struct{ format, want string }{
		{"legacy", "4711:M 02 Jan 2026 15:04:05.678 * a \"b\"\\n\\x01\n"},
		{"LOGFMT", `pid=4711 role=master timestamp="2026-01-02T15:04:05.678Z" level=notice message="a \"b\"\n\u0001"` + "\n"},
		{"json", `{"pid":4711,"role":"master","timestamp":"2026-01-02T15:04:05.678Z","level":"notice","message":"a \"b\"\n\u0001"}` + "\n"},
	} {
		f, ok := ParseFormat(row.format)
		if !ok || !strings.EqualFold(f.String(), row.format) {
			t.Fatalf("%s is %v", row.format, f)
		}
		l.SetFormat(f)
		w.all = nil
		l.Noticef("a \"b\"\n\x01")
		if len(w.all) != 1 || w.all[0] != row.want {
			t.Errorf("%s: %q, want %q", row.format, w.all, row.want)
		}
	}
	if _, ok := ParseFormat("xml"); ok {
		t.Error("xml is a format")
	}
}

// FuzzJSON logs anything: a line stays one line, and an object with the message in it.
func FuzzJSON(f *testing.F) {
	f.Add("x\ny\xff\"\\\u2028")
	f.Fuzz(func(t *testing.T, message string) {
		l, w := newLogger(t, Options{})
		l.SetFormat(JSON)
		l.Warningf("%s", message)
		var got struct{ Level, Message string }
		if err := json.Unmarshal([]byte(w.all[0]), &got); err != nil || strings.Count(w.all[0], "\n") != 1 {
			t.Fatalf("%v: %q", err, w.all[0])
		}
		if got.Message != strings.ToValidUTF8(message, "\uFFFD") && got.Message != string([]rune(message)) || got.Level != "warning" {
			t.Errorf("%q became %q", message, got.Message)
		}
	})
}
