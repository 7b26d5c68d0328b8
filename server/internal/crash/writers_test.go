package crash

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/streampulse/pulse/internal/resp"
	"github.com/streampulse/pulse/server/internal/image"
)

func allWriters() []writer {
	all := []writer{&popper{popped: map[int64]bool{}}, &queue{}, &queue{moves: true}}
	for i := range kinds {
		all = append(all, &sequence{kind: &kinds[i]})
	}
	return all
}

// sequence is a writer whose operations have numbers, and whose keys tell how many of them were done.
type sequence struct {
	*kind
	sent, acked int64
	seen        atomic.Int64 // how many another client has seen
	total       int64
}

// kind says what a sequence does. Keys begin with the prefix p.
type kind struct {
	title string
	// op is the requests of operation n.
	op func(p string, n int64) [][]string
	// look reads how many operations, from the first on, are there; an error of type broken says that it is not that.
	look func(c *image.Conn, p string) (int64, error)
	// glance is a request whose reply is a number of operations that were done, nil if there is none.
	glance func(p string) []string
}

// broken says that keys do not fit together.
type broken string

func (b broken) Error() string { return string(b) }

func (s *sequence) name() string        { return s.title }
func (s *sequence) acknowledged() int64 { return s.total }

func (s *sequence) run(c *client, rng *rand.Rand) {
	conn, err := c.open()
	if err != nil {
		return
	}
	defer conn.Close()
	if s.glance != nil {
		done := make(chan struct{})
		go func() { s.watch(c); close(done) }()
		defer func() { <-done }()
	}
	depth := []int{1, 1, 4, 16}[rng.IntN(4)]
	for {
		var b []byte
		counts := make([]int, 0, depth)
		for range depth {
			requests := s.op(s.keys(), s.sent)
			for _, args := range requests {
				b = resp.AppendRequest(b, args...)
			}
			counts = append(counts, len(requests))
			s.sent++
		}
		if _, err := conn.Write(b); err != nil {
			return
		}
		for _, n := range counts {
			for range n {
				v, err := conn.Next()
				if err != nil {
					return
				}
				if v.Type == '-' {
					c.fail(v.Str)
					return
				}
			}
			s.acked++
			s.total++
		}
	}
}

// keys is the prefix of the keys: spread over shards where the title is no hash tag.
func (s *sequence) keys() string { return s.title + ":" }

// watch is a reader: what it has been told must not be gone later.
func (s *sequence) watch(c *client) {
	conn, err := c.open()
	if err != nil {
		return
	}
	defer conn.Close()
	for {
		v, err := conn.Do(s.glance(s.keys())...)
		if err != nil {
			return
		}
		n, _ := strconv.ParseInt(string(v.Str), 10, 64) // nil: none
		s.seen.Store(max(s.seen.Load(), n))
	}
}

func (s *sequence) check(c *image.Conn) (v verdict, err error) {
	n, err := s.look(c, s.keys())
	var b broken
	switch {
	case errors.As(err, &b):
		v.half, v.text = true, string(b)
		n, err = s.acked, nil
	case err != nil:
		return v, err
	case n < s.acked:
		v.lost, v.text = s.acked-n, fmt.Sprintf("%d operations are there, %d were acknowledged", n, s.acked)
	case n < s.seen.Load():
		v.lost, v.text = s.seen.Load()-n, fmt.Sprintf("%d operations are there, a reader has seen %d", n, s.seen.Load())
	case n > s.sent:
		v.doubled, v.text = true, fmt.Sprintf("%d operations are there, %d were sent", n, s.sent)
	}
	s.acked, s.sent = n, n
	s.seen.Store(0)
	return v, nil
}

func (s *sequence) reset(c *image.Conn) error {
	s.acked, s.sent = 0, 0
	s.seen.Store(0)
	return deleteAll(c, s.keys()+"*")
}

func deleteAll(c *image.Conn, pattern string) error {
	list, err := c.Do("KEYS", pattern)
	if err != nil || len(list.Elems) == 0 {
		return err
	}
	args := []string{"DEL"}
	for _, e := range list.Elems {
		args = append(args, string(e.Str))
	}
	_, err = c.Do(args...)
	return err
}

const (
	slots    = 37   // keys or fields that are overwritten in turn
	pageSize = 1000 // elements of a list or a stream before the next one begins
	bigSlots = 3
)

func text(n int64) string { return strconv.FormatInt(n, 10) }

func one(args ...string) [][]string { return [][]string{args} }

const pairScript = `redis.call('INCR', KEYS[1]) redis.call('RPUSH', KEYS[2], ARGV[1]) return redis.call('SADD', KEYS[3], ARGV[1])`

const moveScript = `
if ARGV[1] == '0' then for i = 1, 300 do redis.call('SADD', KEYS[1], i) end end
local m = redis.call('SPOP', KEYS[1])
if m then redis.call('SADD', KEYS[2], m) end
return redis.call('INCR', KEYS[3])`

var kinds = []kind{
	{"set", func(p string, n int64) [][]string { return one("SET", p+text(n%slots), text(n)) }, lookSlots, nil},
	{"setex", func(p string, n int64) [][]string { return one("SET", p+text(n%slots), text(n), "EX", "1000000") }, lookVolatile, nil},
	{"incr", func(p string, _ int64) [][]string { return one("INCR", p) },
		func(c *image.Conn, p string) (int64, error) { return number(c.Do("GET", p)) },
		func(p string) []string { return []string{"GET", p} }},
	{"big", func(p string, n int64) [][]string {
		return one("SET", p+text(n%bigSlots), text(n)+":"+strings.Repeat(text(n%10), int(20_000+n*7919%150_000)))
	}, lookBig, nil},
	{"rpush", func(p string, n int64) [][]string { return one("RPUSH", p+text(n/pageSize), text(n)) }, lookLists, nil},
	{"xadd", func(p string, n int64) [][]string { return one("XADD", p+text(n/pageSize), "*", "n", text(n)) }, lookStreams, nil},
	{"hset", func(p string, n int64) [][]string { return one("HSET", p, text(n%slots), text(n)) }, lookFields, nil},
	{"zset", func(p string, n int64) [][]string {
		if n%4 == 3 {
			return one("ZPOPMIN", p)
		}
		return one("ZADD", p, text(n), text(n))
	}, lookScores, nil},
	{"mset", func(p string, n int64) [][]string {
		args := []string{"MSET"}
		for i := range 8 {
			args = append(args, p+text(int64(i)), text(n+1))
		}
		return one(args...)
	}, lookEqual, func(p string) []string { return []string{"GET", p + "5"} }},
	{"multi", func(p string, n int64) [][]string {
		return [][]string{{"MULTI"}, {"INCR", p + "n"}, {"RPUSH", p + text(n/pageSize), text(n)}, {"SADD", p + "s", text(n)}, {"EXEC"}}
	}, lookPair, func(p string) []string { return []string{"GET", p + "n"} }},
	{"script", func(p string, n int64) [][]string {
		return one("EVAL", pairScript, "3", p+"n", p+text(n/pageSize), p+"s", text(n))
	}, lookPair, nil},
	{"random script", func(p string, n int64) [][]string {
		return one("EVAL", moveScript, "3", p+"from", p+"to", p+"n", text(n))
	}, lookMoved, nil},
	{"rename", func(p string, n int64) [][]string {
		if n%2 == 0 {
			return one("SET", p+"new", text(n))
		}
		return one("RENAME", p+"new", p+"old")
	}, lookRenamed, nil},
}

// number reads a count from a text, 0 from nil.
func number(v resp.Value, err error) (int64, error) {
	if err != nil || v.Null {
		return 0, err
	}
	if v.Type == ':' {
		return v.Int, nil
	}
	n, err := strconv.ParseInt(string(v.Str), 10, 64)
	if err != nil {
		return 0, broken(err.Error())
	}
	return n, nil
}

// fromSlots tells how many operations have written the slots: operation n writes n into slot n%len(values).
func fromSlots(values []int64) (int64, error) {
	count := int64(0)
	for _, v := range values {
		count = max(count, v+1)
	}
	size := int64(len(values))
	for i, v := range values {
		want := int64(-1)
		if int64(i) < count {
			want = count - 1 - (count-1-int64(i))%size
		}
		if v != want {
			return 0, broken(fmt.Sprintf("of %d operations, slot %d has %d and not %d", count, i, v, want))
		}
	}
	return count, nil
}

func lookSlots(c *image.Conn, p string) (int64, error) {
	values := make([]int64, slots)
	for i := range values {
		v, err := c.Do("GET", p+strconv.Itoa(i))
		if err != nil {
			return 0, err
		}
		if values[i] = -1; !v.Null {
			if values[i], err = number(v, nil); err != nil {
				return 0, err
			}
		}
	}
	return fromSlots(values)
}

func lookVolatile(c *image.Conn, p string) (int64, error) {
	n, err := lookSlots(c, p)
	for i := range min(n, slots) {
		v, ttlErr := c.Do("TTL", p+text(i))
		if ttlErr != nil {
			return 0, ttlErr
		}
		if err == nil && (v.Int < 900_000 || v.Int > 1_000_000) {
			err = broken(fmt.Sprintf("slot %d has %d seconds to live", i, v.Int))
		}
	}
	return n, err
}

func lookBig(c *image.Conn, p string) (int64, error) {
	values := make([]int64, bigSlots)
	for i := range values {
		v, err := c.Do("GET", p+strconv.Itoa(i))
		if err != nil {
			return 0, err
		}
		values[i] = -1
		if v.Null {
			continue
		}
		head, rest, _ := strings.Cut(string(v.Str), ":")
		if values[i], err = strconv.ParseInt(head, 10, 64); err != nil {
			return 0, broken(err.Error())
		}
		n := values[i]
		if rest != strings.Repeat(text(n%10), int(20_000+n*7919%150_000)) {
			return 0, broken(fmt.Sprintf("value %d is not what was written", n))
		}
	}
	return fromSlots(values)
}

func lookFields(c *image.Conn, p string) (int64, error) {
	v, err := c.Do("HGETALL", p)
	if err != nil {
		return 0, err
	}
	values := make([]int64, slots)
	for i := range values {
		values[i] = -1
	}
	for i := 0; i+1 < len(v.Elems); i += 2 {
		slot, err := strconv.Atoi(string(v.Elems[i].Str))
		if err != nil || slot < 0 || slot >= slots {
			return 0, broken(fmt.Sprintf("a field %q", v.Elems[i].Str))
		}
		if values[slot], err = number(v.Elems[i+1], nil); err != nil {
			return 0, err
		}
	}
	return fromSlots(values)
}

// pages reads lists, or whatever has elements, until there is none any more, and counts them: they are numbered.
func pages(read func(page int64) ([]resp.Value, error)) (n int64, err error) {
	for page := int64(0); ; page++ {
		elems, err := read(page)
		if err != nil {
			return n, err
		}
		for _, e := range elems {
			if string(e.Str) != text(n) {
				return n, broken(fmt.Sprintf("element %d is %q", n, e.Str))
			}
			n++
		}
		if len(elems) < pageSize {
			return n, nil
		}
	}
}

func lookLists(c *image.Conn, p string) (int64, error) {
	return pages(func(page int64) ([]resp.Value, error) {
		v, err := c.Do("LRANGE", p+text(page), "0", "-1")
		return v.Elems, err
	})
}

func lookStreams(c *image.Conn, p string) (int64, error) {
	return pages(func(page int64) (out []resp.Value, err error) {
		v, err := c.Do("XRANGE", p+text(page), "-", "+")
		for _, e := range v.Elems {
			out = append(out, e.Elems[1].Elems[1])
		}
		return out, err
	})
}

// lookScores: three members come and the smallest goes, in turn.
func lookScores(c *image.Conn, p string) (int64, error) {
	v, err := c.Do("ZRANGE", p, "0", "-1")
	if err != nil || len(v.Elems) == 0 {
		return 0, err
	}
	var members []int64
	for _, e := range v.Elems {
		m, err := number(e, nil)
		if err != nil {
			return 0, err
		}
		members = append(members, m)
	}
	// Members are the numbers that are not 3 modulo 4, from the popped one on.
	for i := 1; i < len(members); i++ {
		want := members[i-1] + 1
		if want%4 == 3 {
			want++
		}
		if members[i] != want {
			return 0, broken(fmt.Sprintf("member %d follows %d", members[i], members[i-1]))
		}
	}
	last, first := members[len(members)-1], members[0]
	popped := first - first/4 // how many members are smaller
	count := last + 1
	if count%4 == 3 && popped == count/4+1 {
		count++
	}
	if popped != count/4 {
		return 0, broken(fmt.Sprintf("%d were popped of what %d operations added", popped, count))
	}
	return count, nil
}

func lookEqual(c *image.Conn, p string) (int64, error) {
	args := []string{"MGET"}
	for i := range 8 {
		args = append(args, p+strconv.Itoa(i))
	}
	v, err := c.Do(args...)
	if err != nil {
		return 0, err
	}
	first, err := number(v.Elems[0], nil)
	for i, e := range v.Elems {
		if n, _ := number(e, nil); n != first && err == nil {
			err = broken(fmt.Sprintf("one MSET wrote %d to key 0 and %d to key %d", first, n, i))
		}
	}
	return first, err
}

func lookPair(c *image.Conn, p string) (int64, error) {
	n, err := number(c.Do("GET", p+"n"))
	if err != nil {
		return 0, err
	}
	pushed, err := lookLists(c, p)
	if err != nil {
		return 0, err
	}
	added, err := number(c.Do("SCARD", p+"s"))
	if err == nil && (pushed != n || added != n) {
		err = broken(fmt.Sprintf("INCR was done %d times, RPUSH %d and SADD %d", n, pushed, added))
	}
	return n, err
}

func lookMoved(c *image.Conn, p string) (int64, error) {
	n, err := number(c.Do("GET", p+"n"))
	if err != nil || n == 0 {
		return 0, err
	}
	from, err := number(c.Do("SCARD", p+"from"))
	if err != nil {
		return 0, err
	}
	to, err := number(c.Do("SCARD", p+"to"))
	if err != nil {
		return 0, err
	}
	both, err := c.Do("SINTER", p+"from", p+"to")
	if err == nil && (len(both.Elems) > 0 || from+to != 300 || to != min(n, 300)) {
		err = broken(fmt.Sprintf("after %d moves %d of 300 are left, %d have arrived and %d are in both", n, from, to, len(both.Elems)))
	}
	return n, err
}

func lookRenamed(c *image.Conn, p string) (int64, error) {
	v, err := c.Do("MGET", p+"new", p+"old")
	if err != nil {
		return 0, err
	}
	newer, older := v.Elems[0], v.Elems[1]
	switch {
	case newer.Null && older.Null:
		return 0, nil
	case newer.Null:
		n, err := number(older, nil)
		return n + 2, err
	}
	n, err := number(newer, nil)
	if err != nil {
		return 0, err
	}
	before := int64(-2)
	if !older.Null {
		before, err = number(older, nil)
	}
	if err == nil && before != n-2 {
		err = broken(fmt.Sprintf("new is %d and old %d", n, before))
	}
	return n + 1, err
}
