package commands

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/internal/oracle"
	"github.com/streampulse/pulse/internal/resp"
)

// geoPair asks a real server and ours the same.
type geoPair struct {
	t      *testing.T
	h      *harness
	conn   *Conn
	theirs io.Writer
	in     *bufio.Reader
	seen   bytes.Buffer

	inexact int // replies that were not the same bytes
}

func newGeoPair(t *testing.T) *geoPair {
	nc, err := oracle.Start(t).Dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	p := &geoPair{t: t, h: newHarness(t), theirs: nc}
	p.conn = p.h.conn(2)
	p.in = bufio.NewReader(io.TeeReader(nc, &p.seen))
	return p
}

func (p *geoPair) ask(args []string) (ours, theirs string) {
	var req bytes.Buffer
	raw := make([][]byte, len(args))
	fmt.Fprintf(&req, "*%d\r\n", len(args))
	for i, a := range args {
		fmt.Fprintf(&req, "$%d\r\n%s\r\n", len(a), a)
		raw[i] = []byte(a)
	}
	if _, err := p.theirs.Write(req.Bytes()); err != nil {
		p.t.Fatal(err)
	}
	p.seen.Reset()
	if _, err := resp.Decode(p.in); err != nil {
		p.t.Fatal(err)
	}
	return p.h.run(p.conn, raw), p.seen.String()
}

// check compares the replies byte for byte, but for the last digit of a distance: C libraries round sines differently.
func (p *geoPair) check(line string) { p.t.Helper(); p.compare(line, 1e-4) }

// checkScores compares replies with scores, which Redis 7.0 prints with other digits than we do.
func (p *geoPair) checkScores(line string) { p.t.Helper(); p.compare(line, 0) }

func (p *geoPair) compare(line string, tolerance float64) {
	p.t.Helper()
	ours, theirs := p.ask(strings.Fields(line))
	if ours == theirs {
		return
	}
	p.inexact++
	a, err := resp.Decode(bufio.NewReader(strings.NewReader(ours)))
	b, err2 := resp.Decode(bufio.NewReader(strings.NewReader(theirs)))
	if err != nil || err2 != nil || !alike(a, b, tolerance) {
		p.t.Errorf("%s\n got %.300q\nwant %.300q", line, ours, theirs)
	}
}

// alike compares replies; numbers may differ by the tolerance, and by what is left of precision.
func alike(a, b resp.Value, tolerance float64) bool {
	if a.Type != b.Type || a.Int != b.Int || len(a.Elems) != len(b.Elems) {
		return false
	}
	for i := range a.Elems {
		if !alike(a.Elems[i], b.Elems[i], tolerance) {
			return false
		}
	}
	if bytes.Equal(a.Str, b.Str) {
		return true
	}
	x, ok1 := num.ParseFloat(a.Str)
	y, ok2 := num.ParseFloat(b.Str)
	return ok1 && ok2 && math.Abs(x-y) <= tolerance*1.001+math.Abs(y)*1e-15
}

// geoRand makes points and shapes: some of them close to a pole, to the date line, or to each other.
type geoRand struct{ *rand.Rand }

func (r geoRand) point() (lon, lat string) {
	x, y := r.Float64()*360-180, r.Float64()*2*85.05112878-85.05112878
	switch r.IntN(8) {
	case 0:
		x = math.Copysign(180-r.ExpFloat64()*0.01, x)
	case 1:
		y = math.Copysign(85.05112878-r.ExpFloat64()*0.01, y)
	case 2, 3: // a town
		x, y = 13.4+r.NormFloat64()*0.1, 52.5+r.NormFloat64()*0.1
	case 4: // a grid, whose points have equals and equal distances
		x, y = float64(r.IntN(9)*40-160), float64(r.IntN(5)*30-60)
	}
	return fmt.Sprintf("%.9f", max(-180, min(180, x))), fmt.Sprintf("%.9f", max(-85.05112878, min(85.05112878, y)))
}

// length is from a metre to half of the globe, and at times nothing or more than there is.
func (r geoRand) length() string {
	m := math.Exp(r.Float64() * math.Log(2.1e7))
	switch r.IntN(30) {
	case 0:
		m = 0
	case 1:
		m = 1e9
	}
	unit := []struct {
		name string
		m    float64
	}{{"m", 1}, {"km", 1000}, {"ft", 0.3048}, {"mi", 1609.34}}[r.IntN(4)]
	return fmt.Sprintf("%.6f %s", m/unit.m, unit.name)
}

func (r geoRand) pick(s ...string) string { return s[r.IntN(len(s))] }

func (r geoRand) search(points int) string {
	where := fmt.Sprintf("FROMMEMBER p%d", r.IntN(points))
	if r.IntN(3) > 0 {
		lon, lat := r.point()
		where = "FROMLONLAT " + lon + " " + lat
	}
	shape := "BYRADIUS " + r.length()
	if r.IntN(2) == 0 {
		width := strings.Fields(r.length())[0]
		shape = "BYBOX " + width + " " + r.length()
	}
	line := where + " " + shape
	switch r.IntN(4) {
	case 0:
		line += fmt.Sprintf(" COUNT %d", 1+int(math.Exp(r.Float64()*8)))
	case 1:
		line += fmt.Sprintf(" COUNT %d ANY", 1+int(math.Exp(r.Float64()*8)))
	}
	line += r.pick("", " ASC", " DESC")
	if r.IntN(8) == 0 {
		return "GEOSEARCHSTORE dst geo " + line + r.pick("", " STOREDIST")
	}
	return "GEOSEARCH geo " + line + r.pick("", " WITHDIST") + r.pick("", " WITHHASH") + r.pick("", " WITHCOORD")
}

// The geo commands find the same as Redis, in the same order and to the last digit.
func TestGeoAgainstRedis(t *testing.T) {
	for _, tc := range []struct {
		name             string
		points, searches int
	}{{"listpack", 100, 300}, {"skiplist", 20_000, 120}} {
		t.Run(tc.name, func(t *testing.T) {
			p, r := newGeoPair(t), geoRand{rand.New(rand.NewPCG(uint64(tc.points), 1))}
			const batch = 100
			for i := 0; i < tc.points; i += batch {
				line := "GEOADD geo"
				for j := range batch {
					lon, lat := r.point()
					line += fmt.Sprintf(" %s %s p%d", lon, lat, i+j)
				}
				p.check(line)
			}
			p.checkScores("ZRANGE geo 0 -1 WITHSCORES")
			for i := range tc.searches {
				p.conn.Out.SetProto(2)
				line := r.search(tc.points)
				if p.check(line); strings.Contains(line, " dst ") {
					p.checkScores("ZRANGE dst 0 -1 WITHSCORES")
				}
				m1, m2 := r.IntN(tc.points), r.IntN(tc.points)
				p.check(fmt.Sprintf("GEODIST geo p%d p%d %s", m1, m2, r.pick("m", "km", "ft", "mi")))
				p.check(fmt.Sprintf("GEOHASH geo p%d p%d none", m1, m2))
				p.check(fmt.Sprintf("GEOPOS geo p%d none p%d", m1, m2))
				if t.Failed() {
					t.Fatalf("after %d searches", i)
				}
			}
		})
	}
}
