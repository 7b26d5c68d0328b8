package store

import "time"

// What INFO tells of the store beside its keys. The methods of Tx need every shard locked.

// Watched is how many names of keys are watched by some client.
func (tx *Tx) Watched() (n int) {
	tx.eachClients(func(i *interests) { n += len(i.watched) })
	return n
}

// Awaited is how many names of keys some client waits for, and how many of them somebody waits for of whom picky says true.
func (tx *Tx) Awaited(picky func(w *Waiter) bool) (all, some int) {
	tx.eachClients(func(i *interests) {
		all += len(i.waiting)
		for _, q := range i.waiting {
			for e := q.Front(); e != nil; e = e.Next() {
				if picky(e.Value.(*Waiter)) {
					some++
					break
				}
			}
		}
	})
	return all, some
}

func (tx *Tx) eachClients(f func(*interests)) {
	for i := range tx.s.shards {
		dbs := tx.s.shards[i].dbs
		for n := range dbs {
			if dbs[n].clients != nil {
				f(dbs[n].clients)
			}
		}
	}
}

// ExpiryTime is how long the expirer has worked since the numbers were reset.
func (s *Store) ExpiryTime() time.Duration { return time.Duration(s.expirer.spent.Load()) }

// CountPayload counts a payload of RESTORE that has been looked into.
func (tx *Tx) CountPayload() { tx.s.payloads.Add(1) }

// Payloads is how many there have been since the numbers were reset.
func (s *Store) Payloads() int64 { return s.payloads.Load() }
