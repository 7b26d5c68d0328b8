package script

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// quick is the timeout where a test wants a reply not to come.
var quick = Options{Timeout: 30 * time.Millisecond}

func TestReplay(t *testing.T) {
	tests := []struct {
		name string
		text string
		want []string // parts of the mismatches' Got, in order
		err  string   // part of the error
	}{
		{"same", "> SAY \"+OK\\r\\n\"\n+OK\n", nil, ""},
		{"other text", "> SAY \"+OK\\r\\n\"\n+KO\n", []string{"+OK"}, ""},
		{"other type", "> SAY \"$2\\r\\nOK\\r\\n\"\n+OK\n", []string{`"OK"`}, ""},
		{"goes on after a mismatch", "> SAY \":1\\r\\n\"\n:2\n> SAY \":3\\r\\n\"\n:3\n", []string{":1"}, ""},
		{"unread", "> SAY \":1\\r\\n:2\\r\\n\"\n:1\n", []string{":2"}, ""},
		{"several", "> SAY \":1\\r\\n:2\\r\\n\"\n:1\n:2\n", nil, ""},
		{"several, the second elsewhere", "> SAY \":1\\r\\n:2\\r\\n\"\n:1\n<\n:2\n", nil, ""},
		{"none comes", "> SAY \"\"\n+OK\n", []string{"no reply"}, "no reply within"},
		{"none is due", "> SAY \"\"\n(none)\n", nil, ""},
		{"none is due and one comes", "> SAY \":1\\r\\n\"\n(none)\n", []string{":1"}, ""},
		{"closed", "> HANGUP\n(closed)\n> SAY \":1\\r\\n\"\n:1\n", nil, ""},
		{"closed instead of a reply", "> HANGUP\n+OK\n+OK\n", []string{"(closed)"}, ""},
		{"not RESP", "> SAY \"what\\r\\n\"\n+OK\n", []string{"not RESP"}, ""},
		{"blocked", "2> REGISTER\n+OK\n2> HANG\n(blocked)\n> TELL 1 \":5\\r\\n\"\n+OK\n2<\n:5\n", nil, ""},
		{"not blocked", "2> SAY \":1\\r\\n\"\n(blocked)\n", []string{":1"}, ""},
		{"no expectation", "> SAY \":1\\r\\n\"\n", nil, "line 1"},
		{"variables", "#: any\n#: let x 1\n> SAY \"*2\\r\\n:7\\r\\n:8\\r\\n\"\n*?\n> SAY \":${x}\\r\\n\"\n:8\n", nil, ""},
		{"variables in replies", "#: let x\n> SAY \"+v1\\r\\n\"\n+v1\n> SAY \"+v1\\r\\n\"\n+${x}\n", nil, ""},
		{"nothing to keep", "#: let x 2\n> SAY \"*0\\r\\n\"\n*0\n", []string{"no element 2"}, ""},
		{"close", "2> HANG\n(blocked)\n2> (close)\n2> SAY \":1\\r\\n\"\n:1\n", nil, ""},
		{"close of nothing", "2> (close)\n", nil, "no connection"},
		{"raw", "raw> \"*2\\r\\n$3\\r\\nSAY\\r\\n$4\\r\\n:1\\r\\n\" \"\\r\\n\"\n:1\n", nil, ""},
		{"reset", "2> HANG\n(blocked)\n#: reset\n2> SAY \":1\\r\\n\"\n:1\n", nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &fakeServer{}
			opts := Options{}
			if strings.HasPrefix(tt.err, "no reply") {
				opts = quick
			}
			mismatches, err := parse(t, tt.text).Replay(s.dial, 2, opts)
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			for i, m := range mismatches {
				if i >= len(tt.want) || !strings.Contains(m.Got, tt.want[i]) {
					t.Errorf("mismatch %d: %s", i, m)
				}
			}
			if len(mismatches) != len(tt.want) {
				t.Errorf("%d mismatches, want %d", len(mismatches), len(tt.want))
			}
		})
	}
}

func TestMismatchNamesThePlace(t *testing.T) {
	s := &fakeServer{}
	f := parse(t, "# comment\n\n> SAY \"*1\\r\\n:1\\r\\n\"\n*1\n  :2\n")
	mismatches, err := f.Replay(s.dial, 2, Options{})
	if err != nil || len(mismatches) != 1 {
		t.Fatalf("%v, %v", mismatches, err)
	}
	want := "test:3: [RESP2] > SAY \"*1\\r\\n:1\\r\\n\"\nwant:\n    *1\n      :2\ngot:\n    *1\n      :1"
	if got := mismatches[0].String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestProtocolThree(t *testing.T) {
	s := &fakeServer{}
	f := parse(t, strings.Join([]string{
		"#: protocol 2 3",
		`> SAY "_\r\n"`, "[2]", "_", "[3]", "(nil)",
		`> SAY "$-1\r\n"`, "[2]", "(nil)", "[3]", "$-1",
		`> SAY "%1\r\n+a\r\n#t\r\n"`, "%1", "  +a => #t",
	}, "\n"))
	for _, proto := range f.Protocols {
		mismatches, err := f.Replay(s.dial, proto, Options{})
		if err != nil || len(mismatches) > 0 {
			t.Errorf("RESP%d: %v, %v", proto, mismatches, err)
		}
	}
	if !slices.Contains(s.mu.seen, "HELLO 3") {
		t.Error("no HELLO 3 was sent")
	}
}

func TestWrapMulti(t *testing.T) {
	f := parse(t, strings.Join([]string{
		`> SAY ":1\r\n"`, ":1",
		`> REFUSE`, "-ERR refused",
		"#: no multi", `> SAY ":2\r\n"`, ":2",
		`> MULTI`, "+OK", `> SAY ":3\r\n"`, "+QUEUED", `> EXEC`, "*1", "  :3",
		`> WATCH k`, "+OK", `> SAY ":4\r\n"`, ":4", `> UNWATCH`, "+OK",
		`> SAY ":5\r\n"`, ":6",
	}, "\n"))
	s := &fakeServer{}
	mismatches, err := f.Replay(s.dial, 2, Options{WrapMulti: true})
	if err != nil || len(mismatches) != 1 || !mismatches[0].InMulti || mismatches[0].Got != ":5" {
		t.Errorf("%v, %v", mismatches, err)
	}
	multis := 0
	for _, request := range s.mu.seen {
		if request == "MULTI" {
			multis++
		}
	}
	if multis != 4 {
		t.Errorf("%d transactions, want 4 (three wrapped, one of the file):\n%s", multis, strings.Join(s.mu.seen, "\n"))
	}
}

func TestSleepGoesThroughTheOptions(t *testing.T) {
	var slept time.Duration
	opts := Options{Sleep: func(d time.Duration) { slept += d }}
	s := &fakeServer{}
	if _, err := parse(t, "> (sleep 30s)\n> (sleep 1s)\n").Replay(s.dial, 2, opts); err != nil {
		t.Fatal(err)
	}
	if slept != 31*time.Second {
		t.Errorf("slept %v", slept)
	}
}

func TestRecord(t *testing.T) {
	const before = `#: protocol 2 3
# A comment.
> SAY "+new\r\n"
+old

#: handwritten newer than the oracle
> SAY "-ERR unknown command\r\n"
:1
#: near 5
> SAY ":100\r\n"
:98
#: near 5
> SAY ":100\r\n"
:90
#: any
> SAY ":12345\r\n"
#: unordered
> SAY "*2\r\n+b\r\n+a\r\n"
> SAY "*2\r\n+a\r\n:7\r\n"
*2
  +z
  :?
> ONLY3
> SAY "*-1\r\n"
> SAY ":1\r\n"
[2]
:2
[3]
:3
2> REGISTER
2> HANG
(blocked)
> TELL 1 "+late\r\n"
2<
3> QUIT
#: let id
> SAY "+id9\r\n"
> SAY "+id9\r\n"
+${id}
#: reset
`
	const after = `#: protocol 2 3
# A comment.
> SAY "+new\r\n"
+new

#: handwritten newer than the oracle
> SAY "-ERR unknown command\r\n"
:1
#: near 5
> SAY ":100\r\n"
:98
#: near 5
> SAY ":100\r\n"
:100
#: any
> SAY ":12345\r\n"
:?
#: unordered
> SAY "*2\r\n+b\r\n+a\r\n"
*2
  +a
  +b
> SAY "*2\r\n+a\r\n:7\r\n"
*2
  +a
  :?
> ONLY3
[2]
-ERR no
[3]
+yes
> SAY "*-1\r\n"
(nil array)
> SAY ":1\r\n"
:1
2> REGISTER
+OK
2> HANG
(blocked)
> TELL 1 "+late\r\n"
+OK
2<
+late
3> QUIT
+OK
(closed)
#: let id
> SAY "+id9\r\n"
+id9
> SAY "+id9\r\n"
+${id}
#: reset
`
	s := &fakeServer{}
	s.quirk = func(args []string, proto int) (string, bool) {
		switch {
		case args[0] == "ONLY3" && proto == 3:
			return "+yes\r\n", true
		case args[0] == "ONLY3":
			return "-ERR no\r\n", true
		case args[0] == "SAY" && args[1] == "*-1\r\n" && proto == 3:
			return "_\r\n", true
		}
		return "", false
	}
	f := parse(t, before)
	for round := range 2 {
		if err := f.Record(s.dial); err != nil {
			t.Fatal(err)
		}
		if got := written(t, f); got != after {
			t.Fatalf("round %d: got\n%s", round, got)
		}
	}
	if mismatches, err := f.Replay(s.dial, 3, Options{SkipHandwritten: true}); err != nil || len(mismatches) > 0 {
		t.Errorf("what was recorded is not what is replayed: %v, %v", mismatches, err)
	}
}

func TestRecordRefuses(t *testing.T) {
	tests := []struct{ name, text, err string }{
		{"a reply left over", "> SAY \"+a\\r\\n+b\\r\\n\"\n", "a reply is left"},
		{"handwriting without text", "#: handwritten reason\n> SAY \"+a\\r\\n\"\n", "nothing is written"},
		{"an expression that fails", "#: regex ^b\n> SAY \"+a\\r\\n\"\n", "does not match"},
		{"nothing to keep", "#: let x\n> SAY \"*0\\r\\n\"\n", "want a scalar"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &fakeServer{}
			f := parse(t, tt.text)
			err := f.Record(s.dial)
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			if got := written(t, f); got != tt.text {
				t.Errorf("a failed recording changed the file:\n%s", got)
			}
		})
	}
}
