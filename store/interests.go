package store

import "slices"

// interests are the clients of one numbered database in a shard: who waits for names of keys, and who watches them. Empty maps keep
// their memory, because the next client is likely to come soon; those that were large do not.
type interests struct {
	waiting map[string]*waitQueue
	watched map[string]watchers
	large   bool // a map has had more than fewNames
}

// fewNames is how many names a map of Go has room for before it grows beyond its first group.
const fewNames = 8

// watchers watch one name; there are seldom two.
type watchers struct {
	first *Watch
	more  []*Watch
}

func (l *watchers) has(w *Watch) bool { return l.first == w || slices.Contains(l.more, w) }

func (l *watchers) add(w *Watch) {
	if l.first == nil {
		l.first = w
		return
	}
	l.more = append(l.more, w)
}

// remove reports whether somebody is left.
func (l *watchers) remove(w *Watch) bool {
	if i := slices.Index(l.more, w); i >= 0 {
		l.more = slices.Delete(l.more, i, i+1)
	} else if l.first == w {
		l.first = nil
		if n := len(l.more); n > 0 {
			l.first = l.more[n-1]
			l.more = slices.Delete(l.more, n-1, n)
		}
	}
	return l.first != nil
}

// some reports whether anybody waits for or watches a key of the database.
func (db *database) some() bool {
	return db.clients != nil && len(db.clients.waiting)+len(db.clients.watched) > 0
}

// interested is db.clients for whoever adds to it.
func (db *database) interested() *interests {
	if db.clients == nil {
		db.clients = &interests{waiting: make(map[string]*waitQueue), watched: make(map[string]watchers)}
	}
	return db.clients
}

// came follows the addition of a name.
func (i *interests) came() {
	i.large = i.large || len(i.waiting) > fewNames || len(i.watched) > fewNames
}

// left follows the removal of a name.
func (db *database) left() {
	if db.clients.large && !db.some() {
		db.clients = nil
	}
}

// watchedNames is for ranging over its keys.
func (db *database) watchedNames() map[string]watchers {
	if db.clients == nil {
		return nil
	}
	return db.clients.watched
}

// queue returns who waits for a name, nil if nobody does.
func (db *database) queue(name []byte) *waitQueue {
	if db.clients == nil {
		return nil
	}
	return db.clients.waiting[string(name)]
}
