package profile

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// Memory is a Source in a map, for tests and load generators. It may be used concurrently.
type Memory struct {
	Delay time.Duration // how long each Load and Save takes; set before use

	loads atomic.Int64
	mu    struct {
		sync.RWMutex
		rows map[string]Profile
	}
}

// NewMemory returns an empty database.
func NewMemory() *Memory {
	m := &Memory{}
	m.mu.rows = make(map[string]Profile)
	return m
}

// Loads returns how many times Load has been called.
func (m *Memory) Loads() int64 { return m.loads.Load() }

// Load returns a copy of the profile of id or ErrNotFound.
func (m *Memory) Load(ctx context.Context, id string) (Profile, error) {
	m.loads.Add(1)
	if err := m.wait(ctx); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	p, ok := m.mu.rows[id]
	if !ok {
		return nil, ErrNotFound
	}
	return maps.Clone(p), nil
}

// Save stores a copy of p.
func (m *Memory) Save(ctx context.Context, id string, p Profile) error {
	if err := m.wait(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.rows[id] = maps.Clone(p)
	return nil
}

func (m *Memory) wait(ctx context.Context) error {
	if m.Delay == 0 {
		return ctx.Err()
	}
	t := time.NewTimer(m.Delay)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
