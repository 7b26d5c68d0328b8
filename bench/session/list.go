package session

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"
)

// List returns the sessions of user, the longest unused last. Those of nobody are not listed.
func (s *Sessions) List(ctx context.Context, user string) ([]*Session, error) {
	if user == "" || len(user) > maxUser {
		return nil, fmt.Errorf("session: a user has 1 to %d bytes", maxUser)
	}
	tag := userTag(user)
	handles, err := s.rdb.ZRange(ctx, s.index(tag), 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("session: list: %w", err)
	}
	if len(handles) == 0 {
		return nil, nil
	}
	replies := make([]*redis.MapStringStringCmd, len(handles))
	_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, h := range handles {
			replies[i] = p.HGetAll(ctx, s.key(place{tag, h}))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("session: list: %w", err)
	}
	var list []*Session
	var ended []any
	for i, r := range replies {
		if len(r.Val()) == 0 { // a handle is listed only together with its session, and is never used again
			ended = append(ended, handles[i])
			continue
		}
		sess, err := parse(handles[i], r.Val())
		if err != nil {
			return nil, err
		}
		if s.ended(sess) {
			continue
		}
		list = append(list, sess)
	}
	if len(ended) > 0 {
		if err := s.rdb.ZRem(ctx, s.index(tag), ended...).Err(); err != nil {
			return nil, fmt.Errorf("session: list: %w", err)
		}
	}
	slices.SortFunc(list, func(a, b *Session) int { return b.Seen.Compare(a.Seen) })
	return list, nil
}

// ended says whether a session is over by a clock that is not the server's; by the server's its key would be gone.
func (s *Sessions) ended(sess *Session) bool {
	if s.o.Now == nil {
		return false
	}
	now := s.o.Now()
	return !now.Before(sess.Seen.Add(s.o.Idle)) || !now.Before(sess.Began.Add(s.o.Max))
}

// Revoke ends the session of id, as a logout does. That it had ended before is no error.
func (s *Sessions) Revoke(ctx context.Context, id string) error {
	p, err := find(id)
	if err != nil {
		return nil
	}
	_, err = s.revoke(ctx, p)
	return err
}

// RevokeHandle ends a session of user that List showed. ErrNoSession says that it had ended, or got another handle by rotation.
func (s *Sessions) RevokeHandle(ctx context.Context, user, handle string) error {
	if user == "" || len(user) > maxUser || len(handle) != secretLen || !isText(handle) {
		return ErrNoSession
	}
	n, err := s.revoke(ctx, place{userTag(user), handle})
	if err == nil && n == 0 {
		err = ErrNoSession
	}
	return err
}

func (s *Sessions) revoke(ctx context.Context, p place) (int64, error) {
	n, err := revoke.Run(ctx, s.rdb, s.keys(p), p.handle).Int64()
	if err != nil {
		return 0, fmt.Errorf("session: revoke: %w", err)
	}
	return n, nil
}

// RevokeUser ends all sessions of user but that of the id keep, which may be empty, and returns how many there were: after a
// change of the password, or when an id was stolen. On an error some may be left.
//
// It repeats until a look at the list, taken in the same step as the last deletions, shows nothing to end: a session that is
// rotated meanwhile gets a handle that the next step meets.
func (s *Sessions) RevokeUser(ctx context.Context, user, keep string) (int, error) {
	if user == "" || len(user) > maxUser {
		return 0, fmt.Errorf("session: a user has 1 to %d bytes", maxUser)
	}
	tag, kept := userTag(user), ""
	if p, err := find(keep); err == nil {
		kept = p.handle
	}
	total := 0
	keys, handles := []string{s.index(tag)}, []any(nil)
	for {
		r, err := revokeUser.Run(ctx, s.rdb, keys, handles...).Slice()
		if err != nil {
			return total, fmt.Errorf("session: revoke: %w", err)
		}
		n, left, err := revoked(r)
		if err != nil {
			return total, err
		}
		total += n
		keys, handles = keys[:1], handles[:0]
		for _, h := range left {
			if h != kept {
				keys, handles = append(keys, s.key(place{tag, h})), append(handles, h)
			}
		}
		if len(handles) == 0 {
			return total, nil
		}
	}
}

// revoked takes the reply of revokeUser apart.
func revoked(r []any) (n int, left []string, err error) {
	bad := errors.New("session: revoke: the script's reply has another form")
	if len(r) != 2 {
		return 0, nil, bad
	}
	count, ok1 := r[0].(int64)
	list, ok2 := r[1].([]any)
	if !ok1 || !ok2 {
		return 0, nil, bad
	}
	for _, v := range list {
		h, ok := v.(string)
		if !ok {
			return 0, nil, bad
		}
		left = append(left, h)
	}
	return int(count), left, nil
}
