package lzf

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func samples() [][]byte {
	r := rand.New(rand.NewPCG(3, 4))
	noise := make([]byte, 5000)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	words := []byte{}
	for range 3000 {
		words = fmt.Append(words, "user:", r.IntN(500), " ")
	}
	return [][]byte{
		nil, []byte("a"), []byte("abc"), []byte("aaaa"),
		bytes.Repeat([]byte{0}, 25), bytes.Repeat([]byte("ab"), 400), bytes.Repeat([]byte("0123456789"), 3000),
		[]byte(strings.Repeat("x", maxMatch+1)), []byte(strings.Repeat("x", maxMatch*3)),
		noise, append(append([]byte{}, noise...), noise...), words,
		append(append(append([]byte{}, noise[:100]...), bytes.Repeat([]byte("q"), maxDistance)...), noise[:100]...),
	}
}

func TestRoundTrip(t *testing.T) {
	var e Encoder
	for i, src := range samples() {
		for range 2 { // the second time the table remembers the first
			got, ok := e.Compress([]byte("head"), src, len(src)+len(src)/32+8)
			if !ok {
				t.Fatalf("sample %d: no room in more than its size", i)
			}
			if string(got[:4]) != "head" {
				t.Fatalf("sample %d: what was there is gone", i)
			}
			if n, err := Size(got[4:]); err != nil || n != len(src) {
				t.Fatalf("sample %d: Size = %d, %v, want %d", i, n, err, len(src))
			}
			back, err := Decompress([]byte("x"), got[4:], len(src))
			if err != nil || string(back[1:]) != string(src) {
				t.Fatalf("sample %d does not come back: %v", i, err)
			}
		}
	}
}

func TestCompressesAndGivesUp(t *testing.T) {
	var e Encoder
	s := samples()
	for i, most := range map[int]int{4: 8, 5: 30, 6: 500, 11: 14000} {
		if out, ok := e.Compress(nil, s[i], most); !ok {
			t.Errorf("sample %d of %d bytes does not fit into %d", i, len(s[i]), most)
		} else if len(out) > most {
			t.Errorf("sample %d has %d bytes, at most %d were allowed", i, len(out), most)
		}
	}
	if out, ok := e.Compress([]byte("h"), s[9], len(s[9])-4); ok || string(out) != "h" {
		t.Errorf("noise is compressed: %v, %d bytes", ok, len(out))
	}
	for most := range 40 {
		if out, ok := e.Compress(nil, s[5][:100], most); ok && len(out) > most {
			t.Errorf("%d bytes, at most %d were allowed", len(out), most)
		}
	}
}

func TestTableStartsAnewBeforeOffsetsWrap(t *testing.T) {
	e := Encoder{base: 1<<32 - 50}
	src := bytes.Repeat([]byte("abcdefgh"), 20)
	for range 3 {
		out, _ := e.Compress(nil, src, len(src))
		if back, err := Decompress(nil, out, len(src)); err != nil || string(back) != string(src) {
			t.Fatal("does not come back")
		}
	}
}

// The runs are put together from the description of the format.
func TestDecompressByHand(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"\x02abc", "abc"},
		{"\x02abc\x20\x02", "abcabc"},
		{"\x00a\x20\x00", "aaaa"},
		{"\x00a\xe0\x00\x00", "a" + strings.Repeat("a", 9)},
		{"\x01ab\xe0\xff\x01", strings.Repeat("ab", 1+132)},
		{"\x01ab\xc0\x01", "abababab" + "ab"},
		{"", ""},
	} {
		got, err := Decompress(nil, []byte(c.src), len(c.want))
		if err != nil || string(got) != c.want {
			t.Errorf("%x: %q, %v, want %q", c.src, got, err, c.want)
		}
		for _, n := range []int{len(c.want) - 1, len(c.want) + 1, 1 << 40} {
			if _, err := Decompress(nil, []byte(c.src), n); err == nil {
				t.Errorf("%x passes for %d bytes", c.src, n)
			}
		}
	}
	for _, bad := range []string{
		"\x00",             // a literal that is not there
		"\x05abc",          // a short one
		"\x20\x00",         // a copy from before the start
		"\x00a\x20\x01",    // one byte too far back
		"\x00a\x20",        // no distance
		"\x00a\xe0",        // no length
		"\x00a\xe0\x01",    // a length, no distance
		"\x02abc\x3f\xff",  // 8 KiB back
		"\x02abc\x20\x02a", // a literal of 98 bytes
	} {
		if n, err := Size([]byte(bad)); err == nil {
			t.Errorf("%x passes, %d bytes", bad, n)
		}
	}
}

func FuzzDecompress(f *testing.F) {
	var e Encoder
	for _, s := range samples() {
		out, _ := e.Compress(nil, s, len(s)*2+8)
		f.Add(out)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		n, err := Size(src)
		if err != nil {
			return
		}
		if n > 88*len(src)+264 {
			t.Fatalf("%d bytes out of %d", n, len(src))
		}
		got, err := Decompress(nil, src, n)
		if err != nil || len(got) != n {
			t.Fatalf("Size says %d, Decompress %d, %v", n, len(got), err)
		}
		var e Encoder
		again, ok := e.Compress(nil, got, 2*len(got)+8)
		back, err := Decompress(nil, again, n)
		if !ok || err != nil || !bytes.Equal(back, got) {
			t.Fatal("what was decompressed does not survive another compression")
		}
	})
}

func BenchmarkCompress(b *testing.B) {
	var e Encoder
	for _, i := range []int{9, 11} {
		src := samples()[i]
		b.Run(fmt.Sprint(i), func(b *testing.B) {
			b.SetBytes(int64(len(src)))
			var dst []byte
			for range b.N {
				dst, _ = e.Compress(dst[:0], src, len(src)-4)
			}
		})
	}
}

func BenchmarkDecompress(b *testing.B) {
	var e Encoder
	src := samples()[11]
	packed, _ := e.Compress(nil, src, len(src))
	b.SetBytes(int64(len(src)))
	var dst []byte
	for range b.N {
		dst, _ = Decompress(dst[:0], packed, len(src))
	}
}
