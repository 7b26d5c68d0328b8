// Package session keeps who is logged in.
//
// Contract: an id that Create, Login or Rotate returned is good until it is revoked or rotated, until Options.Idle has passed since
// it was last used (a twentieth of that earlier at most: not every use writes), or until Options.Max has passed since the session
// began, whichever is first. Ids are made here and nowhere else: one that a client brings along never becomes a session.
// When Rotate or Login returns, the old id is dead; of several that rotate one id at once a single one succeeds. When RevokeUser returns
// no session is left that the user had when it was called, however busily they were rotated meanwhile. A one-time token is redeemed at
// most once, with the id it was issued for, before its own deadline. Sessions has no state but what it learnt about the server,
// and may be used by any number of goroutines.
//
// How: a session is a hash with a deadline, under the SHA-256 of its id, so that who reads the server's memory or a backup cannot log in.
// The first third of an id is made from the user's name: it is the hash tag of all the user's keys, so that a cluster keeps them
// in one slot, and names a sorted set of the user's sessions by the end that each has at the latest. Whatever needs more than one step
// is a script on these keys. A one-time token is a field with a deadline of its own (HPEXPIRE, Redis 7.4); where the server does not
// know that, which is asked once, it is a key of its own.
//
// Trade-offs. Sessions in a server can be listed and ended at once, which signed tokens cannot; each request pays a round
// trip for it. Idle is slid by a write only when a twentieth of it has passed, because most requests of a busy user would
// otherwise write the same. Rotating loses a request that was sent with the old id at the same time: rotate at logins and
// changes of rights, not at every request. It also ends one-time tokens: what was issued before must not work after. A request that a client
// repeats because its reply was lost rotates and creates once; a token it redeems twice is refused the second time. A user has
// at most Options.Limit sessions, since a list without end would make revocation slow. After a change from a server without
// HPEXPIRE to one with it, or back, one-time tokens issued before are refused.
package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	// ErrNoSession says that the id is not, or not any more, that of a session.
	ErrNoSession = errors.New("session: no such session")
	// ErrTooMany says that the user has as many sessions as the limit allows.
	ErrTooMany = errors.New("session: too many sessions of one user")
	// ErrToken says that the one-time token was never issued, has been used, or is too old.
	ErrToken = errors.New("session: not a valid token")
)

const (
	tagLen    = 16                 // 96 bits in base64
	secretLen = 32                 // 192 bits in base64
	idLen     = tagLen + secretLen // what a cookie holds

	maxUser   = 512
	maxName   = 64
	maxValue  = 16 << 10
	maxFields = 64

	minIdle = 100 * time.Millisecond
	maxMax  = 10 * 365 * 24 * time.Hour

	defaultLimit = 100
	maxLimit     = 10_000
)

// Options are the rules for sessions.
type Options struct {
	Idle  time.Duration // a session not used for so long ends; 100 ms or more
	Max   time.Duration // how long a session lasts at most; at least Idle, up to ten years
	Limit int           // sessions of a user, up to 10,000; 0 stands for 100. Sessions without a user are not limited

	// Now is the clock, for tests; nil: the server's, which all processes share. Keys have deadlines by the server's clock in
	// any case.
	Now func() time.Time
	// TokenKeys keeps one-time tokens in keys of their own even where fields have deadlines: for servers of several versions.
	TokenKeys bool
}

// Sessions makes and finds sessions.
type Sessions struct {
	rdb    redis.UniversalClient
	prefix string
	o      Options

	fields atomic.Int32 // whether fields have deadlines: 0 not known yet, else one of the following
}

const (
	fieldsExpire = 1 + iota
	fieldsDoNot
)

// Session is what is known about one, without its id.
type Session struct {
	User   string // empty for one that began without a user
	Handle string // names the session among its user's, and cannot be used as an id
	Began  time.Time
	Seen   time.Time // the last use, or up to a twentieth of Options.Idle before it
	Data   map[string]string
}

// New returns the sessions whose keys begin with prefix, in which no brace may stand.
func New(rdb redis.UniversalClient, prefix string, o Options) (*Sessions, error) {
	if o.Limit == 0 {
		o.Limit = defaultLimit
	}
	switch {
	case strings.ContainsAny(prefix, "{}"):
		return nil, errors.New("session: a brace in the prefix")
	case o.Idle < minIdle || o.Max < o.Idle || o.Max > maxMax:
		return nil, fmt.Errorf("session: Idle must be at least %v, and Max between Idle and ten years", minIdle)
	case o.Limit < 1 || o.Limit > maxLimit:
		return nil, fmt.Errorf("session: a user has 1 to %d sessions", maxLimit)
	}
	s := &Sessions{rdb: rdb, prefix: prefix, o: o}
	if o.TokenKeys {
		s.fields.Store(fieldsDoNot)
	}
	return s, nil
}

// place is where a session is kept: by its user's tag and its handle.
type place struct{ tag, handle string }

func (s *Sessions) index(tag string) string { return s.prefix + "{" + tag + "}" }
func (s *Sessions) key(p place) string      { return s.index(p.tag) + ":" + p.handle }

// keys are those that scripts get: the session's and the list's.
func (s *Sessions) keys(p place) []string { return []string{s.key(p), s.index(p.tag)} }

// args are how the arguments of every script begin, as the Lua in rules reads them.
func (s *Sessions) args(more ...any) []any {
	now := int64(0)
	if s.o.Now != nil {
		now = s.o.Now().UnixMilli()
	}
	return append([]any{now, s.o.Idle.Milliseconds(), s.o.Max.Milliseconds()}, more...)
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:24])
}

func randomText(n int) string {
	b := make([]byte, n*3/4)
	_, _ = rand.Read(b) // documented never to fail
	return base64.RawURLEncoding.EncodeToString(b)
}

// userTag returns the tag of a user's keys. Sessions without a user have nothing in common, so each has a tag of its own.
func userTag(user string) string {
	if user == "" {
		return randomText(tagLen)
	}
	return digest("user " + user)[:tagLen]
}

// find returns where the session of id is, if id has the form of one.
func find(id string) (place, error) {
	if len(id) != idLen || !isText(id) {
		return place{}, ErrNoSession
	}
	return place{id[:tagLen], digest(id[tagLen:])}, nil
}

// isText says whether s is made of the 64 characters of base64 for URLs.
func isText(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// Create begins a session of user, up to 512 bytes and empty for nobody, with up to 64 data of names of 1 to 64 and values of up to
// 16384 bytes, and returns its id: 48 letters, digits, hyphens and underscores.
func (s *Sessions) Create(ctx context.Context, user string, data map[string]string) (string, error) {
	if len(user) > maxUser {
		return "", fmt.Errorf("session: a user has up to %d bytes", maxUser)
	}
	flat, err := flatten(data)
	if err != nil {
		return "", err
	}
	tag, secret := userTag(user), randomText(secretLen)
	p := place{tag, digest(secret)}
	args := s.args(append([]any{p.handle, s.o.Limit, user}, flat...)...)
	for last := false; ; last = true {
		n, err := create.Run(ctx, s.rdb, s.keys(p), args...).Int64()
		switch {
		case err != nil:
			return "", fmt.Errorf("session: create: %w", err)
		case n == 1:
			return tag + secret, nil
		case last:
			return "", ErrTooMany
		}
		if _, err := s.List(ctx, user); err != nil { // which takes those that ended idle off the list
			return "", err
		}
	}
}

// Login ends the session of id, which may be empty or that of nobody, and begins one of user with its data, over which data take
// precedence: who knew the old id has nothing. What was put into a session of nobody may come from anybody, so rights must not be
// kept there. The session begins anew in every other respect; if the server fails between the two steps,
// the user is logged out.
func (s *Sessions) Login(ctx context.Context, id, user string, data map[string]string) (string, error) {
	if user == "" {
		return "", errors.New("session: nobody cannot log in")
	}
	if _, err := flatten(data); err != nil {
		return "", err
	}
	all := map[string]string{}
	old, err := s.Get(ctx, id)
	switch {
	case err == nil:
		if old.User == "" || old.User == user { // what another user left is not for this one
			all = old.Data
		}
		if err := s.Revoke(ctx, id); err != nil {
			return "", err
		}
	case !errors.Is(err, ErrNoSession):
		return "", err
	}
	maps.Copy(all, data)
	return s.Create(ctx, user, all)
}

// Get returns the session of id, which counts as used.
func (s *Sessions) Get(ctx context.Context, id string) (*Session, error) {
	p, err := find(id)
	if err != nil {
		return nil, err
	}
	r, err := get.Run(ctx, s.rdb, []string{s.key(p)}, s.args()...).StringSlice()
	switch {
	case errors.Is(err, redis.Nil):
		return nil, ErrNoSession
	case err != nil:
		return nil, fmt.Errorf("session: get: %w", err)
	}
	fields := make(map[string]string, len(r)/2)
	for i := 0; i+1 < len(r); i += 2 {
		fields[r[i]] = r[i+1]
	}
	return parse(p.handle, fields)
}

// parse makes a Session of the fields of its hash.
func parse(handle string, fields map[string]string) (*Session, error) {
	began, err1 := strconv.ParseInt(fields["began"], 10, 64)
	seen, err2 := strconv.ParseInt(fields["seen"], 10, 64)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("session: the hash of a session has other fields: %w", err)
	}
	sess := &Session{User: fields["user"], Handle: handle, Began: time.UnixMilli(began), Seen: time.UnixMilli(seen), Data: map[string]string{}}
	for name, v := range fields {
		if name, ok := strings.CutPrefix(name, "d:"); ok {
			sess.Data[name] = v
		}
	}
	return sess, nil
}

// Set changes data of the session of id, and leaves other names as they are. It does not count as a use.
func (s *Sessions) Set(ctx context.Context, id string, data map[string]string) error {
	p, err := find(id)
	if err != nil {
		return err
	}
	flat, err := flatten(data)
	if err != nil || len(flat) == 0 {
		return err
	}
	n, err := set.Run(ctx, s.rdb, []string{s.key(p)}, s.args(append([]any{maxFields}, flat...)...)...).Int64()
	switch {
	case err != nil:
		return fmt.Errorf("session: set: %w", err)
	case n == -1:
		return fmt.Errorf("session: more than %d data", maxFields)
	case n == 0:
		return ErrNoSession
	}
	return nil
}

// flatten checks data and returns them as fields and values in turn, in the order of their names.
func flatten(data map[string]string) ([]any, error) {
	if len(data) > maxFields {
		return nil, fmt.Errorf("session: more than %d data", maxFields)
	}
	flat := make([]any, 0, 2*len(data))
	for _, name := range slices.Sorted(maps.Keys(data)) {
		if len(name) == 0 || len(name) > maxName || len(data[name]) > maxValue {
			return nil, fmt.Errorf("session: names have 1 to %d bytes, values up to %d", maxName, maxValue)
		}
		flat = append(flat, "d:"+name, data[name])
	}
	return flat, nil
}

// Rotate gives the session of id a new id and ends the old one in the same step; it counts as a use. One-time tokens of
// the session end. For a login, use Login.
func (s *Sessions) Rotate(ctx context.Context, id string) (string, error) {
	old, err := find(id)
	if err != nil {
		return "", err
	}
	secret := randomText(secretLen)
	if err := s.rotate(ctx, old, place{old.tag, digest(secret)}); err != nil {
		return "", err
	}
	return old.tag + secret, nil
}

func (s *Sessions) rotate(ctx context.Context, from, to place) error {
	keys := append(s.keys(from), s.key(to))
	n, err := rotate.Run(ctx, s.rdb, keys, s.args(from.handle, to.handle)...).Int64()
	switch {
	case err != nil:
		return fmt.Errorf("session: rotate: %w", err)
	case n == 0:
		return ErrNoSession
	}
	return nil
}
