package avatar

import (
	"bytes"
	"encoding/binary"
	"image"
)

// orientation returns how a camera was held that made a JPEG, as Exif numbers it: 1 is upright, and what is said of a picture that says
// nothing, or nothing that can be read. It looks at no more than the first Exif segment, and copies nothing. (Decoding all of Exif is what
// libraries are for; they believe lengths that somebody has uploaded.)
func orientation(jpeg []byte) int {
	const upright = 1
	exif := exifSegment(jpeg)
	if len(exif) < 8 {
		return upright
	}
	var order binary.ByteOrder
	switch string(exif[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return upright
	}
	at := uint64(order.Uint32(exif[4:]))
	if at+2 > uint64(len(exif)) {
		return upright
	}
	const entry, tag, short = 12, 0x0112, 3
	fields := exif[at+2:]
	for range order.Uint16(exif[at:]) {
		if len(fields) < entry {
			return upright
		}
		if order.Uint16(fields) == tag && order.Uint16(fields[2:]) == short && order.Uint32(fields[4:]) == 1 {
			if o := int(order.Uint16(fields[8:])); o >= 1 && o <= 8 {
				return o
			}
			return upright
		}
		fields = fields[entry:]
	}
	return upright
}

// exifSegment returns the body of the first Exif segment before the pixels, a TIFF file, or nil.
func exifSegment(jpeg []byte) []byte {
	const start, app1, scan = 0xd8, 0xe1, 0xda
	if len(jpeg) < 2 || jpeg[0] != 0xff || jpeg[1] != start {
		return nil
	}
	for rest := jpeg[2:]; len(rest) >= 4 && rest[0] == 0xff && rest[1] != scan; {
		if rest[1] == 0xff { // filling
			rest = rest[1:]
			continue
		}
		size := int(binary.BigEndian.Uint16(rest[2:])) // with the two bytes that it stands in
		if size < 2 || len(rest) < 2+size {
			return nil
		}
		if body, is := bytes.CutPrefix(rest[4:2+size], []byte("Exif\x00\x00")); is && rest[1] == app1 {
			return body
		}
		rest = rest[2+size:]
	}
	return nil
}

// upright returns a square picture as it looks when the camera was held in the given way.
func upright(m *image.RGBA, orientation int) *image.RGBA {
	last := m.Bounds().Dx() - 1
	from := map[int]func(x, y int) (int, int){
		2: func(x, y int) (int, int) { return last - x, y },
		3: func(x, y int) (int, int) { return last - x, last - y },
		4: func(x, y int) (int, int) { return x, last - y },
		5: func(x, y int) (int, int) { return y, x },
		6: func(x, y int) (int, int) { return y, last - x },
		7: func(x, y int) (int, int) { return last - y, last - x },
		8: func(x, y int) (int, int) { return last - y, x },
	}[orientation]
	if from == nil {
		return m
	}
	out := image.NewRGBA(m.Bounds())
	for y := range last + 1 {
		for x := range last + 1 {
			out.SetRGBA(x, y, m.RGBAAt(from(x, y)))
		}
	}
	return out
}
