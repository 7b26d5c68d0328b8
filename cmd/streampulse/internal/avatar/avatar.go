// Package avatar makes square pictures of a few sizes out of what somebody has uploaded.
//
// Contract: Look and Make take any bytes, and answer with a picture or with an error that is ErrNotImage or ErrTooLarge; they never
// panic. Nothing is decoded before its dimensions are known to be within MaxSide and MaxPixels, so a few bytes that claim a
// gigantic picture cost nothing. Both are pure functions, and may be called concurrently.
//
// How: PNG, JPEG, GIF (its first frame) and WebP are told by their content, never by what a request calls them. The largest square in the
// middle is scaled by Catmull-Rom, the smaller sizes from the largest, and turned as the camera says that it was held. What is written is
// new: nothing of the upload but its pixels survives, neither metadata with the place it was taken at nor what somebody has appended.
//
// Trade-offs. The decoders of the standard library need all of a picture in memory: at MaxPixels that is 64 MB for most, and
// about 400 MB for a progressive JPEG in CMYK, so a process should make few at a time. What stands in Exif counts for JPEG, which is what
// cameras make, and not for WebP and PNG.
package avatar

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	_ "image/gif" // a decoder
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp" // a decoder
)

const (
	MaxBytes  = 8 << 20  // of an upload
	MaxSide   = 10_000   // pixels
	MaxPixels = 16 << 20 // of the whole picture

	jpegQuality = 88
)

// Sizes are the sides of what Make returns, in pixels, the largest first.
var Sizes = []int{256, 64}

var (
	// ErrNotImage says that the bytes are not a picture in a format that is known.
	ErrNotImage = errors.New("not a PNG, JPEG, GIF or WebP image")
	// ErrTooLarge says that a picture has too many bytes or pixels.
	ErrTooLarge = errors.New("the image is too large")
)

// Picture is an encoded image.
type Picture struct {
	Side int // pixels
	Data []byte
}

// Look reads the dimensions of a picture out of its beginning, and checks them. When the beginning does not say, because there is
// more to come, the error is io.ErrUnexpectedEOF.
func Look(head []byte) (format string, err error) {
	defer undo(&err)
	cfg, format, err := image.DecodeConfig(bytes.NewReader(head))
	switch {
	case errors.Is(err, image.ErrFormat):
		return "", ErrNotImage
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "", io.ErrUnexpectedEOF
	case err != nil:
		return "", fmt.Errorf("%w: %w", ErrNotImage, err)
	case cfg.Width < 1 || cfg.Height < 1:
		return "", fmt.Errorf("%w: it has no pixels", ErrNotImage)
	case cfg.Width > MaxSide || cfg.Height > MaxSide || cfg.Width*cfg.Height > MaxPixels:
		return "", fmt.Errorf("%w: %d x %d pixels, at most %d on a side and %d in all", ErrTooLarge, cfg.Width, cfg.Height, MaxSide, MaxPixels)
	}
	return format, nil
}

// Make returns the picture in all Sizes, and the extension of a file name for their format: "jpg", or "png" for what has transparent parts.
func Make(data []byte) (pictures []Picture, extension string, err error) {
	defer undo(&err)
	if len(data) > MaxBytes {
		return nil, "", fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(data), MaxBytes)
	}
	if _, err := Look(data); err != nil {
		return nil, "", truncated(err)
	}
	src, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, "", truncated(err)
	}
	from := middle(src.Bounds())
	if from.Empty() {
		return nil, "", fmt.Errorf("%w: it has no pixels", ErrNotImage)
	}
	encode := encodePNG
	if extension = "png"; opaque(src) {
		encode, extension = encodeJPEG, "jpg"
	}
	for _, side := range Sizes {
		dst := image.NewRGBA(image.Rect(0, 0, side, side))
		draw.CatmullRom.Scale(dst, dst.Bounds(), src, from, draw.Src, nil)
		if len(pictures) == 0 {
			dst = upright(dst, orientation(data))
		}
		var b bytes.Buffer
		if err := encode(&b, dst); err != nil {
			return nil, "", fmt.Errorf("avatar: %w", err)
		}
		pictures = append(pictures, Picture{side, b.Bytes()})
		src, from = dst, dst.Bounds()
	}
	return pictures, extension, nil
}

// undo makes an error of a decoder's panic: what it was given is no picture that anything can show.
func undo(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %v", ErrNotImage, p)
	}
}

// truncated is for what has come to its end: then there is nothing more to come.
func truncated(err error) error {
	if errors.Is(err, ErrNotImage) || errors.Is(err, ErrTooLarge) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrNotImage, err)
}

// middle is the largest square in the middle of r.
func middle(r image.Rectangle) image.Rectangle {
	side := min(r.Dx(), r.Dy())
	at := image.Pt(r.Min.X+(r.Dx()-side)/2, r.Min.Y+(r.Dy()-side)/2)
	return image.Rectangle{at, at.Add(image.Pt(side, side))}
}

func opaque(m image.Image) bool {
	o, ok := m.(interface{ Opaque() bool })
	return ok && o.Opaque()
}

func encodePNG(w io.Writer, m image.Image) error { return png.Encode(w, m) }

func encodeJPEG(w io.Writer, m image.Image) error {
	return jpeg.Encode(w, m, &jpeg.Options{Quality: jpegQuality})
}
