package load

import (
	"context"
	"fmt"
	"strconv"
)

// The least that scaling leaves: of many small values, and of the elements of one large value, so that it stays in the
// representation for large ones.
const (
	minKeys     = 100
	minElements = 1000
)

// requestElements is how many elements one request adds to a large value.
const requestElements = 100

// Holding is much data of one kind: Keys values of Each elements.
type Holding struct {
	ID   string // short name
	Text string // with %s where the count goes that scaling changes
	Keys uint64
	Each uint64

	Add    string // command that adds elements to a key
	Count  string // command that counts them
	PerKey bool   // a unit is a whole value, not an element

	prefix  string
	single  bool                                               // a request adds one element, not many
	words   int                                                // arguments of an element
	element func(dst []byte, h *Holding, key, j uint64) []byte // appends element j of a key as bulk strings
	ttl     bool
}

// Holdings are what suite types-memory weighs.
var Holdings = []Holding{
	{ID: "hashes", Text: "%s hashes of 8 fields", Keys: 1_000_000, Each: 8, Add: "HSET", Count: "HLEN", prefix: "hsh:", words: 2, element: smallField},
	{ID: "hash", Text: "1 hash of %s fields", Keys: 1, Each: 2_000_000, Add: "HSET", Count: "HLEN", prefix: "hsh:", words: 2, element: field},
	{ID: "sets", Text: "%s sets of 8 integers", Keys: 1_000_000, Each: 8, Add: "SADD", Count: "SCARD", prefix: "set:", words: 1, element: integer},
	{ID: "set", Text: "1 set of %s strings", Keys: 1, Each: 2_000_000, Add: "SADD", Count: "SCARD", prefix: "set:", words: 1, element: member},
	{ID: "lists", Text: "%s lists of 20 strings", Keys: 200_000, Each: 20, Add: "RPUSH", Count: "LLEN", prefix: "lst:", words: 1, element: text},
	{ID: "list", Text: "1 list of %s strings", Keys: 1, Each: 5_000_000, Add: "RPUSH", Count: "LLEN", prefix: "lst:", words: 1, element: text},
	{ID: "zset", Text: "1 sorted set of %s", Keys: 1, Each: 2_000_000, Add: "ZADD", Count: "ZCARD", prefix: "zst:", words: 2, element: scored},
	{ID: "zsets", Text: "%s sorted sets of 20", Keys: 200_000, Each: 20, Add: "ZADD", Count: "ZCARD", prefix: "zst:", words: 2, element: scored},
	{ID: "hlls", Text: "%s HyperLogLogs of 5", Keys: 1_000_000, Each: 5, Add: "PFADD", Count: "PFCOUNT", PerKey: true, prefix: "hll:", words: 1, element: observed},
	{ID: "sessions", Text: "%s sessions with a TTL", Keys: 1_000_000, Each: uint64(len(sessionFields)), Add: "HSET", Count: "HLEN", PerKey: true,
		prefix: "ses:", words: 2, element: sessionField, ttl: true},
	{ID: "stream", Text: "1 stream of %s entries", Keys: 1, Each: 2_000_000, Add: "XADD", Count: "XLEN", prefix: "stm:", single: true, words: 7, element: entry},
}

// FindHolding returns the holding with that ID.
func FindHolding(id string) (Holding, bool) {
	for _, h := range Holdings {
		if h.ID == id {
			return h, true
		}
	}
	return Holding{}, false
}

// Scale returns h with f times as much: keys when there are many, else elements.
func (h Holding) Scale(f float64) Holding {
	if h.Keys > 1 {
		h.Keys = scaled(h.Keys, f, minKeys)
	} else {
		h.Each = scaled(h.Each, f, minElements)
	}
	return h
}

func scaled(n uint64, f float64, least uint64) uint64 {
	return max(least, uint64(float64(n)*f+0.5))
}

// Name says what it is, with the counts as they are.
func (h Holding) Name() string {
	n := h.Keys
	if n == 1 {
		n = h.Each
	}
	return fmt.Sprintf(h.Text, brief(n))
}

// brief writes 1200000 as 1.2M and 4000 as 4k.
func brief(n uint64) string {
	switch {
	case n >= 1_000_000:
		return strconv.FormatFloat(float64(n/10_000)/100, 'f', -1, 64) + "M"
	case n >= 1000:
		return strconv.FormatFloat(float64(n/10)/100, 'f', -1, 64) + "k"
	}
	return strconv.FormatUint(n, 10)
}

// Units returns how many of what Unit names there are.
func (h Holding) Units() uint64 {
	if h.PerKey {
		return h.Keys
	}
	return h.Keys * h.Each
}

// Unit is what a weight is given in.
func (h Holding) Unit() string {
	switch {
	case h.PerKey:
		return "B/key"
	case h.Add == "XADD":
		return "B/entry"
	}
	return "B/element"
}

// Commands returns what a server must know to hold it.
func (h Holding) Commands() []string { return []string{h.Add, h.Count} }

// Fill puts all of h into the server at addr, beside what is there, and checks the counts of some keys.
func (h Holding) Fill(ctx context.Context, addr string) (*Result, error) {
	r, err := h.send(ctx, addr)
	if err != nil {
		return nil, err
	}
	return r, h.check(ctx, addr)
}

func (h Holding) send(ctx context.Context, addr string) (*Result, error) {
	r, err := Drive(ctx, addr, h.sources(8), 1, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", h.ID, err)
	}
	if r.Errors > 0 {
		return nil, fmt.Errorf("%s: %s", h.ID, r.FirstErr)
	}
	return r, nil
}

func (h *Holding) sources(conns int) []Source {
	atOnce := h.atOnce()
	parts := (h.Each + atOnce - 1) / atOnce
	srcs := fills(h.Keys*parts, conns, 64, func(dst []byte, i uint64) []byte {
		key, from := i/parts, i%parts*atOnce
		to := min(h.Each, from+atOnce)
		dst = appendHead(dst, 2+h.words*int(to-from), h.Add)
		dst = appendNumbered(dst, h.prefix, key)
		for j := from; j < to; j++ {
			dst = h.element(dst, h, key, j)
		}
		if h.ttl {
			dst = appendHead(dst, 3, "EXPIRE")
			dst = appendNumbered(dst, h.prefix, key)
			dst = appendNumber(dst, 86_400+key%3600)
		}
		return dst
	})
	if h.ttl {
		for _, s := range srcs {
			s.(*fill).each = 2
		}
	}
	return srcs
}

// atOnce is how many elements a request adds at most.
func (h *Holding) atOnce() uint64 {
	if h.single {
		return 1
	}
	return requestElements
}

// checkedKeys is how many keys check looks at.
const checkedKeys = 32

// check asks the server for the number of elements of the first, the last and some keys between.
func (h Holding) check(ctx context.Context, addr string) error {
	c, err := dialAdmin(ctx, addr)
	if err != nil {
		return err
	}
	defer c.Close()
	n := min(h.Keys, checkedKeys)
	for i := range n {
		number := h.Keys - 1
		if i+1 < n {
			number = h.Keys / n * i
		}
		key := h.Key(number)
		got, err := c.rdb.Do(ctx, h.Count, key).Uint64()
		if err != nil {
			return fmt.Errorf("%s: %s %s: %w", h.ID, h.Count, key, err)
		}
		// An estimate of so few may be wrong by one.
		if slack := h.slack(); got+slack < h.Each || got > h.Each+slack {
			return fmt.Errorf("%s: %s %s is %d, want %d", h.ID, h.Count, key, got, h.Each)
		}
		if !h.ttl {
			continue
		}
		left, err := c.rdb.TTL(ctx, key).Result()
		if err != nil {
			return fmt.Errorf("%s: TTL %s: %w", h.ID, key, err)
		}
		if left <= 0 {
			return fmt.Errorf("%s: %s has no TTL", h.ID, key)
		}
	}
	return nil
}

// slack is by how much a count may be wrong that is an estimate.
func (h *Holding) slack() uint64 {
	if h.Count == "PFCOUNT" {
		return 1 + h.Each/20
	}
	return 0
}

// Key returns the name of key number n.
func (h Holding) Key(n uint64) string { return fmt.Sprintf("%s%0*d", h.prefix, digits, n) }

// The elements. Values are texts that do not compress and differ from key to key; numbers in names are scattered, so that
// what is added last is not what comes last.

func smallField(dst []byte, h *Holding, key, j uint64) []byte {
	dst = append(dst, "$6\r\nfield"...)
	dst = append(dst, '0'+byte(j%10), '\r', '\n')
	return appendText(dst, key*h.Each+j, 8)
}

func field(dst []byte, h *Holding, _, j uint64) []byte {
	dst = appendNumbered(dst, "field:", scatter(j, h.Each))
	return appendText(dst, j, 16)
}

// integer keeps the elements of a set apart by their last digit.
func integer(dst []byte, h *Holding, key, j uint64) []byte {
	r := rng(key*h.Each + j)
	return appendNumber(dst, r.below(1_000_000)/h.Each*h.Each+j)
}

func member(dst []byte, h *Holding, _, j uint64) []byte {
	return appendNumbered(dst, "member:", scatter(j, h.Each))
}

func text(dst []byte, h *Holding, key, j uint64) []byte { return appendText(dst, key*h.Each+j, 16) }

func scored(dst []byte, h *Holding, key, j uint64) []byte {
	r := rng(key*h.Each + j)
	dst = appendNumber(dst, r.below(1_000_000))
	return member(dst, h, key, j)
}

func observed(dst []byte, h *Holding, key, j uint64) []byte {
	return appendNumbered(dst, "element:", key*h.Each+j)
}

// entry has three fields, and an id that the server gives it.
func entry(dst []byte, _ *Holding, _, j uint64) []byte {
	dst = append(dst, "$1\r\n*\r\n$4\r\nuser\r\n"...)
	r := rng(j)
	dst = appendNumber(dst, 10_000_000+r.below(90_000_000))
	dst = append(dst, "$6\r\naction\r\n$5\r\nliked\r\n$4\r\nitem\r\n"...)
	return appendText(dst, j, 16)
}

// sessionFields are the fields of a session and the lengths of their values.
var sessionFields = [...]struct {
	name    string
	length  int
	numeric bool
}{{"user", 8, true}, {"token", 32, false}, {"address", 12, false}, {"agent", 20, false}, {"created", 10, true}, {"seen", 10, true}}

func sessionField(dst []byte, h *Holding, key, j uint64) []byte {
	f := sessionFields[j]
	dst = append(dst, '$')
	dst = strconv.AppendInt(dst, int64(len(f.name)), 10)
	dst = append(dst, "\r\n"...)
	dst = append(dst, f.name...)
	dst = append(dst, "\r\n"...)
	if !f.numeric {
		return appendText(dst, key*h.Each+j, f.length)
	}
	low := uint64(1)
	for range f.length - 1 {
		low *= 10
	}
	r := rng(key*h.Each + j)
	return appendNumber(dst, low+r.below(low))
}

// appendHead begins a request of so many words.
func appendHead(dst []byte, words int, command string) []byte {
	dst = append(dst, '*')
	dst = strconv.AppendInt(dst, int64(words), 10)
	dst = append(dst, "\r\n$"...)
	dst = strconv.AppendInt(dst, int64(len(command)), 10)
	dst = append(dst, "\r\n"...)
	dst = append(dst, command...)
	return append(dst, "\r\n"...)
}

// appendNumber appends v as one bulk string without leading zeros.
func appendNumber(dst []byte, v uint64) []byte {
	var b [20]byte
	return appendBulk(dst, strconv.AppendUint(b[:0], v, 10))
}

// appendText appends length bytes that follow from seed and are no number, as one bulk string.
func appendText(dst []byte, seed uint64, length int) []byte {
	dst = append(dst, '$')
	dst = strconv.AppendInt(dst, int64(length), 10)
	dst = append(dst, "\r\n"...)
	r := rng(seed)
	var bits uint64
	for i := range length {
		if i%10 == 0 {
			bits = r.next()
		}
		dst = append(dst, alphabet[bits&63])
		bits >>= 6
	}
	if length > 0 {
		dst[len(dst)-length] = 'v'
	}
	return append(dst, "\r\n"...)
}
