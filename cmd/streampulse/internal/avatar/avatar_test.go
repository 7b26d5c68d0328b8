package avatar_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"testing"

	"github.com/streampulse/pulse/cmd/streampulse/internal/avatar"
)

// webp is a picture of 1 x 1 pixel.
const webp = "UklGRiQAAABXRUJQVlA4IBgAAAAwAQCdASoBAAEAAgA0JaQAA3AA/vuUAAA="

// picture is red on the left of its middle square and blue on the right, green outside of it.
func picture(w, h int, alpha uint8) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	side := min(w, h)
	left, top := (w-side)/2, (h-side)/2
	for y := range h {
		for x := range w {
			c := color.NRGBA{G: 255, A: 255}
			if x >= left && x < left+side && y >= top && y < top+side {
				c = color.NRGBA{R: 255, A: alpha}
				if x >= left+side/2 {
					c = color.NRGBA{B: 255, A: alpha}
				}
			}
			m.SetNRGBA(x, y, c)
		}
	}
	return m
}

func encoded(t testing.TB, m image.Image, encode func(io.Writer, image.Image) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asJPEG(w io.Writer, m image.Image) error {
	return jpeg.Encode(w, m, &jpeg.Options{Quality: 95})
}
func asGIF(w io.Writer, m image.Image) error { return gif.Encode(w, m, nil) }

// bomb is the beginning of a PNG that claims to have w x h pixels.
func bomb(w, h uint32) []byte {
	b := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d")
	ihdr := []byte("IHDR")
	ihdr = binary.BigEndian.AppendUint32(ihdr, w)
	ihdr = binary.BigEndian.AppendUint32(ihdr, h)
	ihdr = append(ihdr, 8, 6, 0, 0, 0)
	return binary.BigEndian.AppendUint32(append(b, ihdr...), crc32.ChecksumIEEE(ihdr))
}

func TestPicturesAreTheMiddleSquare(t *testing.T) {
	for name, c := range map[string]struct {
		data []byte
		ext  string
	}{
		"wide png":        {encoded(t, picture(300, 100, 255), png.Encode), "jpg"},
		"high png":        {encoded(t, picture(37, 501, 255), png.Encode), "jpg"},
		"transparent png": {encoded(t, picture(90, 80, 128), png.Encode), "png"},
		"jpeg":            {encoded(t, picture(640, 480, 255), asJPEG), "jpg"},
		"gif":             {encoded(t, picture(60, 64, 255), asGIF), "jpg"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := avatar.Look(c.data); err != nil {
				t.Fatal(err)
			}
			pictures, ext, err := avatar.Make(c.data)
			if err != nil || ext != c.ext || len(pictures) != len(avatar.Sizes) {
				t.Fatalf("%d pictures, %q, %v", len(pictures), ext, err)
			}
			for i, p := range pictures {
				m, _, err := image.Decode(bytes.NewReader(p.Data))
				if err != nil || p.Side != avatar.Sizes[i] || m.Bounds() != image.Rect(0, 0, p.Side, p.Side) {
					t.Fatalf("%d: %v", p.Side, err)
				}
				for _, at := range []image.Point{{p.Side / 4, p.Side / 8}, {p.Side / 4, p.Side * 7 / 8}} {
					r, g, b, _ := m.At(at.X, at.Y).RGBA()
					r2, g2, b2, _ := m.At(at.X+p.Side/2, at.Y).RGBA()
					if r < 3*g || r < 3*b || b2 < 3*g2 || b2 < 3*r2 {
						t.Errorf("%d: at %v %d %d %d, right of it %d %d %d", p.Side, at, r>>8, g>>8, b>>8, r2>>8, g2>>8, b2>>8)
					}
				}
			}
		})
	}
}

func TestWebP(t *testing.T) {
	data, err := base64.StdEncoding.DecodeString(webp)
	if err != nil {
		t.Fatal(err)
	}
	if format, err := avatar.Look(data); err != nil || format != "webp" {
		t.Errorf("%q, %v", format, err)
	}
	if p, _, err := avatar.Make(data); err != nil || len(p) != len(avatar.Sizes) {
		t.Error(err)
	}
}

func TestWhatIsNoPictureIsRefused(t *testing.T) {
	good := encoded(t, picture(40, 40, 255), png.Encode)
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"nothing":       {nil, avatar.ErrNotImage},
		"text":          {[]byte("<svg xmlns='http://www.w3.org/2000/svg'/>"), avatar.ErrNotImage},
		"magic alone":   {good[:8], avatar.ErrNotImage},
		"half":          {good[:len(good)/2], avatar.ErrNotImage},
		"no pixels":     {bomb(0, 10), avatar.ErrNotImage},
		"gigabytes":     {bomb(60_000, 60_000), avatar.ErrTooLarge},
		"a long line":   {bomb(1<<31-1, 1), avatar.ErrTooLarge},
		"many pixels":   {bomb(9_000, 9_000), avatar.ErrTooLarge},
		"overflow":      {bomb(1<<31-1, 1<<31-1), nil},
		"many bytes":    {make([]byte, avatar.MaxBytes+1), avatar.ErrTooLarge},
		"jpeg's start":  {[]byte("\xff\xd8\xff\xe0"), avatar.ErrNotImage},
		"gif's start":   {[]byte("GIF89a\xff\xff\xff\xff\x00\x00\x00"), avatar.ErrTooLarge},
		"webp's start":  {[]byte("RIFF\xff\xff\xff\xffWEBPVP8 "), avatar.ErrNotImage},
		"damaged":       {append(append([]byte{}, good[:60]...), bytes.Repeat([]byte{0xaa}, 100)...), avatar.ErrNotImage},
		"claims little": {bomb(10, 10), avatar.ErrNotImage},
	} {
		pictures, _, err := avatar.Make(c.data)
		if c.want == nil && (errors.Is(err, avatar.ErrNotImage) || errors.Is(err, avatar.ErrTooLarge)) && pictures == nil {
			continue
		}
		if !errors.Is(err, c.want) || pictures != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A beginning that says nothing yet is not an error for good.
func TestMoreToCome(t *testing.T) {
	data := encoded(t, picture(40, 40, 255), asJPEG)
	if _, err := avatar.Look(data[:30]); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}

func FuzzMake(f *testing.F) {
	data, err := base64.StdEncoding.DecodeString(webp)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(bomb(10, 10))
	for _, encode := range []func(io.Writer, image.Image) error{png.Encode, asJPEG, asGIF} {
		f.Add(encoded(f, picture(12, 9, 255), encode))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 4096 {
			pictures, _, err := avatar.Make(data)
			if err == nil == (len(pictures) == 0) || err != nil && !errors.Is(err, avatar.ErrNotImage) && !errors.Is(err, avatar.ErrTooLarge) {
				t.Errorf("%d pictures, %v", len(pictures), err)
			}
		}
	})
}
