package commands

import (
	"slices"

	"github.com/streampulse/pulse/store"
	"github.com/streampulse/pulse/store/geo"
	"github.com/streampulse/pulse/store/zset"
)

const (
	geoUnits   = "<M | KM | FT | MI>"
	geoFrom    = "<FROMMEMBER member | FROMLONLAT longitude latitude>"
	geoBy      = "<BYRADIUS radius " + geoUnits + " | BYBOX width height " + geoUnits + ">"
	geoWith    = "[WITHCOORD] [WITHDIST] [WITHHASH]"
	geoFirst   = "[COUNT count [ANY]] [ASC | DESC]"
	geoStore   = "[STORE key | STOREDIST key]"
	geoCost    = "O(N+log(M)) with N members in the cells around the shape and M in the set."
	geoInstead = "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument"
)

var (
	geoUnitHistory = [2]string{"7.0.0", "Added support for uppercase unit names."}
	geoAnyHistory  = [2]string{"6.2.0", "Added the `ANY` option for `COUNT`."}
	geoStoreKeys   = func(from int) []KeySpec {
		return []KeySpec{At(1, RO|Access), After("STORE", from, OW|Update), After("STOREDIST", from, OW|Update)}
	}
)

var geoCommands = []Spec{
	{Name: "GEOADD", Syntax: "key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]", Arity: -5,
		Keys: First(RW | Update), Flags: Write | DenyOOM, Group: GroupGeo, Since: "3.2.0", Complexity: "O(log(N)) per member.",
		Summary: "Gives members of a sorted set places on the globe, adding those that are not there.",
		History: [][2]string{{"6.2.0", "Added the `CH`, `NX` and `XX` options."}}, Run: geoadd},
	{Name: "GEOPOS", Syntax: "key [member [member ...]]", Arity: -2, Keys: First(RO | Access), Flags: ReadOnly, Group: GroupGeo,
		Since: "3.2.0", Complexity: "O(1) per member.", Summary: "Returns the longitudes and latitudes of members.", Run: geopos},
	{Name: "GEODIST", Syntax: "key member1 member2 [M | KM | FT | MI]", Arity: -4, Keys: First(RO | Access), Flags: ReadOnly,
		Group: GroupGeo, Since: "3.2.0", Complexity: "O(1)", Summary: "Returns the distance between two members.", Run: geodist},
	{Name: "GEOHASH", Syntax: "key [member [member ...]]", Arity: -2, Keys: First(RO | Access), Flags: ReadOnly, Group: GroupGeo,
		Since: "3.2.0", Complexity: "O(1) per member.", Summary: "Returns the places of members as geohashes of eleven letters.", Run: geohash},
	{Name: "GEOSEARCH", Syntax: "key " + geoFrom + " " + geoBy + " [ASC | DESC] [COUNT count [ANY]] " + geoWith, Arity: -7,
		Keys: First(RO | Access), Flags: ReadOnly, Group: GroupGeo, Since: "6.2.0", Complexity: geoCost,
		Summary: "Returns the members in a circle or a box.", History: [][2]string{geoUnitHistory}, Run: geosearch},
	{Name: "GEOSEARCHSTORE", Syntax: "destination source " + geoFrom + " " + geoBy + " [ASC | DESC] [COUNT count [ANY]] [STOREDIST]",
		Arity: -8, Keys: []KeySpec{At(1, OW|Update), At(2, RO|Access)}, Flags: Write | DenyOOM, Group: GroupGeo, Since: "6.2.0",
		Complexity: geoCost, Summary: "Stores the members in a circle or a box, with their places or their distances.",
		History: [][2]string{geoUnitHistory}, Run: geosearchstore},
	{Name: "GEORADIUS", Syntax: "key longitude latitude radius " + geoUnits + " " + geoWith + " " + geoFirst + " " + geoStore, Arity: -6,
		Keys: geoStoreKeys(6), MoreKeys: georadiusKeys, Flags: Write | DenyOOM, Group: GroupGeo, Since: "3.2.0", Complexity: geoCost,
		Summary: "Returns or stores the members around a place.", Deprecated: "6.2.0", ReplacedBy: geoInstead,
		History: [][2]string{geoAnyHistory, geoUnitHistory}, Run: georadius},
	{Name: "GEORADIUSBYMEMBER", Syntax: "key member radius " + geoUnits + " " + geoWith + " " + geoFirst + " " + geoStore, Arity: -5,
		Keys: geoStoreKeys(5), MoreKeys: georadiusKeys, Flags: Write | DenyOOM, Group: GroupGeo, Since: "3.2.0", Complexity: geoCost,
		Summary: "Returns or stores the members around a member.", Deprecated: "6.2.0",
		ReplacedBy: "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
		History:    [][2]string{geoAnyHistory, geoUnitHistory}, Run: georadiusbymember},
	{Name: "GEORADIUS_RO", Syntax: "key longitude latitude radius " + geoUnits + " " + geoWith + " " + geoFirst, Arity: -6,
		Keys: First(RO | Access), Flags: ReadOnly, Group: GroupGeo, Since: "3.2.10", Complexity: geoCost,
		Summary: "Returns the members around a place.", Deprecated: "6.2.0", ReplacedBy: "`GEOSEARCH` with the `BYRADIUS` argument",
		History: [][2]string{geoAnyHistory, geoUnitHistory}, Run: georadius},
	{Name: "GEORADIUSBYMEMBER_RO", Syntax: "key member radius " + geoUnits + " " + geoWith + " " + geoFirst, Arity: -5,
		Keys: First(RO | Access), Flags: ReadOnly, Group: GroupGeo, Since: "3.2.10", Complexity: geoCost,
		Summary: "Returns the members around a member.", Deprecated: "6.2.0",
		ReplacedBy: "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments", History: [][2]string{geoAnyHistory, geoUnitHistory},
		Run: georadiusbymember},
}

// georadiusKeys: of several keys to store into the last is taken, and key specifications find the first.
func georadiusKeys(args [][]byte, dst []KeyPos) []KeyPos {
	stored := 0
	for i := 5; i+1 < len(args); i++ {
		if is(args[i], "STORE") || is(args[i], "STOREDIST") {
			i++
			stored = i
		}
	}
	if stored == 0 || slices.ContainsFunc(dst, func(k KeyPos) bool { return k.Pos == stored }) {
		return dst
	}
	return append(dst, KeyPos{stored, OW | Update})
}

// geoPoint takes a longitude and a latitude.
func geoPoint(a *Args) (lon, lat float64) {
	lon, lat = a.Float(), a.Float()
	if a.Err() == nil && !geo.Valid(lon, lat) {
		a.Fail(errGeoPair(lon, lat))
	}
	return lon, lat
}

// geoUnit takes the name of a unit of length and returns it in metres.
func geoUnit(a *Args) float64 {
	switch {
	case a.Is("M"):
		return 1
	case a.Is("KM"):
		return 1000
	case a.Is("FT"):
		return 0.3048
	case a.Is("MI"):
		return 1609.34
	}
	a.Fail(ErrGeoUnit)
	return 1
}

func geoadd(c *Call) error {
	var buf [8]float64
	o := zaddArgs{scores: buf[:0]}
	a := c.From(2)
	for more := true; more; {
		switch {
		case a.Is("NX"):
			o.mode |= zset.NX
		case a.Is("XX"):
			o.mode |= zset.XX
		case a.Is("CH"):
			o.ch = true
		default:
			more = false
		}
	}
	if a.Left()%3 != 0 || a.Left() == 0 || o.mode == zset.NX|zset.XX {
		return ErrSyntax
	}
	for o.args = a.v[a.Pos():]; a.More(); a.Next() {
		if lon, lat := geoPoint(&a); a.Err() == nil {
			o.scores = append(o.scores, float64(geo.Score(lon, lat)))
		}
	}
	if a.Err() != nil {
		return a.Err()
	}
	return c.addScores(&o)
}

// position writes a longitude and a latitude as an array.
func (c *Call) position(lon, lat float64) {
	var buf [48]byte
	c.Array(2)
	c.DoubleText(geo.AppendCoordinate(buf[:0], lon))
	c.DoubleText(geo.AppendCoordinate(buf[:0], lat))
}

// distance writes a length.
func (c *Call) distance(d float64) {
	var buf [48]byte
	c.Bulk(geo.AppendDistance(buf[:0], d))
}

func geopos(c *Call) error {
	z, err := c.Tx.ZSet(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	c.Array(len(c.Args) - 2)
	for _, m := range c.Args[2:] {
		if score, ok := z.Score(m); ok {
			c.position(geo.Position(score))
		} else {
			c.NullArray()
		}
	}
	return nil
}

func geohash(c *Call) error {
	z, err := c.Tx.ZSet(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	c.Array(len(c.Args) - 2)
	for _, m := range c.Args[2:] {
		if score, ok := z.Score(m); ok {
			var buf [geo.HashLen]byte
			c.Bulk(geo.AppendHash(buf[:0], score))
		} else {
			c.Null()
		}
	}
	return nil
}

func geodist(c *Call) error {
	unit := 1.0
	if a := c.From(4); a.More() {
		if a.Left() > 1 {
			return ErrSyntax
		}
		if unit = geoUnit(&a); a.Err() != nil {
			return a.Err()
		}
	}
	z, err := c.Tx.ZSet(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	s1, ok1 := z.Score(c.Args[2])
	s2, ok2 := z.Score(c.Args[3])
	if !ok1 || !ok2 {
		c.Null()
		return nil
	}
	lon1, lat1 := geo.Position(s1)
	lon2, lat2 := geo.Position(s2)
	c.distance(geo.Distance(lon1, lat1, lon2, lat2) / unit)
	return nil
}
