package service

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"slices"

	"github.com/streampulse/pulse/bench/profile"
	"github.com/streampulse/pulse/cmd/streampulse/internal/avatar"
	"github.com/streampulse/pulse/cmd/streampulse/internal/blobs"
	"github.com/streampulse/pulse/cmd/streampulse/internal/jobs"
)

const (
	maxName    = 64 // characters
	maxBio     = 500
	maxPicture = 4 << 20 // bytes of a picture that the workers have made
)

var noUser = refuse(http.StatusNotFound, "not_found", "there is no such user")

// user is what clients see of one.
type user struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Bio    string `json:"bio"`
	Avatar string `json:"avatar,omitempty"` // path of the picture, without the size
}

// loadUser returns a user as the cache or the database knows it.
func (s *Service) loadUser(ctx context.Context, id string) (*user, error) {
	p, err := s.profiles.Get(ctx, id)
	if errors.Is(err, profile.ErrNotFound) {
		return nil, noUser
	}
	if err != nil {
		return nil, err
	}
	u := &user{ID: id, Name: p["name"], Bio: p["bio"]}
	picture, err := jobs.CurrentPicture(ctx, id, s.profiles.Get)
	if err != nil {
		return nil, err
	}
	if picture != nil {
		u.Avatar = "/users/" + id + "/avatar"
	}
	return u, nil
}

func (s *Service) getUser(w http.ResponseWriter, r *http.Request) error {
	id, err := readID("user", r.PathValue("id"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
	defer cancel()
	u, err := s.loadUser(ctx, id)
	if err != nil {
		return err
	}
	if form(w, r, asJSON, asHTML) == asHTML {
		return writePage(w, userPage, u)
	}
	writeJSON(w, http.StatusOK, u)
	return nil
}

func (s *Service) putUser(w http.ResponseWriter, r *http.Request) error {
	id, err := readID("user", r.PathValue("id"))
	if err != nil {
		return err
	}
	var in struct {
		Name string `json:"name"`
		Bio  string `json:"bio"`
	}
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	if err := checkText("name", in.Name, 1, maxName); err != nil {
		return err
	}
	if err := checkText("bio", in.Bio, 0, maxBio); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
	defer cancel()
	if err := s.profiles.Update(ctx, id, profile.Profile{"name": in.Name, "bio": in.Bio}); err != nil {
		return err
	}
	u, err := s.loadUser(ctx, id)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, u)
	return nil
}

func (s *Service) getAvatar(w http.ResponseWriter, r *http.Request) error {
	id, err := readID("user", r.PathValue("id"))
	if err != nil {
		return err
	}
	side, err := strconv.Atoi(r.PathValue("side"))
	if err != nil || !slices.Contains(avatar.Sizes, side) {
		return refuse(http.StatusNotFound, "not_found", "pictures have %v pixels on a side", avatar.Sizes)
	}
	ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
	defer cancel()
	// A new picture can take the place of one between looking it up and reading it; then the second look finds the new one.
	for range 2 {
		p, err := jobs.CurrentPicture(ctx, id, s.profiles.Get)
		if err != nil {
			return err
		}
		if p == nil {
			break
		}
		tag := fmt.Sprintf(`"%s-%d"`, p.Job, side)
		h := w.Header()
		if r.Header.Get("If-None-Match") == tag {
			h.Set("ETag", tag)
			h.Set("Cache-Control", "no-cache")
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
		data, err := s.o.Blobs.Get(ctx, p.Key(side), maxPicture)
		if errors.Is(err, blobs.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		h.Set("ETag", tag)
		h.Set("Cache-Control", "no-cache") // it may be kept, but must be asked for
		h.Set("Content-Type", "image/png")
		if p.Extension == "jpg" {
			h.Set("Content-Type", "image/jpeg")
		}
		h.Set("Content-Length", strconv.Itoa(len(data)))
		_, _ = w.Write(data)
		return nil
	}
	return refuse(http.StatusNotFound, "not_found", "that user has no picture")
}

// health is what was found out last.
type health struct {
	mu               sync.Mutex
	until            time.Time
	server, database string
}

const (
	healthFor     = time.Second // that one look is good for, so that asking often costs nothing
	healthTimeout = 2 * time.Second
)

// getHealth says whether the server and the database answer.
func (s *Service) getHealth(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		refuse(http.StatusMethodNotAllowed, "method", "only GET, HEAD here").write(w)
		return
	}
	h := &s.health
	h.mu.Lock()
	defer h.mu.Unlock()
	if !time.Now().Before(h.until) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), healthTimeout)
		defer cancel()
		h.server, h.database = "ok", "ok"
		if err := s.o.Redis.Ping(ctx).Err(); err != nil {
			h.server = "away"
		}
		if _, err := s.o.Profiles.Load(ctx, "health:"); err != nil && !errors.Is(err, profile.ErrNotFound) {
			h.database = "away"
		}
		h.until = time.Now().Add(healthFor)
	}
	status, word := http.StatusOK, "ok"
	if h.server != "ok" || h.database != "ok" {
		status, word = http.StatusServiceUnavailable, "away"
		w.Header().Set("Retry-After", "1")
	}
	writeJSON(w, status, map[string]string{"status": word, "server": h.server, "database": h.database})
}
