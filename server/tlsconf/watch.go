package tlsconf

import (
	"crypto/tls"
	"errors"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// stamp is what tells a file from its successor.
type stamp struct {
	path  string
	there bool
	size  int64
	at    time.Time
}

// stampsOf looks at all files that src names, and at its directory.
func stampsOf(src Source) []stamp {
	paths := []string{src.CertFile, src.KeyFile, src.ClientCertFile, src.ClientKeyFile, src.CAFile, src.CADir}
	if src.CADir != "" {
		files, _ := filesOf(src.CADir)
		paths = append(paths, files...)
	}
	var all []stamp
	for _, p := range paths {
		if p == "" {
			continue
		}
		st := stamp{path: p}
		if fi, err := os.Stat(p); err == nil {
			st = stamp{p, true, fi.Size(), fi.ModTime()}
		}
		all = append(all, st)
	}
	return all
}

// lookEvery is how long files are believed to be what they were.
const lookEvery = time.Second

// Watched is a configuration that follows its files.
type Watched struct {
	// Reloaded is called when newer files were read, with the error if they are of no use. It is called by one goroutine
	// at a time, and may be nil.
	Reloaded func(l *Loaded, err error)

	now     func() time.Duration
	current atomic.Pointer[Loaded]
	looked  atomic.Int64
	mu      struct {
		sync.Mutex
		src    Source
		failed []stamp // files that were of no use
	}
}

// NewWatched makes one without a configuration. now is a monotonic clock.
func NewWatched(now func() time.Duration) *Watched { return &Watched{now: now} }

// Set reads what src names and puts it in force; on an error the former stays.
func (w *Watched) Set(src Source) (*Loaded, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	l, err := Load(src)
	if err != nil {
		return nil, err
	}
	w.mu.src, w.mu.failed = src, nil
	w.looked.Store(int64(w.now()))
	w.current.Store(l)
	return l, nil
}

var errNone = errors.New("there is no TLS configuration")

// Server returns the configuration for a connection that has come in. At most once in lookEvery it looks whether files have
// changed; whoever comes meanwhile gets the one in force.
func (w *Watched) Server() (*tls.Config, error) {
	w.look()
	l := w.current.Load()
	if l == nil {
		return nil, errNone
	}
	return l.Server, nil
}

func (w *Watched) look() {
	now, last := int64(w.now()), w.looked.Load()
	if now-last < int64(lookEvery) || !w.looked.CompareAndSwap(last, now) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	old := w.current.Load()
	if old == nil {
		return
	}
	stamps := stampsOf(w.mu.src)
	if slices.Equal(stamps, old.stamps) || slices.Equal(stamps, w.mu.failed) {
		return
	}
	l, err := Load(w.mu.src)
	if err != nil {
		w.mu.failed = stamps
	} else {
		w.mu.failed = nil
		w.current.Store(l)
	}
	if w.Reloaded != nil {
		w.Reloaded(l, err)
	}
}
