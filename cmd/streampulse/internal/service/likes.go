package service

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/streampulse/pulse/bench/broadcast"
	"github.com/streampulse/pulse/bench/leaderboard"
)

const (
	boardTopic = "board" // published when the ranking has changed
	viewTopic  = "view"  // of this process alone: the live ranking has changed

	boardSize   = 10
	maxBoard    = 100
	boardPause  = 50 * time.Millisecond // between two looks at a ranking that changes all the time
	boardPatrol = 15 * time.Second      // between two looks at one that does not
)

// place is a line of the ranking.
type place struct {
	Rank  int64  `json:"rank"`
	Post  string `json:"post"`
	Likes int64  `json:"likes"`
}

func (s *Service) postLike(w http.ResponseWriter, r *http.Request) error {
	post, err := readID("post", r.PathValue("id"))
	if err != nil {
		return err
	}
	var in struct {
		User string `json:"user"`
	}
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	user, err := readID("user", in.User)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
	defer cancel()
	likes, counted, err := s.likes.Like(ctx, post, user)
	if err != nil {
		return err
	}
	if counted {
		// The like is counted whatever becomes of the news, and who watches looks again now and then.
		if _, err := broadcast.Publish(ctx, s.o.Redis, s.channel, boardTopic); err != nil {
			s.o.Log.Warn("like not told", "post", post, "err", err)
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"post": post, "likes": likes, "counted": counted})
	return nil
}

// top returns the best n posts.
func (s *Service) top(ctx context.Context, n int) ([]place, error) {
	entries, err := s.likes.Top(ctx, n)
	if err != nil {
		return nil, err
	}
	return places(entries), nil
}

func places(entries []leaderboard.Entry) []place {
	ps := make([]place, len(entries))
	for i, e := range entries {
		ps[i] = place{e.Rank, e.Member, int64(e.Points)}
	}
	return ps
}

// getLeaderboard replies with the ranking as JSON, as a page, or as it changes.
func (s *Service) getLeaderboard(w http.ResponseWriter, r *http.Request) error {
	n := boardSize
	if text := r.URL.Query().Get("n"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 1 || n > maxBoard {
			return refuse(http.StatusBadRequest, "n", "n is a number from 1 to %d", maxBoard)
		}
	}
	kind := form(w, r, asJSON, asHTML, asEvents)
	if kind == asEvents {
		return s.streamBoard(w, r)
	}
	ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
	defer cancel()
	ps, err := s.top(ctx, n)
	if err != nil {
		return err
	}
	if kind == asHTML {
		return writePage(w, boardPage, ps)
	}
	writeJSON(w, http.StatusOK, map[string]any{"posts": ps})
	return nil
}

// board is the ranking as those who watch have it. However many they are, one goroutine asks the server.
type board struct {
	mu     sync.Mutex
	latest string // the data of an event; "" at first
}

func (b *board) get() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.latest
}

func (b *board) set(latest string) (changed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	changed = b.latest != latest
	b.latest = latest
	return changed
}

// keepBoard looks at the ranking whenever it has changed, and tells those who watch, until ctx ends.
func (s *Service) keepBoard(ctx context.Context) {
	changed, unsubscribe := s.hub.subscribe(boardTopic)
	defer unsubscribe()
	for {
		pause := boardPause
		if err := s.lookAtBoard(ctx); err != nil {
			if ctx.Err() != nil {
				return
			}
			s.o.Log.Warn("leaderboard", "err", err)
			pause = time.Second
			s.hub.wake(boardTopic) // so that it is tried again
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-time.After(boardPatrol):
		}
	}
}

func (s *Service) lookAtBoard(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	ps, err := s.top(ctx, boardSize)
	if err != nil {
		return err
	}
	b, err := json.Marshal(map[string]any{"posts": ps})
	if err != nil {
		return err
	}
	if s.board.set(string(b)) {
		s.hub.wake(viewTopic)
	}
	return nil
}

func (s *Service) streamBoard(w http.ResponseWriter, r *http.Request) error {
	last := ""
	return s.stream(w, r, viewTopic, func(_ context.Context, e *events) error {
		latest := s.board.get()
		if latest == "" || latest == last {
			return nil
		}
		last = latest
		return e.send("board", latest)
	})
}

var errStreamOver = errors.New("service: nothing more will come")
