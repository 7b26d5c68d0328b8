package proto

import (
	"bufio"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
)

// replies are well formed, with what Parse makes of them.
var replies = map[string]any{
	String("a\r\nb"):                  "a\r\nb",
	Inline("OK"):                      "OK",
	Int(-5):                           -5,
	Float(1.5):                        1.5,
	"#t\r\n":                          true,
	Nil:                               nil,
	NilResp3:                          nil,
	NilList:                           nil,
	Error("ERR x"):                    errors.New("ERR x"),
	Strings("a", ""):                  []any{"a", ""},
	Ints(1, 2):                        []any{1, 2},
	StringSet("a"):                    []any{"a"},
	Push(Int(1)):                      []any{1},
	Array(Array(), Array(Int(1))):     []any{[]any{}, []any{1}},
	StringMap("a", "b"):               map[any]any{"a": "b"},
	Map(Array(Int(1)), String("why")): map[any]any{"[1]": "why"},
	"$0\r\n\r\n":                      "",
	"=5\r\ntxt:x\r\n":                 "txt:x",
}

func TestParseAndRead(t *testing.T) {
	for b, want := range replies {
		if got, err := Parse(b); !reflect.DeepEqual(got, want) || err != nil {
			t.Errorf("%q: got %#v, %v, want %#v", b, got, err, want)
		}
		if got, err := Read(bufio.NewReader(strings.NewReader(b + "+next\r\n"))); got != b || err != nil {
			t.Errorf("%q: read %q, %v", b, got, err)
		}
		for n := range len(b) {
			if _, err := Read(bufio.NewReader(strings.NewReader(b[:n]))); err == nil {
				t.Errorf("the beginning %q of %q was read", b[:n], b)
			}
		}
		if _, err := Parse(b + "+next\r\n"); err != ErrProtocol {
			t.Errorf("%q with more behind: %v", b, err)
		}
	}
	for _, b := range []string{"x\r\n", "\r\n", "$x\r\n", "*99999999999\r\n", "$-5\r\n"} {
		if _, err := Read(bufio.NewReader(strings.NewReader(b))); err == nil {
			t.Errorf("%q was read", b)
		}
	}
}

func TestReadTyped(t *testing.T) {
	if s, err := ReadString(String("x")); s != "x" || err != nil {
		t.Error(s, err)
	}
	if s, err := ReadError(Error("ERR x")); s != "ERR x" || err != nil {
		t.Error(s, err)
	}
	for _, b := range []string{Strings("a", "b"), StringSet("a", "b"), Push(String("a"), String("b")), StringMap("a", "b")} {
		if l, err := ReadStrings(b); !reflect.DeepEqual(l, []string{"a", "b"}) || err != nil {
			t.Error(b, l, err)
		}
	}
	if l, err := ReadArray(Array(Ints(1), Nil)); !reflect.DeepEqual(l, []string{Ints(1), Nil}) || err != nil {
		t.Error(l, err)
	}
	for _, f := range []func(b string) error{
		func(b string) error { _, err := ReadString(b); return err },
		func(b string) error { _, err := ReadError(b); return err },
		func(b string) error { _, err := ReadArray(b); return err },
		func(b string) error { _, err := ReadStrings(b); return err },
	} {
		if err := f(Int(1)); err != ErrUnexpected {
			t.Errorf("an integer: %v", err)
		}
		if err := f("nonsense"); err != ErrProtocol {
			t.Errorf("nonsense: %v", err)
		}
	}
	if _, err := ReadStrings(Ints(1)); err != ErrUnexpected {
		t.Errorf("integers: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	for b := range replies {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b string) {
		got, err := Read(bufio.NewReader(strings.NewReader(b)))
		if err == nil && !strings.HasPrefix(b, got) {
			t.Errorf("%q was read from %q", got, b)
		}
		if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || err == ErrProtocol {
			_, _ = Parse(b)
			_, _ = ReadStrings(b)
			return
		}
		t.Errorf("%q: %v", b, err)
	})
}
