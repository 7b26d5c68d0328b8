package geo

import "math"

// mercatorMax is half of the length of the equator in the projection.
const mercatorMax = 20037726.37

// steps returns how often the globe is to be halved for cells such that a shape that reaches so far from its centre at
// that latitude is likely to be in nine of them. Cells grow narrow towards the poles.
func steps(reach, lat float64) uint {
	if reach == 0 {
		return maxStep
	}
	n := -1
	for ; reach < mercatorMax && n <= maxStep+2; n++ {
		reach *= 2
	}
	if lat = math.Abs(lat); lat > 66 {
		n--
		if lat > 80 {
			n--
		}
	}
	return uint(min(max(n, 1), maxStep))
}

// bounds returns the degrees between which a shape lies. The side nearer to the pole decides the width. Shapes that
// reach over a pole have no sensible bounds; the order of the comparisons in cover is what gives these a meaning.
func (s *Shape) bounds() (lon, lat span) {
	w, h := s.Unit*s.Radius, s.Unit*s.Radius
	if s.Box {
		w, h = s.Unit*(s.Width/2), s.Unit*(s.Height/2)
	}
	dLat := h / Radius / degree
	side := s.Lat + dLat
	if s.Lat < 0 {
		side = s.Lat - dLat
	}
	dLon := w / Radius / cos(radians(side)) / degree
	return span{s.Lon - dLon, s.Lon + dLon}, span{s.Lat - dLat, s.Lat + dLat}
}

// around are the cells to search, in this order: the one of the centre and its neighbours, in steps to the east and to
// the north.
var around = [9]struct{ east, north int }{
	{0, 0}, {0, 1}, {0, -1}, {1, 0}, {-1, 0}, {1, 1}, {-1, 1}, {1, -1}, {-1, -1},
}

// cover returns the n cells that hold the shape, in the order in which they are to be searched. No two are the same.
func (s *Shape) cover() (cells [9]cell, n int) {
	lonB, latB := s.bounds()
	reach := s.Radius
	if s.Box {
		w, h := s.Width/2, s.Height/2
		reach = math.Sqrt(float64(w*w) + float64(h*h))
	}
	step := steps(reach*s.Unit, s.Lat)
	centre := cellAt(s.Lon, s.Lat, LatMax, step)
	if step > 1 && !centre.neighboursHold(lonB, latB) {
		step--
		centre = cellAt(s.Lon, s.Lat, LatMax, step)
	}
	lon, lat := centre.area()
	last := 0
	for i, d := range around {
		// A neighbour is not needed if the shape, or what its bounds say of it, ends before. Cells of the first step are
		// half of the globe wide.
		if step >= 2 && (d.north < 0 && lat.min < latB.min || d.north > 0 && lat.max > latB.max ||
			d.east < 0 && lon.min < lonB.min || d.east > 0 && lon.max > lonB.max) {
			continue
		}
		c := centre.moved(d.east, d.north)
		// Round the globe a neighbour on one side may be that on the other.
		if last > 0 && c == cells[n-1] {
			continue
		}
		cells[n] = c
		n++
		last = i
	}
	return cells, n
}

// neighboursHold reports whether the cells around c reach as far as the bounds.
func (c cell) neighboursHold(lon, lat span) bool {
	_, n := c.moved(0, 1).area()
	_, s := c.moved(0, -1).area()
	e, _ := c.moved(1, 0).area()
	w, _ := c.moved(-1, 0).area()
	return !(n.max < lat.max || s.min > lat.min || e.max < lon.max || w.min > lon.min)
}
