package resp

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math"
	"math/rand"
	"reflect"
	"strings"
	"testing"
)

func TestDecode(t *testing.T) {
	bulk := func(s string) Value { return Value{Type: '$', Str: []byte(s)} }
	for in, want := range map[string]Value{
		"+OK\r\n":                       {Type: '+', Str: []byte("OK")},
		"-ERR x\r\n":                    {Type: '-', Str: []byte("ERR x")},
		":-5\r\n":                       {Type: ':', Int: -5},
		"$3\r\na\r\n\r\n":               bulk("a\r\n"),
		"$0\r\n\r\n":                    bulk(""),
		"$-1\r\n":                       {Type: '$', Null: true},
		"*-1\r\n":                       {Type: '*', Null: true},
		"_\r\n":                         {Type: '_', Null: true},
		"#t\r\n":                        {Type: '#', Int: 1},
		"#f\r\n":                        {Type: '#'},
		",1.5\r\n":                      {Type: ',', Str: []byte("1.5"), Float: 1.5},
		",inf\r\n":                      {Type: ',', Str: []byte("inf"), Float: math.Inf(1)},
		"(123\r\n":                      {Type: '(', Str: []byte("123")},
		"=5\r\ntxt:a\r\n":               {Type: '=', Str: []byte("txt:a")},
		"!5\r\nERR a\r\n":               {Type: '!', Str: []byte("ERR a")},
		"*0\r\n":                        {Type: '*', Elems: []Value{}},
		"*1\r\n*1\r\n:1\r\n":            {Type: '*', Elems: []Value{{Type: '*', Elems: []Value{{Type: ':', Int: 1}}}}},
		"%1\r\n+a\r\n:1\r\n":            {Type: '%', Elems: []Value{{Type: '+', Str: []byte("a")}, {Type: ':', Int: 1}}},
		"~1\r\n$1\r\na\r\n":             {Type: '~', Elems: []Value{bulk("a")}},
		">1\r\n$1\r\na\r\n":             {Type: '>', Elems: []Value{bulk("a")}},
		"|1\r\n+a\r\n:1\r\n$1\r\nb\r\n": {Type: '$', Str: []byte("b"), Attrs: []Value{{Type: '+', Str: []byte("a")}, {Type: ':', Int: 1}}},
	} {
		got, err := Decode(bufio.NewReader(strings.NewReader(in)))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("Decode(%q) = %+v, %v; want %+v", in, got, err, want)
		}
		for cut := range in {
			wantErr := io.ErrUnexpectedEOF
			if cut == 0 {
				wantErr = io.EOF
			}
			if _, err := Decode(bufio.NewReader(strings.NewReader(in[:cut]))); err != wantErr {
				t.Errorf("Decode(%q): %v, want %v", in[:cut], err, wantErr)
			}
		}
	}
	if v, err := Decode(bufio.NewReader(strings.NewReader(",nan\r\n"))); err != nil || !math.IsNaN(v.Float) {
		t.Errorf("nan: %+v, %v", v, err)
	}
	for _, in := range []string{
		"\r\n", "?\r\n", "?1\r\n", ":\r\n", ":01\r\n", ":+1\r\n", "$-2\r\n", "*-2\r\n", "~-1\r\n", "#x\r\n", "#\r\n", ",x\r\n", ",\r\n", "+a\n", "+a\rb\r\n",
		"$1\r\nabc", "$9223372036854775807\r\n", "*1\r\n$-5\r\n",
	} {
		if v, err := Decode(bufio.NewReader(strings.NewReader(in))); err == nil || err == io.ErrUnexpectedEOF {
			t.Errorf("Decode(%q) = %+v, %v; want an error of its own", in, v, err)
		}
	}
	for _, bomb := range []string{strings.Repeat("*1\r\n", 1e5), strings.Repeat("|0\r\n", 1e5)} {
		if _, err := Decode(bufio.NewReader(strings.NewReader(bomb))); !errors.Is(err, ErrReplyDepth) {
			t.Errorf("bomb of %.4q: %v", bomb, err)
		}
	}
	if _, err := Decode(bufio.NewReader(strings.NewReader("*4294967295\r\n$4294967295\r\n"))); err != io.ErrUnexpectedEOF {
		t.Errorf("announced, never sent: %v", err)
	}
}

// write gives v to w. It is the inverse of Decode for what a Writer can express.
func write(w *Writer, v Value) {
	switch {
	case v.Null && v.Type == '*':
		w.NullArray()
		return
	case v.Null:
		w.Null()
		return
	}
	switch v.Type {
	case '+':
		w.Simple(string(v.Str))
	case '-':
		w.Error(string(v.Str))
	case '(':
		w.BigNumber(string(v.Str))
	case '=':
		w.Verbatim(string(v.Str[:3]), string(v.Str[4:]))
	case ':':
		w.Int(v.Int)
	case '#':
		w.Bool(v.Int == 1)
	case ',':
		w.Double(v.Float)
	case '$':
		w.Bulk(v.Str)
	case '*':
		w.Array(len(v.Elems))
	case '~':
		w.Set(len(v.Elems))
	case '>':
		w.Push(len(v.Elems))
	case '%':
		w.Map(len(v.Elems) / 2)
	}
	for _, e := range v.Elems {
		write(w, e)
	}
}

// randomValue makes a reply that a Writer can express in RESP3, out of the bytes of text.
func randomValue(rnd *rand.Rand, text []byte, depth int) Value {
	types := "+-(=:#,$_"
	if depth < 4 {
		types += "*~>%"
	}
	v := Value{Type: types[rnd.Intn(len(types))]}
	word := text[rnd.Intn(len(text)+1):]
	word = append([]byte{}, word[:rnd.Intn(len(word)+1)]...)
	switch v.Type {
	case '+', '-', '(':
		v.Str = bytes.Map(func(r rune) rune {
			if r == '\r' || r == '\n' {
				return ' '
			}
			return r
		}, word)
	case '=':
		v.Str = append([]byte("mkd:"), word...)
	case '$':
		v.Str = word
	case ':':
		v.Int = rnd.Int63() >> rnd.Intn(64) * int64(1-2*rnd.Intn(2))
	case '#':
		v.Int = int64(rnd.Intn(2))
	case ',':
		v.Float = rnd.NormFloat64()
	case '_':
		v.Null = true
	default:
		v.Elems = []Value{}
		for range rnd.Intn(4) * 2 {
			v.Elems = append(v.Elems, randomValue(rnd, text, depth+1))
		}
	}
	return v
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("*1\r\n$1\r\na\r\n"), int64(1))
	f.Add([]byte("|1\r\n+a\r\n:1\r\n%1\r\n,1.5\r\n=5\r\ntxt:a\r\n"), int64(2))
	f.Fuzz(func(t *testing.T, in []byte, seed int64) {
		Decode(bufio.NewReader(bytes.NewReader(in))) // must return

		want := randomValue(rand.New(rand.NewSource(seed)), in, 0)
		var w Writer
		w.SetProto(3)
		write(&w, want)
		r := bufio.NewReader(bytes.NewReader(w.Bytes()))
		got, err := Decode(r)
		var again Writer
		again.SetProto(3)
		if err == nil {
			write(&again, got)
		}
		if err != nil || r.Buffered() > 0 || !bytes.Equal(again.Bytes(), w.Bytes()) {
			t.Fatalf("wrote %q, read %+v, %v", w.Bytes(), got, err)
		}
	})
}
