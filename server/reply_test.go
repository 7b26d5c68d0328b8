package server

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/streampulse/pulse/internal/resp"
)

// reply decodes what must be one whole reply.
func reply(t testing.TB, wire string) Reply {
	t.Helper()
	r, rest, err := decodeReply([]byte(wire), false)
	own, _, err2 := decodeReply([]byte(wire), true)
	if err != nil || err2 != nil || len(rest) > 0 || !reflect.DeepEqual(r, own) {
		t.Fatalf("%q: %v %v, %q is left, %v and %v", wire, err, err2, rest, r, own)
	}
	return r
}

func TestReplies(t *testing.T) {
	for _, row := range []struct {
		wire string
		kind Kind
		text string
		show string
	}{
		{"+OK\r\n", KindStatus, "OK", "OK"},
		{"+PONG\r\n", KindStatus, "PONG", "PONG"},
		{"-ERR no\r\n", KindError, "ERR no", "ERR no"},
		{"!6\r\nERR\r\nx\r\n", KindError, "ERR\r\nx", "ERR\r\nx"},
		{":-42\r\n", KindInt, "-42", "-42"},
		{":9223372036854775807\r\n", KindInt, "9223372036854775807", "9223372036854775807"},
		{":-9223372036854775808\r\n", KindInt, "-9223372036854775808", "-9223372036854775808"},
		{"$0\r\n\r\n", KindString, "", ""},
		{"$4\r\na\r\nb\r\n", KindString, "a\r\nb", "a\r\nb"},
		{"$-1\r\n", KindNull, "", "(nil)"},
		{"*-1\r\n", KindNull, "", "(nil)"},
		{"_\r\n", KindNull, "", "(nil)"},
		{"#t\r\n", KindBool, "true", "true"},
		{"#f\r\n", KindBool, "false", "false"},
		{",1.5\r\n", KindFloat, "1.5", "1.5"},
		{",-inf\r\n", KindFloat, "-inf", "-inf"},
		{"(123456789012345678901234567890\r\n", KindBigNumber, "123456789012345678901234567890", "123456789012345678901234567890"},
		{"=7\r\ntxt:abc\r\n", KindVerbatim, "abc", "abc"},
		{"*0\r\n", KindArray, "", "[]"},
		{"*3\r\n:1\r\n$1\r\na\r\n*1\r\n_\r\n", KindArray, "", "[1 a [(nil)]]"},
		{"~1\r\n+a\r\n", KindSet, "", "[a]"},
		{"%2\r\n+a\r\n:1\r\n+b\r\n_\r\n", KindMap, "", "{a:1 b:(nil)}"},
		{">2\r\n+m\r\n:1\r\n", KindPush, "", "[m 1]"},
		{"|1\r\n+ttl\r\n:3\r\n$1\r\nv\r\n", KindString, "v", "v"},
	} {
		r := reply(t, row.wire)
		if r.Kind() != row.kind || r.Text() != row.text || r.String() != row.show {
			t.Errorf("%q: %v %q %q", row.wire, r.Kind(), r.Text(), r)
		}
	}
	for _, wire := range []string{"", "+OK", ":\r\n", ":x\r\n", "$5\r\nab\r\n", "$-2x", "*2\r\n:1\r\n", "*99999999999\r\n", "=1\r\nx\r\n", "?1\r\n", "%1\r\n+a\r\n",
		"$\r\n", ",x\r\n", strings.Repeat("*1\r\n", 2000) + ":1\r\n"} {
		if r, _, err := decodeReply([]byte(wire), false); err == nil {
			t.Errorf("%.40q is taken for %.40v", wire, r)
		}
	}
}

func TestConversions(t *testing.T) {
	n, f, b := func(w string) any { n, err := reply(t, w).Int(); return [2]any{n, err} },
		func(w string) any { f, err := reply(t, w).Float(); return [2]any{f, err} },
		func(w string) any { b, err := reply(t, w).Bool(); return [2]any{b, err} }
	for _, row := range []struct {
		got  any
		v    any
		fail bool
	}{
		{n(":7\r\n"), int64(7), false}, {n("$2\r\n12\r\n"), int64(12), false}, {n("#t\r\n"), int64(1), false},
		{n("$1\r\nx\r\n"), int64(0), true}, {n("*0\r\n"), int64(0), true},
		{f(",0.5\r\n"), 0.5, false}, {f(":2\r\n"), 2.0, false}, {f("$3\r\n1.5\r\n"), 1.5, false}, {f(",inf\r\n"), math.Inf(1), false}, {f("+x\r\n"), 0.0, true},
		{b("#f\r\n"), false, false}, {b(":1\r\n"), true, false}, {b("+OK\r\n"), true, false}, {b("$1\r\n1\r\n"), false, true},
	} {
		got := row.got.([2]any)
		if got[0] != row.v || (got[1] != nil) != row.fail {
			t.Errorf("%v, want %v", got, row)
		}
	}
	if _, err := reply(t, "_\r\n").Int(); err != ErrNil {
		t.Error(err)
	}
	var e Error
	if _, err := reply(t, "-WRONGTYPE x\r\n").Float(); !errors.As(err, &e) || e.Code() != "WRONGTYPE" {
		t.Error(err)
	}
	m := reply(t, "|1\r\n+ttl\r\n:3\r\n%1\r\n+a\r\n:1\r\n")
	if got := m.Map(); len(got) != 1 || got["a"].Text() != "1" || m.Attributes()["ttl"].Text() != "3" {
		t.Error(got, m.Attributes())
	}
	if got := reply(t, "*2\r\n+a\r\n:1\r\n"); got.Map()["a"].Text() != "1" || !reflect.DeepEqual(got.Strings(), []string{"a", "1"}) || got.Attributes() != nil {
		t.Error(got)
	}
	if reply(t, "*1\r\n+a\r\n").Map() != nil || reply(t, "+a\r\n").Strings() != nil {
		t.Error("pairs where there are none")
	}
	if reply(t, "_\r\n").Bytes() != nil || reply(t, "*0\r\n").Bytes() != nil || string(reply(t, "$1\r\na\r\n").Bytes()) != "a" {
		t.Error("Bytes")
	}
}

// FuzzReply decodes anything: nothing panics, what was decoded from memory of its own is the same, and what the client's view of
// replies takes for one reply is one.
func FuzzReply(f *testing.F) {
	for _, s := range []string{"+OK\r\n", "*2\r\n:1\r\n$1\r\na\r\n", "|1\r\n+a\r\n_\r\n#t\r\n", "%1\r\n,1.5\r\n=5\r\ntxt:a\r\n", "!1\r\nx\r\n(1\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, rest, err := decodeReply(b, false)
		own, rest2, err2 := decodeReply([]byte(string(b)), true)
		if (err == nil) != (err2 == nil) || len(rest) != len(rest2) || err == nil && r.String() != own.String() {
			t.Fatalf("%q: %v %v, %v %v", b, r, err, own, err2)
		}
		var w resp.Writer
		w.BulkString(string(b))
		r, rest, err = decodeReply(w.Bytes(), false)
		if err != nil || len(rest) > 0 || r.Text() != string(b) {
			t.Fatalf("%q became %q: %v", b, r.Text(), err)
		}
	})
}
