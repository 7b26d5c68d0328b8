package listpack

import (
	"bytes"
	"math"
	"testing"
)

// TestBatch adds entries one by one and all at once: the bytes are the same.
func TestBatch(t *testing.T) {
	elems := [][]byte{nil, []byte("-"), []byte("-1"), []byte("007"), []byte("127"), []byte("128"), []byte("9223372036854775808"),
		[]byte("-9223372036854775808"), []byte("+1"), []byte("a")}
	for _, n := range []int{63, 64, 125, 126, 127, 4095, 4096, 16378, 16379, 70000} {
		elems = append(elems, bytes.Repeat([]byte("x"), n))
	}
	one := New(0)
	for _, e := range elems {
		one = one.Append(e)
	}
	all := New(0).Open()
	for _, e := range elems {
		all = Put(all, e)
	}
	l := Seal(all, len(elems))
	if !bytes.Equal(one, l) || Valid(l) != nil {
		t.Fatal("entries put at once differ from those added one by one")
	}
	ints := []int64{0, 1, 127, 128, -1, 4095, 4096, -4096, -4097, 1 << 15, 1 << 23, 1 << 31, math.MinInt64, math.MaxInt64}
	more := l.Open()
	for _, v := range ints {
		one = one.AppendInt(v)
		more = PutInt(more, v)
	}
	l = Seal(more, len(ints))
	if !bytes.Equal(one, l) || l.Len() != len(elems)+len(ints) {
		t.Fatal("integers put at once differ from those added one by one")
	}
	p := l.First()
	for n := 0; p != None; n++ {
		if q := l.Skip(l.First(), n); q != p {
			t.Fatalf("%d entries after the first is %d, want %d", n, q, p)
		}
		p = l.Next(p)
	}
	if q := l.Skip(l.First(), l.Len()); q != len(l)-1 {
		t.Fatalf("the end is %d", q)
	}
}
