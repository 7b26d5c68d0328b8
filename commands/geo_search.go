package commands

import (
	"math"
	"sync"

	"github.com/streampulse/pulse/store"
	"github.com/streampulse/pulse/store/geo"
	"github.com/streampulse/pulse/store/zset"
)

// geoQuery is what GEOSEARCH and its relatives are asked for.
type geoQuery struct {
	z      *zset.ZSet
	shape  geo.Shape
	from   geoOrigin
	by     geoForm
	sorted geoOrder
	count  int64 // 0: all
	any    bool

	withDist, withHash, withCoord bool

	dst       []byte // where to store, nil: reply
	storeDist bool
}

type (
	geoOrigin uint8
	geoForm   uint8
	geoOrder  uint8
)

const (
	fromNowhere geoOrigin = iota
	fromMember
	fromPoint
)

const (
	byNothing geoForm = iota
	byRadius
	byBox
)

const (
	unordered geoOrder = iota
	nearestFirst
	farthestFirst
)

// member makes a member the centre. A key that does not exist is no error yet: those of the arguments come before.
func (q *geoQuery) member(a *Args) {
	score, ok := q.z.Score(a.Next())
	if !ok && q.z != nil {
		a.Fail(ErrGeoMember)
	}
	q.shape.Lon, q.shape.Lat = geo.Position(score)
}

func (q *geoQuery) radius(a *Args) {
	if q.shape.Radius = a.FloatErr(ErrGeoRadius); q.shape.Radius < 0 {
		a.Fail(ErrGeoRadiusSign)
	}
	q.shape.Unit = geoUnit(a)
}

func (q *geoQuery) box(a *Args) {
	q.shape.Box = true
	q.shape.Width, q.shape.Height = a.FloatErr(ErrGeoWidth), a.FloatErr(ErrGeoHeight)
	if q.shape.Width < 0 || q.shape.Height < 0 {
		a.Fail(ErrGeoBoxSign)
	}
	q.shape.Unit = geoUnit(a)
}

// option takes one of the options that all the commands have.
func (q *geoQuery) option(a *Args) bool {
	switch {
	case a.Is("WITHDIST"):
		q.withDist = true
	case a.Is("WITHHASH"):
		q.withHash = true
	case a.Is("WITHCOORD"):
		q.withCoord = true
	case a.Is("ANY"):
		q.any = true
	case a.Is("ASC"):
		q.sorted = nearestFirst
	case a.Is("DESC"):
		q.sorted = farthestFirst
	case a.IsWith("COUNT", 1):
		if q.count = a.Int(); q.count <= 0 {
			a.Fail(ErrCountAboveZero)
		}
	default:
		return false
	}
	return true
}

// place takes one of the options of GEOSEARCH that say where.
func (q *geoQuery) place(a *Args) bool {
	switch {
	case q.from != fromPoint && a.IsWith("FROMMEMBER", 1):
		q.from = fromMember
		q.member(a)
	case q.from != fromMember && a.IsWith("FROMLONLAT", 2):
		q.from = fromPoint
		q.shape.Lon, q.shape.Lat = geoPoint(a)
	case q.by != byBox && a.IsWith("BYRADIUS", 2):
		q.by = byRadius
		q.radius(a)
	case q.by != byRadius && a.IsWith("BYBOX", 3):
		q.by = byBox
		q.box(a)
	default:
		return false
	}
	return true
}

func georadius(c *Call) error         { return georadiusAround(c, false) }
func georadiusbymember(c *Call) error { return georadiusAround(c, true) }

// georadiusAround is GEORADIUS and its relatives. The names that end in _RO store nothing.
func georadiusAround(c *Call, member bool) (err error) {
	q := geoQuery{}
	if q.z, err = c.Tx.ZSet(c.Args[1], store.Read); err != nil {
		return err
	}
	a := c.From(2)
	switch {
	case !member:
		q.shape.Lon, q.shape.Lat = geoPoint(&a)
		q.radius(&a)
	case q.z == nil:
		a = c.From(5) // nobody looks at what would not matter
	default:
		q.member(&a)
		q.radius(&a)
	}
	mayStore := c.Spec.Flags&Write != 0
	for a.More() {
		switch {
		case q.option(&a):
		case mayStore && a.IsWith("STORE", 1):
			q.dst, q.storeDist = a.Next(), false
		case mayStore && a.IsWith("STOREDIST", 1):
			q.dst, q.storeDist = a.Next(), true
		default:
			a.Fail(ErrSyntax)
		}
	}
	switch {
	case a.Err() != nil:
		return a.Err()
	case q.dst != nil && (q.withDist || q.withHash || q.withCoord):
		return errGeoStore("STORE option in GEORADIUS")
	}
	return q.run(c)
}

func geosearch(c *Call) (err error) {
	return geosearchFrom(c, &geoQuery{}, 1)
}

func geosearchstore(c *Call) error {
	return geosearchFrom(c, &geoQuery{dst: c.Args[1]}, 2)
}

// geosearchFrom is GEOSEARCH or, if q has a destination, GEOSEARCHSTORE. key is the place of the source.
func geosearchFrom(c *Call, q *geoQuery, key int) (err error) {
	if q.z, err = c.Tx.ZSet(c.Args[key], store.Read); err != nil {
		return err
	}
	a := c.From(key + 1)
	for a.More() {
		switch {
		case q.option(&a), q.place(&a):
		case q.dst != nil && a.Is("STOREDIST"):
			q.storeDist = true
		default:
			a.Fail(ErrSyntax)
		}
	}
	switch {
	case a.Err() != nil:
		return a.Err()
	case q.dst != nil && (q.withDist || q.withHash || q.withCoord):
		return errGeoStore("GEOSEARCHSTORE")
	case q.from == fromNowhere:
		return errGeoFrom(c.Args[0])
	case q.by == byNothing:
		return errGeoBy(c.Args[0])
	}
	return q.run(c)
}

// geoFound are the results of searches that are over: a search allocates nothing.
var geoFound = sync.Pool{New: func() any { return new(geo.Found) }}

func (q *geoQuery) run(c *Call) error {
	if q.any && q.count == 0 {
		return ErrGeoAny
	}
	found := geoFound.Get().(*geo.Found)
	defer func() {
		found.Reset()
		geoFound.Put(found)
	}()
	if q.count > 0 && q.sorted == unordered && !q.any {
		q.sorted = nearestFirst
	}
	if q.z != nil {
		limit := 0
		if q.any {
			limit = int(min(q.count, math.MaxInt))
		}
		found.Search(q.z, &q.shape, q.withDist || q.storeDist || q.sorted != unordered, limit)
	}
	n := found.Len()
	if q.count > 0 {
		n = int(min(q.count, int64(n)))
	}
	if q.sorted != unordered {
		found.Sort(n, q.sorted == farthestFirst)
	}
	if q.dst != nil {
		q.store(c, found, n)
	} else {
		q.reply(c, found, n)
	}
	return nil
}

func (q *geoQuery) store(c *Call, found *geo.Found, n int) {
	b := zset.NewBuilder()
	for i := range n {
		p, member := found.At(i)
		score := p.Score
		if q.storeDist {
			score = p.Dist / q.shape.Unit
		}
		b.AddNew(member, score)
	}
	c.storeZSet(q.dst, b)
}

func (q *geoQuery) reply(c *Call, found *geo.Found, n int) {
	parts := 1
	for _, with := range [...]bool{q.withDist, q.withHash, q.withCoord} {
		if with {
			parts++
		}
	}
	c.Array(n)
	for i := range n {
		p, member := found.At(i)
		if parts > 1 {
			c.Array(parts)
		}
		c.Bulk(member)
		if q.withDist {
			c.distance(p.Dist / q.shape.Unit)
		}
		if q.withHash {
			c.Int(int64(p.Score))
		}
		if q.withCoord {
			c.position(geo.Position(p.Score))
		}
	}
}
