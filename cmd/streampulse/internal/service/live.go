package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/bench/broadcast"
)

const (
	streamBeat  = 15 * time.Second // between two signs of life on a stream
	streamWrite = 10 * time.Second // that a client may take for what it is sent
	maxStreams  = 1000
	maxOfOne    = 10 // streams of one address

	minListenPause = 50 * time.Millisecond
	maxListenPause = time.Second
)

// hub wakes those who wait for a topic. It carries no messages: who is woken looks at what there is now, so nobody can fall behind, and many
// changes at once wake somebody who is slow but once.
type hub struct {
	mu   sync.Mutex
	subs map[string]map[chan struct{}]struct{} // by topic
}

func newHub() *hub { return &hub{subs: map[string]map[chan struct{}]struct{}{}} }

// subscribe returns a channel that has a value after each wake of the topic, and what ends that.
func (h *hub) subscribe(topic string) (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.subs[topic] == nil {
		h.subs[topic] = map[chan struct{}]struct{}{}
	}
	h.subs[topic][c] = struct{}{}
	return c, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.subs[topic], c)
		if len(h.subs[topic]) == 0 {
			delete(h.subs, topic)
		}
	}
}

func wake(subs map[chan struct{}]struct{}) {
	for c := range subs {
		select {
		case c <- struct{}{}:
		default: // it has yet to look
		}
	}
}

func (h *hub) wake(topic string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	wake(h.subs[topic])
}

func (h *hub) wakeAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, subs := range h.subs {
		wake(subs)
	}
}

// run wakes whom a message of the channel is for until ctx ends. When the connection breaks messages are missed: then everybody looks, once there
// is a new one.
func (h *hub) run(ctx context.Context, rdb redis.UniversalClient, channel string, log *slog.Logger) {
	pause := minListenPause
	for ctx.Err() == nil {
		err := h.listen(ctx, rdb, channel, func() { pause = minListenPause })
		if ctx.Err() != nil {
			return
		}
		log.Warn("live: connection lost", "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, maxListenPause)
	}
}

func (h *hub) listen(ctx context.Context, rdb redis.UniversalClient, channel string, connected func()) error {
	l, err := broadcast.Listen(ctx, rdb, channel)
	if err != nil {
		return err
	}
	defer l.Close()
	connected()
	h.wakeAll()
	for {
		topic, err := l.Next()
		if err != nil {
			return err
		}
		h.wake(topic)
	}
}

// streams counts what is open, by the address of the limit.
type streams struct {
	mu  sync.Mutex
	all int
	of  map[string]int
}

func (s *streams) enter(from netip.Addr) (leave func(), fail *failure) {
	key := limited(from)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		s.of = map[string]int{}
	}
	switch {
	case s.of[key] >= maxOfOne:
		f := refuse(http.StatusTooManyRequests, "streams", "%d live streams are allowed at once", maxOfOne)
		f.retryAfter = 10
		return nil, f
	case s.all >= maxStreams:
		f := refuse(http.StatusServiceUnavailable, "streams", "there are too many live streams just now")
		f.retryAfter = 10
		return nil, f
	}
	s.all++
	s.of[key]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all--
		if s.of[key]--; s.of[key] == 0 {
			delete(s.of, key)
		}
	}, nil
}

// events is the reply that a stream is.
type events struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

// send sends an event of one line.
func (e *events) send(name, data string) error {
	return e.write(fmt.Sprintf("event: %s\ndata: %s\n\n", name, data))
}

func (e *events) write(text string) error {
	if err := e.rc.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
		return err
	}
	if _, err := e.w.Write([]byte(text)); err != nil {
		return err
	}
	return e.rc.Flush()
}

// stream replies with server-sent events: look is called at first, after each wake of the topic, and now and then, and sends what is new.
// It ends when look returns an error, when the client is gone or takes too long, or with the service.
func (s *Service) stream(w http.ResponseWriter, r *http.Request, topic string, look func(ctx context.Context, e *events) error) error {
	leave, fail := s.streams.enter(s.client(r))
	if fail != nil {
		return fail
	}
	defer leave()
	e := &events{w, http.NewResponseController(w)}
	if err := e.rc.SetReadDeadline(time.Time{}); err != nil { // that of requests would end the stream
		return err
	}
	woken, unsubscribe := s.hub.subscribe(topic)
	defer unsubscribe()
	h := w.Header()
	h.Set("Content-Type", asEvents)
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	if err := e.write("retry: 1000\n\n"); err != nil {
		return nil
	}
	beat := time.NewTicker(streamBeat)
	defer beat.Stop()
	for {
		ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
		err := look(ctx, e)
		cancel()
		if err != nil {
			if !errors.Is(err, errStreamOver) && r.Context().Err() == nil {
				s.o.Log.Debug("stream ends", "path", r.URL.Path, "err", err)
			}
			return nil // the reply has begun; the client comes again
		}
		select {
		case <-r.Context().Done():
			return nil
		case <-s.ending:
			return nil
		case <-woken:
		case <-beat.C:
			if e.write(": still here\n\n") != nil {
				return nil
			}
		}
	}
}
