package resp

import (
	"bytes"
	"testing"
)

func TestSplitArgs(t *testing.T) {
	for in, want := range map[string][]string{
		"":                           nil,
		" \t\r\n\v\f":                nil,
		"a":                          {"a"},
		"  a b\tc ":                  {"a", "b", "c"},
		"a\vb c\f":                   {"a\vb", "c\f"},
		`"a b" 'c d'`:                {"a b", "c d"},
		`"" ''`:                      {"", ""},
		`a"b c"`:                     {"ab c"},
		`save ""`:                    {"save", ""},
		`"\x41\x4a\xfF"`:             {"AJ\xff"},
		`"\xZZ\x4" "\n\r\t\b\a\q\""`: {"xZZx4", "\n\r\t\b\aq\""},
		`'\n\'\x41'`:                 {`\n'\x41`},
		`a\nb`:                       {`a\nb`},
		"'a'\v'b'":                   {"a", "b"},
	} {
		got, err := SplitArgs([]byte(in))
		if err != nil || len(got) != len(want) {
			t.Errorf("SplitArgs(%q) = %q, %v; want %q", in, got, err, want)
			continue
		}
		for i := range want {
			if string(got[i]) != want[i] {
				t.Errorf("SplitArgs(%q) = %q; want %q", in, got, want)
			}
		}
	}
	for _, in := range []string{`"`, `'`, `"a`, `'a`, `"a"b`, `'a'b`, `"a""b"`, `a"b"c`, `"\`, `"\"`, `'\'`, `"""k"""`} {
		if got, err := SplitArgs([]byte(in)); err != ErrUnbalanced {
			t.Errorf("SplitArgs(%q) = %q, %v; want %v", in, got, err, ErrUnbalanced)
		}
	}
}

// FuzzSplitArgs quotes what was split and expects to split it alike.
func FuzzSplitArgs(f *testing.F) {
	for _, s := range []string{`a b`, `"a\x41" 'b\''`, `a"b c"`, `"a"b`, "\x00 \xff", `"\xZZ`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		before := append([]byte(nil), line...)
		args, err := SplitArgs(line)
		if !bytes.Equal(line, before) {
			t.Fatalf("the line became %q", line)
		}
		if err != nil {
			return
		}
		var quoted []byte
		for _, a := range args {
			quoted = append(quoted, '"')
			for _, c := range a {
				quoted = append(quoted, '\\', 'x', "0123456789abcdef"[c>>4], "0123456789ABCDEF"[c&15])
			}
			quoted = append(quoted, '"', ' ')
		}
		again, err := SplitArgs(quoted)
		if err != nil || len(again) != len(args) {
			t.Fatalf("%q gave %q, quoted %q gave %q, %v", line, args, quoted, again, err)
		}
		for i := range args {
			if !bytes.Equal(args[i], again[i]) {
				t.Fatalf("%q gave %q, quoted %q", line, args, again)
			}
		}
	})
}
