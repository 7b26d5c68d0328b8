package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

const tokenLen = 32 // 192 bits in base64

// Issue returns a token that Redeem accepts once, with the same id and purpose, within ttl, a millisecond to Options.Max: for a
// form that must not be sent twice, or a link in a mail. A session has one token of a purpose, which is made of 1 to 64 letters, digits,
// hyphens and underscores; a new one takes the place of the old.
func (s *Sessions) Issue(ctx context.Context, id, purpose string, ttl time.Duration) (string, error) {
	p, err := find(id)
	if err != nil {
		return "", err
	}
	if ttl < time.Millisecond || ttl > s.o.Max {
		return "", fmt.Errorf("session: a token lives for a millisecond to %v", s.o.Max)
	}
	token := randomText(tokenLen)
	n, err := s.runToken(ctx, issueField, issueKey, p, purpose, digest(token), ttl.Milliseconds())
	switch {
	case err != nil:
		return "", err
	case n == 0:
		return "", ErrNoSession
	}
	return token, nil
}

// Redeem uses up the token that Issue returned. ErrToken says that it is not valid; one that is stays so.
func (s *Sessions) Redeem(ctx context.Context, id, purpose, token string) error {
	p, err := find(id)
	if err != nil {
		return err
	}
	if len(token) != tokenLen || !isText(token) {
		return ErrToken
	}
	n, err := s.runToken(ctx, redeemField, redeemKey, p, purpose, digest(token))
	switch {
	case err != nil:
		return err
	case n == -1:
		return ErrNoSession
	case n == 0:
		return ErrToken
	}
	return nil
}

// runToken runs the form of a script that the server can.
func (s *Sessions) runToken(ctx context.Context, field, key *redis.Script, p place, purpose string, more ...any) (int64, error) {
	if len(purpose) == 0 || len(purpose) > maxName || !isText(purpose) {
		return 0, fmt.Errorf("session: a purpose has 1 to %d letters, digits, hyphens or underscores", maxName)
	}
	inFields, err := s.fieldsExpire(ctx)
	if err != nil {
		return 0, err
	}
	script, keys := field, []string{s.key(p)}
	if !inFields {
		script, keys = key, append(keys, s.key(p)+":"+purpose)
	}
	n, err := script.Run(ctx, s.rdb, keys, s.args(append([]any{purpose}, more...)...)...).Int64()
	if err != nil {
		return 0, fmt.Errorf("session: token: %w", err)
	}
	return n, nil
}

// fieldsExpire says whether the server knows HPEXPIRE. It is asked once; several callers may ask at the same time.
func (s *Sessions) fieldsExpire(ctx context.Context) (bool, error) {
	if known := s.fields.Load(); known != 0 {
		return known == fieldsExpire, nil
	}
	info, err := s.rdb.Do(ctx, "COMMAND", "INFO", "HPEXPIRE").Slice()
	if err != nil {
		return false, fmt.Errorf("session: what the server can: %w", err)
	}
	if len(info) != 1 {
		return false, errors.New("session: what the server can: not one reply about one command")
	}
	known := int32(fieldsDoNot)
	if info[0] != nil {
		known = fieldsExpire
	}
	s.fields.Store(known)
	return known == fieldsExpire, nil
}
