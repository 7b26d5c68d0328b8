package load

import (
	"strconv"
	"strings"
)

// Sizes say how much data a pattern works on. A dimension that is zero is the pattern's usual one.
type Sizes struct {
	Users   int `json:"users,omitempty"`   // who acts: addresses, members, owners of profiles and sessions
	Items   int `json:"items,omitempty"`   // what is acted on: posts, links, flags, locks, accounts
	Payload int `json:"payload,omitempty"` // bytes of a task, an event, a message, a text of a profile or session
}

// MaxUsers and MaxPayload bound what Sized takes.
const (
	MaxUsers   = 1 << 31
	MaxPayload = 1 << 20
)

// Sized returns p on data of the sizes given. A dimension that p does not have is passed over, and a payload that p's
// package would refuse is cut to what it takes; p.Sizes tells what came out.
func (p Pattern) Sized(s Sizes) Pattern {
	most := p.most
	if most == 0 {
		most = MaxPayload
	}
	p.set = Sizes{
		Users:   chosen(s.Users, p.Usual.Users, MaxUsers),
		Items:   chosen(s.Items, p.Usual.Items, MaxUsers),
		Payload: chosen(s.Payload, p.Usual.Payload, most),
	}
	return p
}

func chosen(asked, usual, most int) int {
	if usual == 0 || asked <= 0 {
		return usual
	}
	return min(asked, most)
}

// Sizes tells how much data p works on.
func (p Pattern) Sizes() Sizes {
	if p.set == (Sizes{}) {
		return p.Usual
	}
	return p.set
}

// String names the dimensions that there are.
func (s Sizes) String() string {
	var parts []string
	for _, d := range []struct {
		n    int
		unit string
	}{{s.Users, "users"}, {s.Items, "items"}, {s.Payload, "B of payload"}} {
		if d.n > 0 {
			parts = append(parts, strconv.Itoa(d.n)+" "+d.unit)
		}
	}
	return strings.Join(parts, ", ")
}

// sized is what a starter gets to know.
type sized struct {
	Sizes
	clients int
}

// filler is a text as long as the payload.
func (s sized) filler() string { return strings.Repeat("payload.", s.Payload/8+1)[:s.Payload] }

// tag is a payload that names client c: longer than asked for only if the number would not fit.
func (s sized) tag(c int) string {
	n := strconv.Itoa(c) + "."
	return n + strings.Repeat("x", max(0, s.Payload-len(n)))
}

// client reads what tag wrote.
func (s sized) client(tag string) (int, bool) {
	n, _, ok := strings.Cut(tag, ".")
	c, err := strconv.Atoi(n)
	return c, ok && err == nil && c >= 0 && c < s.clients
}
