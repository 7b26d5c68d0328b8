package flags

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Options are the rules of a Cache.
type Options struct {
	// MaxStale is how old a copy can get without the server's word that it is the last; 100 ms to an hour, 0 stands for 10 s.
	MaxStale time.Duration
	Now      func() time.Time // the clock of this process, for tests; nil: time.Now
	// ChannelOnly does without CLIENT TRACKING even where the server has it.
	ChannelOnly bool
}

// Cache keeps copies of flags. It serves from memory while Listen runs, and asks the server otherwise.
type Cache struct {
	store *Store
	o     Options

	mu struct {
		sync.RWMutex
		flags   map[string]*Flag // nil for a name that has none
		loading map[string]*load // reads that callers of the same name may join
		drops   uint64           // how often something was dropped: what was read across a drop is not kept
		proven  time.Time        // what was reported before has arrived; zero: nothing is known
		status  Status
	}
}

// Status says how a Cache is doing.
type Status struct {
	Fresh    bool // it may serve from memory
	Tracking bool // the server reports changes of keys, too
	Copies   int
	Dropped  uint64 // how often it was told to drop a copy, or dropped all
}

// load is a read under way; f and err are set before done is closed.
type load struct {
	done chan struct{}
	f    *Flag
	err  error
}

// maxCopies bounds what callers with ever new names can make a Cache hold.
const maxCopies = 10_000

// NewCache returns an empty Cache.
func NewCache(store *Store, o Options) (*Cache, error) {
	if o.MaxStale == 0 {
		o.MaxStale = 10 * time.Second
	}
	if o.MaxStale < 100*time.Millisecond || o.MaxStale > time.Hour {
		return nil, errors.New("flags: MaxStale must be 100 ms to an hour")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	c := &Cache{store: store, o: o}
	c.mu.flags = map[string]*Flag{}
	c.mu.loading = map[string]*load{}
	return c, nil
}

// On says whether the flag is on for user, who has 1 to 512 bytes of UTF-8. A flag that does not exist is off. When there is an
// error nothing is known, and on is false.
func (c *Cache) On(ctx context.Context, name, user string) (on bool, err error) {
	if err := checkUser(user); err != nil {
		return false, err
	}
	f, err := c.Get(ctx, name)
	switch {
	case errors.Is(err, ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	}
	return f.On(user), nil
}

// Get returns the flag from memory, or from the server.
func (c *Cache) Get(ctx context.Context, name string) (*Flag, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	now := c.o.Now()
	c.mu.RLock()
	f, ok := c.mu.flags[name]
	fresh := c.fresh(now)
	c.mu.RUnlock()
	switch {
	case !fresh:
		return c.store.Get(ctx, name)
	case ok:
		return found(f)
	}
	return c.load(ctx, name)
}

func found(f *Flag) (*Flag, error) {
	if f == nil {
		return nil, ErrNotFound
	}
	return f, nil
}

// fresh says whether copies may be served. The caller holds mu.
func (c *Cache) fresh(now time.Time) bool {
	return !c.mu.proven.IsZero() && now.Sub(c.mu.proven) < c.o.MaxStale
}

// load reads the flag, once for all who ask at the same time, and keeps it unless something was dropped meanwhile.
func (c *Cache) load(ctx context.Context, name string) (*Flag, error) {
	c.mu.Lock()
	if l, ok := c.mu.loading[name]; ok {
		c.mu.Unlock()
		select {
		case <-l.done:
		case <-ctx.Done():
			return nil, fmt.Errorf("flags: %w", ctx.Err())
		}
		if errors.Is(l.err, context.Canceled) || errors.Is(l.err, context.DeadlineExceeded) {
			return c.store.Get(ctx, name) // who was waited for gave up, this caller did not
		}
		return l.f, l.err
	}
	l := &load{done: make(chan struct{})}
	c.mu.loading[name] = l
	drops := c.mu.drops
	c.mu.Unlock()

	l.f, l.err = c.store.Get(ctx, name)
	c.mu.Lock()
	if c.mu.loading[name] == l {
		delete(c.mu.loading, name)
	}
	if c.mu.drops == drops && (l.err == nil || errors.Is(l.err, ErrNotFound)) {
		if len(c.mu.flags) >= maxCopies {
			clear(c.mu.flags)
		}
		c.mu.flags[name] = l.f
	}
	c.mu.Unlock()
	close(l.done)
	return l.f, l.err
}

// drop forgets the copy of one flag, and keeps callers from joining a read that may be older.
func (c *Cache) drop(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.drops++
	delete(c.mu.flags, name)
	delete(c.mu.loading, name)
}

// dropAll forgets everything, and that anything was proven.
func (c *Cache) dropAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.drops++
	c.mu.proven = time.Time{}
	clear(c.mu.flags)
	clear(c.mu.loading)
}

// prove notes that what was reported before t has arrived.
func (c *Cache) prove(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.proven = t
}

// Status returns how the Cache is doing.
func (c *Cache) Status() Status {
	now := c.o.Now()
	c.mu.RLock()
	defer c.mu.RUnlock()
	st := c.mu.status
	st.Fresh, st.Copies, st.Dropped = c.fresh(now), len(c.mu.flags), c.mu.drops
	return st
}
