package load

import (
	"context"
	"fmt"
	"math"
	"strings"
)

// The datasets of TypeWorkloads, each a large value or two.
const (
	Board  Dataset = "board"  // a sorted set of Keys members
	Record Dataset = "record" // a hash of Keys fields
	Feed   Dataset = "feed"   // a list of Keys elements
	Groups Dataset = "groups" // a set of Keys members and one of smallGroup, a tenth of which are in both
	Bits   Dataset = "bits"   // two strings of bitsLength bytes
	Counts Dataset = "counts" // HyperLogLogs with many elements
	Places Dataset = "places" // a sorted set of Keys points in a rectangle
)

const (
	smallGroup   = 10_000
	bitsLength   = 1 << 20
	counts       = 100  // HyperLogLogs
	countedEach  = 5000 // elements laid into each, enough for the dense representation
	nearbyPoints = 50
)

// one is the end of the name of a large value.
const one = "000000000000"

// TypeWorkloads are single commands on large values.
var TypeWorkloads = []Workload{
	{Name: "ZADD", Command: "ZADD zst:" + one + " %K member:%K", Data: Board},
	{Name: "ZRANGE_100", Command: "ZRANGE zst:" + one + " %R %E", Data: Board},
	{Name: "ZRANK", Command: "ZRANK zst:" + one + " member:%K", Data: Board},
	{Name: "HSET", Command: "HSET hsh:" + one + " field:%K %V", Data: Record},
	{Name: "HGET", Command: "HGET hsh:" + one + " field:%K", Data: Record},
	{Name: "LRANGE_100", Command: "LRANGE lst:" + one + " 0 99", Data: Feed},
	{Name: "SINTER_10k", Command: "SINTER group set:" + one, Data: Groups, Slow: true},
	{Name: "BITCOUNT_1M", Command: "BITCOUNT bit:" + one, Data: Bits, Slow: true},
	{Name: "BITOP_AND_1M", Command: "BITOP AND bit:and bit:000000000000 bit:000000000001", Data: Bits, Slow: true},
	{Name: "PFADD", Command: "PFADD hll:%C element:%K", Data: Counts},
	{Name: "PFCOUNT", Command: "PFCOUNT hll:%C", Data: Counts},
	{Name: "PFCOUNT_2", Command: "PFCOUNT hll:%C hll:%C", Data: Counts},
	{Name: "GEOSEARCH_50", Command: "GEOSEARCH geo FROMLONLAT 1%1.%6 %1.%6 BYRADIUS %G km", Data: Places},
}

// FindTyped returns the workload of TypeWorkloads of that name, in any case.
func FindTyped(name string) (Workload, bool) { return find(TypeWorkloads, name) }

// TypeShape is the size of the values of TypeWorkloads: a million elements at scale 1. What is counted in bits, the small
// set of the intersection and the HyperLogLogs stay as they are.
func TypeShape(scale float64, valueSize int) Shape {
	return Shape{Keys: scaled(1_000_000, scale, minElements), Collections: counts, ValueSize: valueSize}
}

// Commands returns what a server must know to run w on its data.
func (w Workload) Commands() []string {
	names := []string{strings.Fields(w.Command)[0]}
	if w.script != nil {
		names = append(names, "SCRIPT LOAD")
	}
	switch w.Data {
	case Counts:
		names = append(names, "PFADD", "PFCOUNT")
	case Places:
		names = append(names, "GEOADD")
	}
	return names
}

// large returns the holding with that ID, as one key with keys elements.
func large(id string, keys uint64) Holding {
	h, ok := FindHolding(id)
	if !ok || h.Keys != 1 {
		panic("load: no large holding " + id)
	}
	h.Each = keys
	return h
}

// layTyped puts a dataset of TypeWorkloads or StreamWorkloads into an empty server.
func layTyped(ctx context.Context, addr string, d Dataset, s Shape) error {
	var h Holding
	switch d {
	case Board:
		h = large("zset", s.Keys)
	case Record:
		h = large("hash", s.Keys)
	case Feed:
		h = large("list", s.Keys)
	case Counts:
		h, _ = FindHolding("hlls")
		h.Keys, h.Each = s.Collections, countedEach
	case Log:
		return layLog(ctx, addr, s)
	case Groups:
		if err := put(ctx, addr, d, fills(smallGroup/requestElements, 4, 8, groupRequest(s.Keys))); err != nil {
			return err
		}
		h = large("set", s.Keys)
	case Bits:
		return put(ctx, addr, d, fills(2, 1, 1, bitsRequest))
	case Places:
		return put(ctx, addr, d, fills((s.Keys+requestElements-1)/requestElements, 8, 16, placesRequest(s.Keys)))
	default:
		return fmt.Errorf("load: unknown dataset %q", d)
	}
	if _, err := h.Fill(ctx, addr); err != nil {
		return fmt.Errorf("lay in %s: %w", d, err)
	}
	return nil
}

// groupRequest fills the small set; every tenth of its members is one of the large set's keys members, spread over them.
func groupRequest(keys uint64) func([]byte, uint64) []byte {
	return func(dst []byte, i uint64) []byte {
		dst = appendHead(dst, 2+requestElements, "SADD")
		dst = appendBulk(dst, []byte("group"))
		for j := i * requestElements; j < (i+1)*requestElements; j++ {
			if j%10 == 0 {
				dst = appendNumbered(dst, "member:", j/10*(keys/(smallGroup/10)))
			} else {
				dst = appendNumbered(dst, "absent:", j)
			}
		}
		return dst
	}
}

func bitsRequest(dst []byte, i uint64) []byte {
	seed := rng(i)
	dst = appendHead(dst, 3, "SET")
	dst = appendNumbered(dst, "bit:", i)
	return appendBulk(dst, valueBytes(&seed, bitsLength))
}

// The rectangle of points: ten degrees each way, north of the equator, where one is about as long as the other.
const (
	west, south, side = 10.0, 0.0, 10.0
	earthRadius       = 6372.797560856 // km, as GEO commands have it
)

// nearby returns the radius in km of a circle around nearbyPoints of n points spread evenly over the rectangle.
func nearby(n uint64) float64 {
	rad := math.Pi / 180
	area := earthRadius * earthRadius * side * rad * (math.Sin((south+side)*rad) - math.Sin(south*rad))
	return math.Sqrt(area * nearbyPoints / float64(max(n, 1)) / math.Pi)
}

// placesRequest adds points at places with six decimals, as the workload asks for them.
func placesRequest(keys uint64) func([]byte, uint64) []byte {
	return func(dst []byte, i uint64) []byte {
		from, to := i*requestElements, min(keys, (i+1)*requestElements)
		dst = appendHead(dst, 2+3*int(to-from), "GEOADD")
		dst = appendBulk(dst, []byte("geo"))
		for j := from; j < to; j++ {
			r := rng(j)
			dst = appendDegrees(dst, west, &r)
			dst = appendDegrees(dst, south, &r)
			dst = appendNumbered(dst, "member:", j)
		}
		return dst
	}
}

// appendDegrees appends a random number from low to low+side with six decimals as one bulk string.
func appendDegrees(dst []byte, low uint64, r *rng) []byte {
	v := r.below(side * 1_000_000)
	var b [24]byte
	whole := append(b[:0], "00.000000"...)
	putDigits(whole[:2], low+v/1_000_000)
	putDigits(whole[3:], v%1_000_000)
	return appendBulk(dst, whole)
}
