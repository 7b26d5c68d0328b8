package aof

import (
	"errors"
	"fmt"
	"time"
)

// tick is how often the log looks after itself: everysec, and what has failed.
const tick = 100 * time.Millisecond

// run syncs: with always whenever something was appended, otherwise once a second.
func (l *Log) run() {
	defer l.stopped.Done()
	timer := time.NewTicker(tick)
	defer timer.Stop()
	lastSync, quiet := l.o.Clock.Mono(), l.appended.Load()
	for {
		select {
		case <-l.stop:
			return
		case <-l.wake:
			if Policy(l.policy.Load()) == Always {
				l.commit()
			}
			continue
		case <-timer.C:
		}
		now := l.o.Clock.Mono()
		switch policy := Policy(l.policy.Load()); {
		case policy == Always:
			l.commit() // what failed before, or was appended without a client
		case now-lastSync >= time.Second:
			l.flushAnyway()
			if policy == EverySecond && !l.calm.Load() {
				l.syncAside()
			}
		default:
			continue
		}
		if now-lastSync < time.Second {
			continue
		}
		lastSync = now
		// After a second without anything new the file says itself that it is durable, so that damage to it is not taken
		// for a tail that a crash has torn.
		if appended := l.appended.Load(); appended != quiet {
			quiet = appended
		} else if Policy(l.policy.Load()) != Never {
			l.sayDurable()
		}
	}
}

// commit writes and syncs all that was appended, and tells those who wait for that.
func (l *Log) commit() {
	l.io.Lock()
	before := l.synced.Load()
	for l.synced.Load() < l.appended.Load() {
		if !l.write() || !l.sync() {
			break
		}
	}
	l.io.Unlock()
	if l.synced.Load() != before && l.o.Durable != nil {
		l.o.Durable()
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
	l.io.Lock()
	defer l.io.Unlock()
	l.syncing.Store(false)
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
