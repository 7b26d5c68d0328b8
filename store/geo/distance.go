package geo

import "math"

// Radius is that of the earth as a sphere.
const Radius = 6372797.560856

// radians converts degrees.
func radians(deg float64) float64 { return deg * degree }

// Distance returns the length of the great circle between two points, by the haversine formula.
func Distance(lon1, lat1, lon2, lat2 float64) float64 {
	v := sin((radians(lon2) - radians(lon1)) / 2)
	if v == 0 {
		return latDistance(lat1, lat2)
	}
	y1, y2 := radians(lat1), radians(lat2)
	return arc(haversine(sin((y2-y1)/2), v, cos(y1)*cos(y2)))
}

// latDistance is Distance on one meridian.
func latDistance(lat1, lat2 float64) float64 {
	return Radius * math.Abs(radians(lat2)-radians(lat1))
}

// haversine returns the square of the sine of half the angle between two points from the sines of half their
// differences in latitude and longitude and the product of the cosines of their latitudes. The conversions forbid the
// compiler to round less often than Redis does.
func haversine(u, v, coscos float64) float64 {
	return float64(u*u) + float64(float64(coscos*v)*v)
}

// arc returns the length of the great circle for a haversine. Rounding may have lifted that over 1: the points are
// opposite then, where the formula of Redis yields no number.
func arc(a float64) float64 { return 2 * Radius * asin(math.Sqrt(min(a, 1))) }

// Shape is an area to search: a circle, or a box whose sides are measured along the parallel of a point and along the
// meridian of the centre.
type Shape struct {
	Lon, Lat      float64 // of the centre, valid
	Unit          float64 // metres in the unit of the lengths below
	Radius        float64 // of a circle
	Width, Height float64 // of a box
	Box           bool
}

// prepared is a shape with what its test needs. Bounds have a margin over their own rounding, so that they decide
// nothing that is close: there the test computes what Redis computes.
type prepared struct {
	Shape
	x, y, cosY    float64 // the centre in radians
	dLon, dLat    float64 // no point of the shape is further away from the centre, in radians
	inside        float64 // a haversine up to here is certainly near enough: to the centre of a circle, or along a parallel
	outside       float64 // and one from here on is not
	radius        float64 // metres
	width, height float64
}

const margin = 1e-9

// widened returns an angle with the margin.
func widened(angle float64) float64 { return angle*(1+margin) + margin*margin }

func (s *Shape) prepare() (p prepared) {
	p.Shape = *s
	p.x, p.y = radians(s.Lon), radians(s.Lat)
	p.cosY = cos(p.y)
	p.dLon, p.dLat = math.Inf(1), math.Inf(1)
	p.inside, p.outside = 2, 2
	p.radius, p.width, p.height = s.Radius*s.Unit, s.Width*s.Unit, s.Height*s.Unit
	angle, high := p.radius/Radius, p.radius/Radius
	if s.Box {
		angle, high = p.width/2/Radius, p.height/2/Radius
	}
	if high < math.Pi {
		p.dLat = widened(high)
	}
	if angle < math.Pi {
		h := math.Sin(angle / 2)
		p.inside, p.outside = h*h*(1-margin), h*h*(1+margin)
	}
	if r := math.Sin(angle) / p.cosY; !s.Box && math.Abs(p.y)+angle < math.Pi/2 && r < 0.99 {
		p.dLon = widened(math.Asin(r))
	}
	return p
}

// test reports whether a point is in the shape and returns its distance from the centre, which is only computed if it is
// wanted or must be known to decide.
func (p *prepared) test(lon, lat float64, wanted bool) (dist float64, in bool) {
	y := radians(lat)
	dy := math.Abs(y - p.y)
	if dy > p.dLat {
		return 0, false
	}
	dx := radians(lon) - p.x
	if a := math.Abs(dx); min(a, 2*math.Pi-a) > p.dLon {
		return 0, false
	}
	v := sin(dx / 2)
	if p.Box {
		return p.testBox(lon, lat, dy, v, wanted)
	}
	if v == 0 {
		dist = Radius * dy
		return dist, dist <= p.radius
	}
	h := haversine(sin((y-p.y)/2), v, p.cosY*cos(y))
	if h > p.outside || h <= p.inside && !wanted {
		return 0, h <= p.inside
	}
	dist = arc(h)
	return dist, dist <= p.radius
}

// testBox is test for a box and a point dy away, v being the sine of half the difference in longitude.
func (p *prepared) testBox(lon, lat, dy, v float64, wanted bool) (dist float64, in bool) {
	if Radius*dy > p.height/2 {
		return 0, false
	}
	if v != 0 {
		cosY := cos(radians(lat))
		h := haversine(0, v, cosY*cosY)
		if h > p.outside || h > p.inside && Distance(lon, lat, p.Lon, lat) > p.width/2 {
			return 0, false
		}
	}
	if wanted {
		dist = Distance(p.Lon, p.Lat, lon, lat)
	}
	return dist, true
}
