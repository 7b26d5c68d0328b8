package crash

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"

	"github.com/streampulse/pulse/internal/resp"
	"github.com/streampulse/pulse/server/internal/image"
)

// popper adds numbers to a set and pops them, at random. What was popped never comes back, and what was added is there
// until it is popped.
type popper struct {
	added, addedSent int64          // numbers, from 0 on
	popped           map[int64]bool // acknowledged
	unknown          int64          // pops without an answer
	total            int64
}

func (*popper) name() string          { return "spop" }
func (p *popper) acknowledged() int64 { return p.total }

func (p *popper) run(c *client, _ *rand.Rand) {
	conn, err := c.open()
	if err != nil {
		return
	}
	defer conn.Close()
	for {
		args := []string{"SADD", "spop"}
		from := p.added
		for n := range int64(5) {
			args = append(args, text(from+n))
		}
		p.addedSent = from + 5
		v, err := conn.Do(args...)
		if err != nil {
			c.told(v)
			return
		}
		p.added = p.addedSent
		p.total++
		for range 5 {
			p.unknown++
			v, err := conn.Do("SPOP", "spop")
			if err != nil {
				c.told(v)
				return
			}
			p.unknown--
			p.total++
			if n, err := strconv.ParseInt(string(v.Str), 10, 64); err == nil {
				p.popped[n] = true
			}
		}
	}
}

// told notes an error reply, if the value is one.
func (c *client) told(v resp.Value) {
	if v.Type == '-' {
		c.fail(v.Str)
	}
}

func (p *popper) check(c *image.Conn) (v verdict, err error) {
	list, err := c.Do("SMEMBERS", "spop")
	if err != nil {
		return v, err
	}
	there := map[int64]bool{}
	for _, e := range list.Elems {
		n, err := strconv.ParseInt(string(e.Str), 10, 64)
		if err != nil || n >= p.addedSent {
			v.half, v.text = true, fmt.Sprintf("there is a member %q, which nobody added", e.Str)
			continue
		}
		there[n] = true
		if p.popped[n] {
			v.doubled, v.text = true, fmt.Sprintf("%d was popped, and is back", n)
		}
	}
	missing, late := int64(0), int64(0)
	for n := range p.added {
		if !there[n] && !p.popped[n] {
			missing++
		}
	}
	for n := p.added; n < p.addedSent; n++ {
		if there[n] {
			late++
		}
	}
	if late != 0 && late != p.addedSent-p.added {
		v.half, v.text = true, fmt.Sprintf("%d members of one SADD are there", late)
	}
	if missing > p.unknown {
		v.lost, v.text = missing-p.unknown, fmt.Sprintf("%d members are gone, %d pops were not answered", missing, p.unknown)
	}
	if late > 0 {
		p.added = p.addedSent
	}
	for n := range p.added {
		p.popped[n] = !there[n]
	}
	p.addedSent, p.unknown = p.added, 0
	return v, nil
}

func (p *popper) reset(c *image.Conn) error {
	p.added, p.addedSent, p.unknown, p.popped = 0, 0, 0, map[int64]bool{}
	return deleteAll(c, "spop")
}

// queue hands numbers from one client to another, which waits for them.
type queue struct {
	moves              bool // BLMOVE to another list, not BLPOP
	pushed, pushedSent int64
	received           int64 // from the first on
	waiting            bool  // for an answer
	total              int64
	mu                 sync.Mutex
	disordered         string
}

func (q *queue) name() string {
	if q.moves {
		return "blmove"
	}
	return "blpop"
}

func (q *queue) acknowledged() int64 { return q.total }

func (q *queue) keys() (from, to string) { return q.name() + ":from", q.name() + ":to" }

func (q *queue) run(c *client, rng *rand.Rand) {
	var wg sync.WaitGroup
	wg.Go(func() { q.receive(c) })
	defer wg.Wait()
	conn, err := c.open()
	if err != nil {
		return
	}
	defer conn.Close()
	from, _ := q.keys()
	burst := 1 + rng.IntN(3)
	for {
		args := []string{"RPUSH", from}
		for range burst {
			args = append(args, text(q.pushedSent))
			q.pushedSent++
		}
		v, err := conn.Do(args...)
		if err != nil {
			c.told(v)
			return
		}
		q.pushed = q.pushedSent
		q.mu.Lock()
		q.total++
		q.mu.Unlock()
	}
}

func (q *queue) receive(c *client) {
	conn, err := c.open()
	if err != nil {
		return
	}
	defer conn.Close()
	from, to := q.keys()
	args := []string{"BLPOP", from, "0"}
	if q.moves {
		args = []string{"BLMOVE", from, to, "LEFT", "RIGHT", "0"}
	}
	for {
		q.waiting = true
		v, err := conn.Do(args...)
		if err != nil {
			c.told(v)
			return
		}
		q.waiting = false
		got := string(v.Str)
		if !q.moves {
			got = string(v.Elems[1].Str)
		}
		if got != text(q.received) && q.disordered == "" {
			q.disordered = fmt.Sprintf("%s was received when %d was due", got, q.received)
		}
		q.received++
		q.mu.Lock()
		q.total++
		q.mu.Unlock()
	}
}

func (q *queue) check(c *image.Conn) (v verdict, err error) {
	from, to := q.keys()
	left, err := numbers(c, from)
	if err != nil {
		return v, err
	}
	gone := q.received // those before are not in the queue
	if q.moves {
		moved, err := numbers(c, to)
		if err != nil {
			return v, err
		}
		for i, n := range moved {
			if n != int64(i) {
				v.half, v.text = true, fmt.Sprintf("number %d of the second list is %d", i, n)
			}
		}
		gone = int64(len(moved))
		if gone < q.received {
			v.lost, v.text = q.received-gone, fmt.Sprintf("%d were moved, %d are there", q.received, gone)
		}
		if gone > q.received && !q.waiting || gone > q.received+1 {
			v.doubled, v.text = true, fmt.Sprintf("%d were moved, %d are there", q.received, gone)
		}
	} else if q.waiting && (len(left) > 0 && left[0] == gone+1 || len(left) == 0 && gone < q.pushedSent) {
		gone++ // popped, and the answer did not arrive
	}
	end := gone
	for i, n := range left {
		switch want := gone + int64(i); {
		case n < want:
			v.doubled, v.text = true, fmt.Sprintf("%d is in the queue where %d is due", n, want)
		case n > want:
			v.lost, v.text = v.lost+n-want, fmt.Sprintf("%d is in the queue where %d is due", n, want)
		}
		end = n + 1
	}
	if end < q.pushed {
		v.lost, v.text = v.lost+q.pushed-end, fmt.Sprintf("the queue ends with %d, %d was acknowledged", end-1, q.pushed-1)
	}
	if end > q.pushedSent {
		v.doubled, v.text = true, fmt.Sprintf("the queue ends with %d, the last that was sent is %d", end-1, q.pushedSent-1)
	}
	if q.disordered != "" {
		v.doubled, v.text, q.disordered = true, q.disordered, ""
	}
	q.pushed, q.pushedSent, q.received, q.waiting = end, end, gone, false
	return v, nil
}

func (q *queue) reset(c *image.Conn) error {
	q.pushed, q.pushedSent, q.received, q.waiting = 0, 0, 0, false
	return deleteAll(c, q.name()+":*")
}

func numbers(c *image.Conn, key string) (out []int64, err error) {
	v, err := c.Do("LRANGE", key, "0", "-1")
	for _, e := range v.Elems {
		n, err := strconv.ParseInt(string(e.Str), 10, 64)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, err
}
