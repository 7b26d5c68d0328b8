package geo

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func randomPoint(r *rand.Rand) (lon, lat float64) {
	return r.Float64()*360 - 180, (r.Float64()*2 - 1) * LatMax
}

func TestScoreAndPosition(t *testing.T) {
	for _, tc := range []struct {
		lon, lat float64
		score    uint64
		hash     string
	}{
		{13.361389, 38.115556, 3479099956230698, "sqc8b49rny0"},
		{15.087269, 37.502669, 3479447370796909, "sqdtr74hyu0"},
		{0, 0, 3 << 50, "s0000000000"},
		{-180, -LatMax, 0, "00bh0hbj200"},
	} {
		s := Score(tc.lon, tc.lat)
		if h := string(AppendHash(nil, float64(s))); s != tc.score || h != tc.hash {
			t.Errorf("(%v, %v) is %d, %s, want %d, %s", tc.lon, tc.lat, s, h, tc.score, tc.hash)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		lon, lat := randomPoint(r)
		s := Score(lon, lat)
		lon2, lat2 := Position(float64(s))
		if s >= 1<<52 || math.Abs(lon-lon2) > 360./(1<<27)*1.01 || math.Abs(lat-lat2) > 2*LatMax/(1<<27)*1.01 {
			t.Fatalf("(%v, %v) is %d and back (%v, %v)", lon, lat, s, lon2, lat2)
		}
		if again := Score(lon2, lat2); again != s {
			t.Fatalf("the middle of %d is in %d", s, again)
		}
	}
}

// Scores that are no points become those that Redis makes of them.
func TestScoresOfAnyKind(t *testing.T) {
	for _, tc := range []struct {
		score float64
		bits  uint64
	}{
		{1.9, 1}, {-1.9, math.MaxUint64}, {math.Inf(1), 0}, {math.Inf(-1), 1 << 63}, {1e300, 0}, {-1e300, 1 << 63},
		{1 << 63, 1 << 63}, {-1 << 63, 1 << 63}, {0, 0}, {math.NaN(), 1 << 63},
	} {
		if got := toBits(tc.score); got != tc.bits {
			t.Errorf("toBits(%v) = %x, want %x", tc.score, got, tc.bits)
		}
	}
}

func FuzzPosition(f *testing.F) {
	for _, s := range []float64{0, -1, math.Inf(1), math.Inf(-1), 1 << 52, 1<<64 - 2048, -1 << 63, 1.5} {
		f.Add(s, 0.5)
	}
	f.Fuzz(func(t *testing.T, score, score2 float64) {
		lon, lat := Position(score)
		if !Valid(lon, lat) {
			t.Fatalf("%v is at (%v, %v)", score, lon, lat)
		}
		lon2, lat2 := Position(score2)
		if d := Distance(lon, lat, lon2, lat2); !(d >= 0 && d <= math.Pi*Radius*(1+1e-15)) {
			t.Fatalf("the distance of %v and %v is %v", score, score2, d)
		}
		if n := len(AppendHash(nil, score)); n != HashLen {
			t.Fatalf("the hash of %v has %d letters", score, n)
		}
	})
}

func TestMoved(t *testing.T) {
	for step := uint(1); step <= maxStep; step++ {
		side := uint32(1)<<step - 1
		r := rand.New(rand.NewPCG(uint64(step), 3))
		for range 50 {
			x, y := r.Uint32()&side, r.Uint32()&side
			if r.IntN(3) == 0 {
				x, y = 0, side
			}
			for _, d := range around {
				c := cell{spread(y) | spread(x)<<1, step}.moved(d.east, d.north)
				x2, y2 := (x+uint32(d.east))&side, (y+uint32(d.north))&side
				if gather(c.bits>>1) != x2 || gather(c.bits) != y2 || c.step != step {
					t.Fatalf("step %d: (%x, %x) moved by %v is (%x, %x)", step, x, y, d, gather(c.bits>>1), gather(c.bits))
				}
			}
		}
	}
}

// byAtan is better than math.Asin near 1.
func byAtan(z float64) float64 { return math.Atan2(z, math.Sqrt((1-z)*(1+z))) }

// Sines and their relatives are right but for one unit in the last place. Those of package math are off by up to two.
func TestTrigonometry(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, tc := range []struct {
		name     string
		from, to float64
		f, want  func(float64) float64
	}{
		{"sin", -math.Pi, math.Pi, sin, math.Sin}, {"sin", -1e-3, 1e-3, sin, math.Sin}, {"sin", -100, 100, sin, math.Sin},
		{"cos", -100, 100, cos, math.Cos}, {"cos", -1.5, 1.5, cos, math.Cos},
		{"asin", 0, 1, asin, byAtan}, {"asin", 0, 1e-3, asin, byAtan}, {"asin", 0.9999, 1, asin, byAtan},
	} {
		for range 20_000 {
			x := tc.from + r.Float64()*(tc.to-tc.from)
			if got, want := tc.f(x), tc.want(x); math.Abs(got-want) > 6e-16*max(math.Abs(want), 1e-3) {
				t.Fatalf("%s(%v) = %v, want %v", tc.name, x, got, want)
			}
		}
	}
	// Rounded correctly from 40 digits.
	for _, tc := range []struct {
		name      string
		got, want float64
	}{
		{"sin 1", sin(1), 0x1.aed548f090ceep-01}, {"sin -0.5", sin(-0.5), -0x1.eaee8744b05fp-02},
		{"sin pi", sin(math.Pi), 0x1.1a62633145c07p-53}, {"cos 1", cos(1), 0x1.14a280fb5068cp-01},
		{"asin 1", asin(1), math.Pi / 2}, {"asin 0", asin(0), 0}, {"asin 0.5", asin(0.5), 0x1.0c152382d7366p-01},
	} {
		if tc.got != tc.want {
			t.Errorf("%s = %x, want %x", tc.name, tc.got, tc.want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, tc := range []struct{ lon1, lat1, lon2, lat2, want float64 }{
		{0, 0, 0, 0, 0}, {0, 0, 180, 0, math.Pi * Radius}, {0, 0, 0, 45, math.Pi / 4 * Radius}, {-180, 10, 180, 10, 0},
		{0, 45, 180, -45, math.Pi * Radius}, {13.361389, 38.115556, 15.087269, 37.502669, 166274.2},
	} {
		if got := Distance(tc.lon1, tc.lat1, tc.lon2, tc.lat2); math.Abs(got-tc.want) > 0.1 {
			t.Errorf("%+v: %v", tc, got)
		}
	}
}

// randomShape is from a metre to the whole globe.
func randomShape(r *rand.Rand) (s Shape) {
	s.Lon, s.Lat = randomPoint(r)
	length := func() float64 { return math.Exp(r.Float64() * math.Log(3e7)) }
	s.Unit, s.Radius, s.Width, s.Height = 1, length(), length(), length()
	if s.Box = r.IntN(2) == 0; r.IntN(20) == 0 {
		s.Radius, s.Width = 0, 0
	}
	return s
}

// The bounds that spare computations decide nothing else than the formula.
func TestShortcuts(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 3000 {
		s := randomShape(r)
		p := s.prepare()
		for range 60 {
			lon, lat := randomPoint(r)
			if r.IntN(2) == 0 { // near the border
				reach := max(s.Radius, s.Width, s.Height) / Radius / degree
				lon, lat = clamp(s.Lon+r.NormFloat64()*reach, LonMax), clamp(s.Lat+r.NormFloat64()*reach, LatMax)
			}
			if r.IntN(10) == 0 {
				lon = s.Lon
			}
			dist := Distance(s.Lon, s.Lat, lon, lat)
			want := dist <= s.Radius
			if s.Box {
				want = latDistance(s.Lat, lat) <= s.Height/2 && Distance(lon, lat, s.Lon, lat) <= s.Width/2
			}
			for _, wanted := range []bool{false, true} {
				if got, in := p.test(lon, lat, wanted); in != want || wanted && in && got != dist {
					t.Fatalf("%+v: (%v, %v) %v away: %v, %v", s, lon, lat, dist, got, in)
				}
			}
		}
	}
}

// points is a sorted set.
type points []uint64

func (p points) EachScore(ranges [][2]float64, f func(member []byte, score float64) bool) {
	for _, r := range ranges {
		for i, _ := slices.BinarySearch(p, uint64(r[0])); i < len(p) && float64(p[i]) < r[1]; i++ {
			if !f(strconv.AppendUint(nil, p[i], 10), float64(p[i])) {
				return
			}
		}
	}
}

// A search of a shape that does not reach over the date line or near a pole finds all that is there, each once.
func TestSearchFindsAll(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	var all points
	for range 5000 {
		all = append(all, Score(randomPoint(r)))
	}
	slices.Sort(all)
	all = slices.Compact(all)
	var found Found
	for range 400 {
		s := randomShape(r)
		s.Lon, s.Lat = s.Lon/2, s.Lat*0.7
		s.Radius, s.Width, s.Height = min(s.Radius, 2e6), min(s.Width, 4e6), min(s.Height, 4e6)
		p := s.prepare()
		var want []uint64
		for _, score := range all {
			lon, lat := Position(float64(score))
			if _, in := p.test(lon, lat, false); in {
				want = append(want, score)
			}
		}
		found.Reset()
		found.Search(all, &s, true, 0)
		var got []uint64
		for i := range found.Len() {
			q, member := found.At(i)
			if got = append(got, uint64(q.Score)); string(member) != fmt.Sprint(uint64(q.Score)) {
				t.Fatalf("member %q has score %v", member, q.Score)
			}
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Fatalf("%+v: found %d, want %d", s, len(got), len(want))
		}
		n := min(3, found.Len())
		found.Reset()
		if found.Search(all, &s, false, 3); found.Len() != n {
			t.Fatalf("%+v: found %d, want %d", s, found.Len(), n)
		}
	}
}

// Cells are searched once each, also where they meet behind the globe.
func TestCoverOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for range 20_000 {
		s := randomShape(r)
		cells, n := s.cover()
		for i := range n {
			if slices.Contains(cells[:i], cells[i]) {
				t.Fatalf("%+v: %v twice", s, cells[i])
			}
		}
	}
}

func TestSort(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	for round := range 300 {
		var f Found
		size := r.IntN(300)
		for range size {
			f.points = append(f.points, Point{Dist: float64(r.IntN(1 + round))})
		}
		n := r.IntN(size + 2)
		far := r.IntN(2) == 0
		want := make([]float64, size)
		for i, p := range f.points {
			want[i] = p.Dist
		}
		slices.Sort(want)
		if far {
			slices.Reverse(want)
		}
		f.Sort(n, far)
		seen := map[*Point]bool{}
		for i := range size {
			p, _ := f.At(i)
			seen[p] = true
			if i < n && p.Dist != want[i] {
				t.Fatalf("%d of %d: number %d is %v, want %v", n, size, i, p.Dist, want[i])
			}
			if n >= size && i > 0 && f.order[i].dist == f.order[i-1].dist && f.order[i].index < f.order[i-1].index {
				t.Fatalf("number %d is not where it was", i)
			}
		}
		if len(seen) != size {
			t.Fatalf("%d points of %d", len(seen), size)
		}
	}
}

// An order made by an adversary who answers each comparison so that it tells as little as possible does not make
// sortFirst quadratic. After McIlroy, "A killer adversary for quicksort" (1999): the values are fixed while a median of
// three is sought, and read off in the end.
func TestSortOfKiller(t *testing.T) {
	const n = 1 << 14
	v := make([]place, n)
	for i := range v { // pairs of a low and a high half defeat the median of nine well enough
		v[i] = place{float64(min(i, n-i)*2 + i&1*n), i}
	}
	sortFirst(v, 10, 4*15)
	for i := 1; i < 10; i++ {
		if v[i-1].dist > v[i].dist {
			t.Fatalf("%v before %v", v[i-1], v[i])
		}
	}
	// Without any rounds left the result is the same.
	w := slices.Clone(v)
	slices.Reverse(w)
	sortFirst(w, 10, 0)
	for i := range 10 {
		if w[i].dist != v[i].dist {
			t.Fatalf("%v is number %d, want %v", w[i], i, v[i])
		}
	}
}

func coordinateText(f float64) string {
	s := strconv.FormatFloat(f, 'f', 17, 64)
	if s = strings.TrimRight(strings.TrimRight(s, "0"), "."); s == "-0" {
		return "0"
	}
	return s
}

func FuzzAppendCoordinate(f *testing.F) {
	for _, x := range []float64{0, math.Copysign(0, -1), 1, -180, 85.05112878, 0.1, 1e-5, 1e-18, -1e-18, 5e-324, 1e-9, 255.5, 100, 4.8828125e-4} {
		f.Add(x)
	}
	f.Fuzz(func(t *testing.T, x float64) {
		if !(math.Abs(x) <= 180) {
			return
		}
		if got := string(AppendCoordinate(nil, x)); got != coordinateText(x) {
			t.Fatalf("%v is %s, want %s", x, got, coordinateText(x))
		}
	})
}

func TestText(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	for range 50_000 {
		x := (r.Float64()*2 - 1) * 180
		if r.IntN(2) == 0 {
			x *= math.Exp(-r.Float64() * 45)
		}
		if got := string(AppendCoordinate(nil, x)); got != coordinateText(x) {
			t.Fatalf("%v is %s, want %s", x, got, coordinateText(x))
		}
	}
	for _, tc := range []struct {
		d    float64
		want string
	}{{0, "0.0000"}, {0.00004, "0.0000"}, {0.00016, "0.0002"}, {12.5, "12.5000"}, {1.2345, "1.2345"}, {166274.15157, "166274.1516"}, {20020741.0001, "20020741.0001"}} {
		if got := string(AppendDistance(nil, tc.d)); got != tc.want {
			t.Errorf("%v is %s, want %s", tc.d, got, tc.want)
		}
	}
}

func TestNoAllocation(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 18))
	var all points
	for range 3000 {
		all = append(all, Score(randomPoint(r)))
	}
	slices.Sort(all)
	src := quiet{all}
	s := Shape{Lon: 10, Lat: 50, Unit: 1000, Radius: 5000}
	var found Found
	buf := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(20, func() {
		found.Reset()
		found.Search(src, &s, true, 0)
		found.Sort(10, false)
		p, _ := found.At(0)
		lon, _ := Position(p.Score)
		AppendCoordinate(AppendDistance(buf, p.Dist), lon)
	}); n > 1 { // the source as an interface
		t.Errorf("%v allocations", n)
	}
}

// quiet is points whose members cost nothing.
type quiet struct{ points }

func (q quiet) EachScore(ranges [][2]float64, f func(member []byte, score float64) bool) {
	for _, r := range ranges {
		for i, _ := slices.BinarySearch(q.points, uint64(r[0])); i < len(q.points) && float64(q.points[i]) < r[1]; i++ {
			if !f(nil, float64(q.points[i])) {
				return
			}
		}
	}
}

func BenchmarkSearch(b *testing.B) {
	r := rand.New(rand.NewPCG(19, 20))
	var all points
	for range 100_000 {
		all = append(all, Score(randomPoint(r)))
	}
	slices.Sort(all)
	src := quiet{all}
	for _, box := range []bool{false, true} {
		b.Run(fmt.Sprint("box=", box), func(b *testing.B) {
			s := Shape{Lon: 10, Lat: 50, Unit: 1000, Radius: 1000, Width: 2000, Height: 2000, Box: box}
			var found Found
			for b.Loop() {
				found.Reset()
				found.Search(src, &s, true, 0)
			}
			b.ReportMetric(float64(found.Len()), "found")
		})
	}
}
