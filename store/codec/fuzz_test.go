package codec

import (
	"bytes"
	"slices"
	"testing"
)

// FuzzRestore reads values from a slice and from a source, with different limits: all agree, what is accepted is sound,
// and it comes back when it is written.
func FuzzRestore(f *testing.F) {
	for _, b := range recorded(f) {
		f.Add(b[:len(b)-footSize])
	}
	for _, c := range slices.Concat(byHand, newer) {
		f.Add(append([]byte{byte(c.t)}, c.body...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return
		}
		payload := sealed(b, Version74)
		v, err := Restore(payload, &usual)
		other, otherErr := Restore(payload, &tight)
		if (err == nil) != (otherErr == nil) {
			t.Fatalf("%v, with other limits %v", err, otherErr)
		}
		s := NewReader(bytes.NewReader(b))
		streamed, streamErr := s.Value(Type(s.Byte()), &wide)
		if err != nil {
			return
		}
		want := describe(v)
		if got := describe(other); got != want {
			t.Fatalf("%s, with other limits %s", want, got)
		}
		if got := describe(streamed); streamErr != nil || got != want {
			t.Fatalf("%s, streamed %v %s", want, streamErr, got)
		}
		for _, x := range []Value{v, other, streamed} {
			if err := check(x); err != nil {
				t.Fatal(err)
			}
			if o := x.Object; o != nil && o.Len() == 0 && o.Encoding() != "stream" {
				t.Fatal("an empty collection is accepted")
			}
			back, err := Restore(AppendDump(nil, x, true), &usual)
			if err != nil || describe(back) != want {
				t.Fatalf("%s comes back as %v %s", want, err, describe(back))
			}
		}
	})
}

func FuzzZiplist(f *testing.F) {
	f.Add([]byte(ziplistInts))
	f.Add([]byte(zl()))
	f.Add([]byte(zl(zstr("a"), zstr(string(make([]byte, 300))), "\x80\x00\x00\x00\x02hi", "\xf5")))
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		n := 0
		eachOfZiplist(b, func(entry []byte) error { n += 1 + min(len(entry), 1); return nil })
		if n > 2*len(b) {
			t.Fatalf("%d entries in %d bytes", n, len(b))
		}
		eachPairOfZiplist(b, func(field, value []byte) error { return nil })
		if !bytes.Equal(b, before) {
			t.Fatal("reading writes")
		}
	})
}

func FuzzZipmap(f *testing.F) {
	f.Add([]byte("\x02\x01f\x02\x00vw\x03fgh\x01\x02x..\xff"))
	f.Add([]byte("\x01\xfe\x05\x00\x00\x00field\xfe\x01\x00\x00\x00\x00v\xff"))
	f.Add([]byte("\x00\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		size := 0
		eachZipmap(b, func(field, value []byte) error { size += len(field) + len(value) + 3; return nil })
		if size > len(b) {
			t.Fatalf("%d bytes of pairs in %d", size, len(b))
		}
	})
}
