package avatar_test

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"strings"
	"testing"

	"github.com/streampulse/pulse/cmd/streampulse/internal/avatar"
)

// quadrants is a JPEG that is red, green in its upper half and blue, white in its lower.
func quadrants(t testing.TB, w, h int) []byte {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := [2][2]color.NRGBA{{{R: 255, A: 255}, {G: 255, A: 255}}, {{B: 255, A: 255}, {R: 255, G: 255, B: 255, A: 255}}}[2*y/h][2*x/w]
			m.SetNRGBA(x, y, c)
		}
	}
	return encoded(t, m, asJPEG)
}

// seen names the colours of the quadrants of a picture.
func seen(t testing.TB, data []byte) string {
	t.Helper()
	m, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	n, out := m.Bounds().Dx(), ""
	for _, at := range []image.Point{{n / 4, n / 4}, {3 * n / 4, n / 4}, {n / 4, 3 * n / 4}, {3 * n / 4, 3 * n / 4}} {
		r, g, b, _ := m.At(at.X, at.Y).RGBA()
		switch high := func(v uint32) bool { return v > 0x8000 }; {
		case high(r) && high(g) && high(b):
			out += "W"
		case high(r):
			out += "R"
		case high(g):
			out += "G"
		case high(b):
			out += "B"
		}
	}
	return out
}

// withSegments puts segments of the application behind the start of a JPEG.
func withSegments(data []byte, segments ...string) []byte {
	head := bytes.Clone(data[:2])
	for _, s := range segments {
		head = append(head, 0xff, 0xe1)
		head = binary.BigEndian.AppendUint16(head, uint16(2+len(s)))
		head = append(head, s...)
	}
	return append(head, data[2:]...)
}

// exif is a segment that says how the camera was held, behind another field.
func exif(order binary.AppendByteOrder, orientation uint16) string {
	b := []byte("II*\x00")
	if order == binary.AppendByteOrder(binary.BigEndian) {
		b = []byte("MM\x00*")
	}
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 2)
	for _, field := range [][2]uint16{{0x0100, 77}, {0x0112, orientation}} {
		b = order.AppendUint16(b, field[0])
		b = order.AppendUint16(b, 3)
		b = order.AppendUint32(b, 1)
		b = order.AppendUint16(b, field[1])
		b = append(b, 0, 0)
	}
	return "Exif\x00\x00" + string(order.AppendUint32(b, 0))
}

// Pictures stand as the camera was held. The table is that of the Exif standard: where the first row and column of what is stored belong.
func TestPicturesStandUpright(t *testing.T) {
	for i, want := range []string{"RGBW", "RGBW", "GRWB", "WBGR", "BWRG", "RBGW", "BRWG", "WGBR", "GWRB", "RGBW"} {
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			for _, size := range [][2]int{{400, 400}, {400, 300}, {120, 301}} {
				data := withSegments(quadrants(t, size[0], size[1]), "http://ns.adobe.com/xap/1.0/\x00<x/>", exif(order, uint16(i)))
				pictures, _, err := avatar.Make(data)
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range pictures {
					if got := seen(t, p.Data); got != want {
						t.Errorf("orientation %d, %v, %d pixels: %s, want %s", i, order, p.Side, got, want)
					}
				}
			}
		}
	}
}

// What cannot be read, or lies outside of its segment, says nothing of how a picture stands.
func TestBrokenExifIsUpright(t *testing.T) {
	good := exif(binary.BigEndian, 6)
	broken := []string{"", "Exif\x00\x00", "Exif\x00\x00MM", "Exif\x00\x00XX" + good[8:]}
	for i := range good {
		broken = append(broken, good[:i])
	}
	for _, patch := range []struct {
		at int
		by string
	}{{10, "\xff\xff\xff\xff"}, {10, "\x00\x00\x00\x2a"}, {14, "\x00\x01"}, {30, "\x00\x04"}, {32, "\x00\x00\x00\x02"}, {36, "\x00\x09"}} {
		b := []byte(good)
		copy(b[patch.at:], patch.by)
		broken = append(broken, string(b))
	}
	base := quadrants(t, 64, 64)
	for _, s := range broken {
		if strings.HasPrefix(s, good[:len(good)-6]) { // all of the field is there
			continue
		}
		pictures, _, err := avatar.Make(withSegments(base, s))
		if err != nil {
			t.Errorf("%q: %v", s, err)
			continue
		}
		if got := seen(t, pictures[0].Data); got != "RGBW" {
			t.Errorf("%q: %s", s, got)
		}
	}
	if pictures, _, err := avatar.Make(withSegments(base, good)); err != nil || seen(t, pictures[0].Data) != "BRWG" {
		t.Error("what the others are made of does not turn the picture")
	}
}

// FuzzExif: whatever stands beside the pixels, there is a picture.
func FuzzExif(f *testing.F) {
	base := quadrants(f, 16, 16)
	f.Add([]byte(exif(binary.LittleEndian, 8)))
	f.Add([]byte("Exif\x00\x00II*\x00\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, segment []byte) {
		if len(segment) > 1<<15 {
			return
		}
		pictures, ext, err := avatar.Make(withSegments(base, string(segment)))
		if err != nil || ext != "jpg" || len(pictures) != len(avatar.Sizes) {
			t.Fatalf("%d pictures, %s: %v", len(pictures), ext, err)
		}
	})
}
