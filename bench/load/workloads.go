package load

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Shape says how much data a workload touches.
type Shape struct {
	Keys        uint64 // string keys, counters, and members of the big board
	Collections uint64 // hashes, sets, sorted sets and lists that requests are spread over
	Members     uint64 // distinct members of each of them
	ValueSize   int    // bytes
	PopSupply   uint64 // elements laid in for workloads that consume
}

// NewShape derives the usual proportions from the number of keys.
func NewShape(keys uint64, valueSize int, popSupply uint64) Shape {
	return Shape{
		Keys: max(1, keys), Collections: max(1, keys/100), Members: 100,
		ValueSize: valueSize, PopSupply: popSupply,
	}
}

// Dataset names what must be in the server before a workload runs.
type Dataset string

// The datasets of Workloads.
const (
	Empty    Dataset = "empty"
	Strings  Dataset = "strings"  // key:N for every N below Keys
	Lists    Dataset = "lists"    // lists that together hold PopSupply elements
	Lists100 Dataset = "lists100" // up to 1000 lists of 100 elements
)

// popLists is how many lists the consuming workloads spread over, and readLists how many LRANGE_100 does.
const (
	popLists  = 1000
	readLists = 1000
)

// Workload is one command sent over and over.
type Workload struct {
	Name    string
	Command string // as newTemplate reads it
	Data    Dataset
	Fresh   bool // each round starts from Data anew, because a round changes what it works on
	Slow    bool // takes a server so long that few clients are enough

	script *redis.Script // what EVALSHA in Command asks for
}

// Workloads are the single-command workloads. Hashes, sets and small sorted sets are many with up to 100 members each;
// ZINCRBY works on one board with as many members as there are keys.
var Workloads = []Workload{
	{Name: "SET", Command: "SET key:%K %V", Data: Strings},
	{Name: "GET", Command: "GET key:%K", Data: Strings},
	{Name: "MGET_10", Command: "MGET" + strings.Repeat(" key:%K", 10), Data: Strings},
	{Name: "INCR", Command: "INCR cnt:%K", Data: Empty},
	{Name: "LPUSH", Command: "LPUSH pop:%C %V", Data: Empty, Fresh: true},
	{Name: "LPOP", Command: "LPOP pop:%C", Data: Lists, Fresh: true},
	{Name: "LRANGE_100", Command: "LRANGE lst:%C 0 99", Data: Lists100},
	{Name: "SADD", Command: "SADD set:%C member:%M", Data: Empty},
	{Name: "HSET", Command: "HSET hsh:%C field:%M %V", Data: Empty},
	{Name: "ZADD", Command: "ZADD zst:%C %M member:%M", Data: Empty},
	{Name: "ZINCRBY", Command: "ZINCRBY board 1 member:%K", Data: Empty},
}

// Find returns the workload of that name, in any case.
func Find(name string) (Workload, bool) { return find(Workloads, name) }

func find(in []Workload, name string) (Workload, bool) {
	for _, w := range in {
		if strings.EqualFold(w.Name, name) {
			return w, true
		}
	}
	return Workload{}, false
}

// slowClients bounds the connections of a slow workload: with many, a round would be over before each had its first reply.
const slowClients = 8

// Clients returns how many of n connections w uses.
func (w Workload) Clients(n int) int {
	if w.Slow {
		return min(n, slowClients)
	}
	return n
}

// Options say how hard to press.
type Options struct {
	Clients  int
	Pipeline int
	Threads  int
	Duration time.Duration // how long to send; or
	Requests int64         // how many to send when not zero, spread evenly over the clients
	Seed     uint64
}

// Run sends w to addr, whose data must be in place, and which must know w's script.
func (w Workload) Run(ctx context.Context, addr string, s Shape, o Options) (*Result, error) {
	switch w.Data {
	case Lists:
		s.Collections = popLists
	case Lists100:
		s.Collections = min(readLists, s.Collections)
	}
	if strings.Contains(w.Command, "pop:") {
		s.Collections = popLists
	}
	o.Clients = w.Clients(o.Clients)
	seeds := rng(o.Seed)
	srcs := make([]Source, o.Clients)
	for i := range srcs {
		srcs[i] = newTemplate(w.Command, o.Pipeline, seeds.next(), s)
		if o.Requests > 0 {
			each := o.Requests / int64(o.Clients)
			if int64(i) < o.Requests%int64(o.Clients) {
				each++
			}
			srcs[i] = &limited{src: srcs[i], batches: (each + int64(o.Pipeline) - 1) / int64(o.Pipeline)}
		}
	}
	d := o.Duration
	if o.Requests > 0 {
		d = 0
	}
	r, err := Drive(ctx, addr, srcs, o.Threads, d)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", w.Name, err)
	}
	if r.Errors > 0 {
		return nil, fmt.Errorf("%s: %d error replies, one of them %q", w.Name, r.Errors, r.FirstErr)
	}
	return r, nil
}

// limited ends a source after so many batches.
type limited struct {
	src     Source
	batches int64
}

func (l *limited) Next() ([]byte, int) {
	if l.batches == 0 {
		return nil, 0
	}
	l.batches--
	return l.src.Next()
}

// Lay puts dataset d into an empty server.
func Lay(ctx context.Context, addr string, d Dataset, s Shape) error {
	seed := rng(1)
	value := valueBytes(&seed, s.ValueSize)
	var srcs []Source
	switch d {
	case Empty:
		return nil
	case Strings:
		srcs = fills(s.Keys, 8, 128, func(dst []byte, i uint64) []byte {
			dst = append(dst, "*3\r\n$3\r\nSET\r\n"...)
			dst = appendNumbered(dst, "key:", scatter(i, s.Keys))
			return appendBulk(dst, value)
		})
	case Lists:
		atOnce := min(max(1, int(s.PopSupply/popLists)), 500)
		srcs = fills(max(popLists, s.PopSupply/uint64(atOnce)), 4, 8, func(dst []byte, i uint64) []byte {
			return appendPush(dst, "pop:", i%popLists, value, atOnce)
		})
	case Lists100:
		srcs = fills(min(readLists, s.Collections), 4, 8, func(dst []byte, i uint64) []byte {
			return appendPush(dst, "lst:", i, value, 100)
		})
	default:
		return layTyped(ctx, addr, d, s)
	}
	return put(ctx, addr, d, srcs)
}

func put(ctx context.Context, addr string, d Dataset, srcs []Source) error {
	r, err := Drive(ctx, addr, srcs, 1, 0)
	if err != nil {
		return fmt.Errorf("lay in %s: %w", d, err)
	}
	if r.Errors > 0 {
		return fmt.Errorf("lay in %s: %s", d, r.FirstErr)
	}
	return nil
}

func appendPush(dst []byte, prefix string, n uint64, value []byte, times int) []byte {
	dst = append(dst, '*')
	dst = strconv.AppendInt(dst, int64(2+times), 10)
	dst = append(dst, "\r\n$5\r\nRPUSH\r\n"...)
	dst = appendNumbered(dst, prefix, n)
	for range times {
		dst = appendBulk(dst, value)
	}
	return dst
}

// scatter permutes 0..n-1 (n below 2^32), so that what is laid in order is not visited in order.
func scatter(i, n uint64) uint64 {
	const prime = 2654435761 // shares no factor with any smaller n
	return i * prime % n
}
