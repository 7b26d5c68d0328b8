package acl

import (
	"sync"

	"github.com/streampulse/pulse/commands"
)

// denials is what was refused lately, for ACL LOG.
type denials struct {
	mu      sync.Mutex
	next    int64              // number of the next line
	entries []*commands.Denied // the latest first
}

const (
	// joinWithin is how far apart in milliseconds refusals may be that share a line.
	joinWithin = 60_000
	// joinAmong is how many lines are looked at for one to join.
	joinAmong = 10
	// maxObject and maxClient bound what a line holds of a name that a client has sent, in bytes.
	maxObject = 1024
	maxClient = 4096
)

// add notes a refusal at a time in Unix milliseconds, and keeps at most limit lines.
func (l *denials) add(d *commands.Denied, now int64, limit int) {
	e := *d
	e.Object, e.User, e.Client = cut(e.Object, maxObject), cut(e.User, maxObject), cut(e.Client, maxClient)
	l.mu.Lock()
	defer l.mu.Unlock()
	at := -1
	for i, o := range l.entries[:min(joinAmong, len(l.entries))] {
		if o.Why == e.Why && o.Context == e.Context && o.Object == e.Object && o.User == e.User && now-o.Again <= joinWithin {
			at = i
			break
		}
	}
	if at >= 0 {
		o := l.entries[at]
		joined := *o // readers may hold the old one
		joined.Client, joined.Again, joined.Count = e.Client, now, o.Count+1
		copy(l.entries[1:at+1], l.entries[:at])
		l.entries[0] = &joined
	} else {
		e.ID, e.Count, e.Created, e.Again = l.next, 1, now, now
		l.next++
		l.entries = append(l.entries, nil)
		copy(l.entries[1:], l.entries)
		l.entries[0] = &e
	}
	l.trim(limit)
}

func cut(s string, n int) string { return s[:min(n, len(s))] }

func (l *denials) trim(limit int) {
	if limit = max(limit, 0); len(l.entries) > limit {
		clear(l.entries[limit:])
		l.entries = l.entries[:limit]
	}
}

func (l *denials) list() []commands.Denied {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]commands.Denied, len(l.entries))
	for i, e := range l.entries {
		out[i] = *e
	}
	return out
}

func (l *denials) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = nil
}
