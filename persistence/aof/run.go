package aof

import (
	"errors"
	"fmt"
	"time"
)

const (
	// tick is how often the log looks after itself: everysec, and what has failed.
	tick = 100 * time.Millisecond
	// syncPeriod is how long after an fsync of everysec the next one begins, to the next tick. Together with the tick and an fsync
	// that takes no longer it is a second: what is older than that no power cut takes away.
	syncPeriod = time.Second - 2*tick
)

// run syncs: with always whenever something was appended, otherwise once a second.
func (l *Log) run() {
	defer l.stopped.Done()
	timer := time.NewTicker(tick)
	defer timer.Stop()
	g := group{l: l, late: time.NewTimer(time.Hour)}
	defer g.late.Stop()
	told := l.synced.Load()
	for {
		if n := l.synced.Load(); n != told {
			if told = n; l.o.Durable != nil {
				l.o.Durable()
			}
		}
		select {
		case <-l.stop:
			return
		case <-l.wake:
			if Policy(l.policy.Load()) == Always {
				g.commit(false)
			}
		case <-g.late.C:
			if Policy(l.policy.Load()) == Always {
				g.commit(true)
			}
		case <-timer.C:
			l.everysec.Lock()
			l.lookAfter()
			l.everysec.Unlock()
		}
	}
}

// lookAfter is done at every tick, with everysec locked.
func (l *Log) lookAfter() {
	e := &l.everysec
	policy, now := Policy(l.policy.Load()), l.o.Clock.Mono()
	if policy == Always {
		l.commit() // what failed before, or was appended without a client
	}
	if now-e.last < syncPeriod {
		return
	}
	e.last = now
	if policy != Always {
		l.flushAnyway()
	}
	if policy == EverySecond && !l.calm.Load() {
		l.syncAside()
	}
	// After a second without anything new the file says itself that it is durable, so that damage to it is not taken
	// for a tail that a crash has torn.
	if appended := l.appended.Load(); appended != e.quiet {
		e.quiet = appended
	} else if policy != Never {
		l.sayDurable()
	}
}

// Commit writes and syncs what was appended before, unless another does so meanwhile, and calls Durable for those who
// wait. Whoever can wait himself saves the way to the goroutine of the log and back.
func (l *Log) Commit() { l.commit() }

// commit is Commit and returns how many answers were waiting.
func (l *Log) commit() (released int64) {
	need := l.appended.Load()
	l.io.Lock()
	before := l.synced.Load()
	if before < need {
		released = l.waiting.Swap(0)
		_ = l.write() && l.sync() // what failed is tried again by the next tick, and Err tells
	}
	l.io.Unlock()
	if l.synced.Load() != before && l.o.Durable != nil {
		l.o.Durable()
	}
	return released
}

// group decides when to sync, with always. Clients that were answered after one fsync tend to come back while the next one
// is under way, so that there would be two flocks of them, and each would wait for the fsync of the other. Therefore, after
// a commit, the next one waits until as many answers are held as were released and held at its end, nearly; for maxGather
// at most, and if that was in vain, not again for a while.
type group struct {
	l    *Log
	late *time.Timer // runs while the next commit is put off
	vain int         // how often in a row it was put off in vain
	skip int         // commits that are not put off
}

const (
	// maxGather is how long a commit is put off at most; the runtime makes it a millisecond on an idle machine.
	maxGather = 500 * time.Microsecond
	// maxVain bounds for how long nothing is put off: for 2^maxVain commits.
	maxVain = 8
)

// commit commits; late tells that it was put off for as long as it may.
func (g *group) commit(late bool) {
	l := g.l
	if l.gather.Load() > 1 {
		if late {
			g.vain = min(g.vain+1, maxVain)
			g.skip = 1 << g.vain
		} else {
			g.vain = 0
		}
	}
	for {
		l.gather.Store(1)
		released := l.commit()
		want := released + l.waiting.Load()
		if g.skip > 0 {
			g.skip--
		} else if want > 1 {
			l.gather.Store(want - want/8)
			g.late.Reset(maxGather)
		}
		// Those who have come meanwhile have not knocked if the number was higher then. Of those that are counted some may
		// have been served by a Commit that came between their look at the log and their being counted: if nothing is left to
		// sync they all were.
		n := l.waiting.Load()
		if n == 0 || n < l.gather.Load() || l.Err() != nil || l.synced.Load() >= l.appended.Load() {
			return
		}
	}
}

// flushAnyway writes what no client has written: deletions of keys whose time has come, and what failed before.
func (l *Log) flushAnyway() {
	if l.appended.Load() == l.written.Load() {
		return
	}
	l.io.Lock()
	before := l.written.Load()
	l.write()
	l.io.Unlock()
	if l.written.Load() != before && l.o.Durable != nil {
		l.o.Durable()
	}
}

// syncAside syncs without keeping others from appending, and if need be from writing.
func (l *Log) syncAside() {
	l.io.Lock()
	if l.io.lost || l.io.cur.durable == l.io.cur.size {
		l.io.Unlock()
		return
	}
	l.write()
	cur, position, size := l.io.cur, l.written.Load(), l.io.cur.size
	l.syncing.Store(true)
	l.io.Unlock()
	err := cur.f.SyncData()
	l.syncing.Store(false)
	l.io.Lock()
	defer l.io.Unlock()
	if cur != l.io.cur {
		return // it was synced before it was closed
	}
	l.wasSynced(cur, position, size, err)
}

// sayDurable ends the file with a frame that calls all before it durable.
func (l *Log) sayDurable() {
	l.io.Lock()
	defer l.io.Unlock()
	if l.io.lost || l.lastError.Load() != nil || l.appended.Load() != l.written.Load() || !l.sync() {
		return
	}
	cur := l.io.cur
	if cur.size == 0 || cur.said == cur.size {
		return
	}
	switch err := cur.say(); {
	case err == nil:
		l.size.Add(headerLen)
		l.sync()
	case errors.Is(err, errTail):
		l.io.lost = true
		l.fail(fmt.Errorf("writing to %s: %w", cur.name, err))
	}
	// Otherwise the file is as it was: nothing of anybody's is missing, and the next second brings another attempt.
}

// ErrUnwritten says that a log was closed though it could not be written to the end.
var ErrUnwritten = errors.New("the append-only file could not be written to the end")

// Close writes and syncs everything and closes the file. Nothing may be appended any more.
func (l *Log) Close() error {
	close(l.stop)
	l.stopped.Wait()
	l.io.Lock()
	ok := l.write() && l.sync()
	l.io.Unlock()
	if ok {
		l.sayDurable()
	}
	l.io.Lock()
	defer l.io.Unlock()
	err := l.io.cur.f.Close()
	switch {
	case l.Err() != nil:
		return l.Err()
	case !ok:
		return ErrUnwritten
	}
	return err
}
