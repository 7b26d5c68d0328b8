package resp

import (
	"math"
	"testing"

	"github.com/tidwall/redcon"
)

func TestWriter(t *testing.T) {
	for _, c := range []struct {
		name         string
		write        func(w *Writer)
		resp2, resp3 string
	}{
		{"int", func(w *Writer) { w.Int(0); w.Int(-1); w.Int(42); w.Int(100); w.Int(math.MinInt64) }, ":0\r\n:-1\r\n:42\r\n:100\r\n:-9223372036854775808\r\n", ""},
		{"bulk", func(w *Writer) { w.Bulk(nil); w.Bulk([]byte("a\r\n")); w.BulkString("0123456789") }, "$0\r\n\r\n$3\r\na\r\n\r\n$10\r\n0123456789\r\n", ""},
		{"simple", func(w *Writer) { w.OK(); w.Simple("QUEUED"); w.Simple("a\r\n+b") }, "+OK\r\n+QUEUED\r\n+a  +b\r\n", ""},
		{"error", func(w *Writer) { w.Error("ERR x"); w.Error("ERR a\r\n$5\nb") }, "-ERR x\r\n-ERR a  $5 b\r\n", ""},
		{"null", func(w *Writer) { w.Null(); w.NullArray() }, "$-1\r\n*-1\r\n", "_\r\n_\r\n"},
		{"bool", func(w *Writer) { w.Bool(true); w.Bool(false) }, ":1\r\n:0\r\n", "#t\r\n#f\r\n"},
		{"double", func(w *Writer) { w.Double(1.5); w.Double(-3); w.Double(math.Inf(-1)) }, "$3\r\n1.5\r\n$2\r\n-3\r\n$4\r\n-inf\r\n", ",1.5\r\n,-3\r\n,-inf\r\n"},
		{"text of a double", func(w *Writer) { w.DoubleText([]byte("2.50")) }, "$4\r\n2.50\r\n", ",2.50\r\n"},
		{"big number", func(w *Writer) { w.BigNumber("123") }, "$3\r\n123\r\n", "(123\r\n"},
		{"verbatim", func(w *Writer) { w.Verbatim("mkd", "a\nb"); w.Verbatim("", "c") }, "$3\r\na\nb\r\n$1\r\nc\r\n", "=7\r\nmkd:a\nb\r\n=5\r\ntxt:c\r\n"},
		{"number as bulk", func(w *Writer) { w.BulkInt(-12); w.BulkDouble(0.1) }, "$3\r\n-12\r\n$3\r\n0.1\r\n", ""},
		{"headers", func(w *Writer) { w.Array(0); w.Map(2); w.Set(3); w.Push(12) }, "*0\r\n*4\r\n*3\r\n*12\r\n", "*0\r\n%2\r\n~3\r\n>12\r\n"},
		{"attribute", func(w *Writer) {
			if w.Attribute(1) {
				w.Simple("ttl")
				w.Int(1)
			}
			w.OK()
		}, "+OK\r\n", "|1\r\n+ttl\r\n:1\r\n+OK\r\n"},
		{"deferred", func(w *Writer) {
			outer := w.Defer()
			w.Int(1)
			inner := w.Defer()
			w.Int(2)
			w.Int(3)
			w.EndMap(inner, 1)
			empty := w.Defer()
			w.EndSet(empty, 0)
			w.EndArray(outer, 3)
		}, "*3\r\n:1\r\n*2\r\n:2\r\n:3\r\n*0\r\n", "*3\r\n:1\r\n%1\r\n:2\r\n:3\r\n~0\r\n"},
		{"raw", func(w *Writer) { w.Raw([]byte("+A\r\n")); n := w.Len(); w.OK(); w.Truncate(n) }, "+A\r\n", ""},
	} {
		var w Writer
		if c.write(&w); string(w.Bytes()) != c.resp2 || w.Proto() != 2 {
			t.Errorf("%s in RESP%d: %q, want %q", c.name, w.Proto(), w.Bytes(), c.resp2)
		}
		if c.resp3 == "" {
			c.resp3 = c.resp2
		}
		w.Reset(make([]byte, 0, 8))
		w.SetProto(3)
		if c.write(&w); string(w.Bytes()) != c.resp3 || w.Proto() != 3 {
			t.Errorf("%s in RESP%d: %q, want %q", c.name, w.Proto(), w.Bytes(), c.resp3)
		}
	}
}

func TestWriterAllocates(t *testing.T) {
	var w Writer
	w.SetProto(3)
	w.Grow(1 << 12)
	value := []byte("0123456789")
	if n := testing.AllocsPerRun(100, func() {
		w.Truncate(0)
		m := w.Defer()
		w.Bulk(value)
		w.Int(12345)
		w.Double(0.1)
		w.BulkDouble(0.1)
		w.BulkInt(123)
		w.Error("ERR x")
		w.EndArray(m, 6)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkWriter(b *testing.B) {
	value := []byte("01234567890123456789012345678901")
	buf := make([]byte, 0, 1<<12)
	b.Run("bulk", func(b *testing.B) {
		var w Writer
		w.Reset(buf)
		for b.Loop() {
			w.Truncate(0)
			w.Bulk(value)
		}
	})
	b.Run("bulk redcon", func(b *testing.B) {
		out := buf
		for b.Loop() {
			out = redcon.AppendBulk(out[:0], value)
		}
	})
	b.Run("int", func(b *testing.B) {
		var w Writer
		w.Reset(buf)
		for b.Loop() {
			w.Truncate(0)
			w.Int(4321)
		}
	})
	b.Run("int redcon", func(b *testing.B) {
		out := buf
		for b.Loop() {
			out = redcon.AppendInt(out[:0], 4321)
		}
	})
}
