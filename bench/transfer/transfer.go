// Package transfer moves amounts between accounts, optimistically: WATCH, read, MULTI, write, EXEC.
//
// Contract: a transfer happens completely or not at all, no balance falls below zero or leaves the range of int64, and
// the sum over all accounts never changes except by Open. A Bank has no state of its own and may be used by any number
// of goroutines and processes.
//
// How: one integer key per account. WATCH makes EXEC fail when one of the two accounts has changed since it was read;
// the transfer is then tried again after a short random pause that grows with each attempt.
//
// Trade-offs. Optimism is cheap while accounts differ and wasteful on a hot one, where all but one of n concurrent
// attempts fail; a script decides on the server and never retries. In a
// cluster the prefix must hold a hash tag, so that all accounts share a slot. Open the client with MaxRetries: -1: a retry
// after a lost reply to EXEC would repeat the transfer, on a new connection where nothing is watched.
package transfer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	// ErrInsufficient says that the source account holds less than the amount.
	ErrInsufficient = errors.New("transfer: insufficient balance")
	// ErrUnknown says that an account has not been opened.
	ErrUnknown = errors.New("transfer: unknown account")
	// ErrContended says that other writers got in between in every attempt.
	ErrContended = errors.New("transfer: too much contention")
	// ErrExists says that an account has been opened before.
	ErrExists = errors.New("transfer: account exists")
)

const (
	maxAttempts = 200
	maxPause    = 20 * time.Millisecond
)

// Bank is a set of accounts under one key prefix.
type Bank struct {
	rdb    redis.UniversalClient
	prefix string
}

// New returns the bank whose accounts are kept under prefix.
func New(rdb redis.UniversalClient, prefix string) *Bank { return &Bank{rdb: rdb, prefix: prefix} }

// Open creates an account with a balance of at least zero.
func (b *Bank) Open(ctx context.Context, account string, balance int64) error {
	if balance < 0 {
		return errors.New("transfer: an account cannot open below zero")
	}
	err := b.rdb.SetArgs(ctx, b.prefix+account, balance, redis.SetArgs{Mode: "NX"}).Err()
	if errors.Is(err, redis.Nil) {
		return ErrExists
	}
	if err != nil {
		return fmt.Errorf("transfer: open: %w", err)
	}
	return nil
}

// Balance returns what account holds.
func (b *Bank) Balance(ctx context.Context, account string) (int64, error) {
	n, err := b.rdb.Get(ctx, b.prefix+account).Int64()
	if errors.Is(err, redis.Nil) {
		return 0, ErrUnknown
	}
	if err != nil {
		return 0, fmt.Errorf("transfer: balance: %w", err)
	}
	return n, nil
}

// Transfer moves amount, which must be positive, between two different accounts. On ErrInsufficient, ErrUnknown and
// ErrContended nothing has moved; after an error of the connection the transfer may or may not have happened.
func (b *Bank) Transfer(ctx context.Context, from, to string, amount int64) error {
	if amount <= 0 || from == to {
		return errors.New("transfer: needs a positive amount and two different accounts")
	}
	src, dst := b.prefix+from, b.prefix+to
	for attempt := range maxAttempts {
		err := b.rdb.Watch(ctx, func(tx *redis.Tx) error { return try(ctx, tx, src, dst, amount) }, src, dst)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, ErrInsufficient), errors.Is(err, ErrUnknown):
			return err
		case !errors.Is(err, redis.TxFailedErr):
			return fmt.Errorf("transfer: %w", err)
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
	return ErrContended
}

// try reads both balances on the watching connection and moves amount unless one of them has changed by then.
func try(ctx context.Context, tx *redis.Tx, src, dst string, amount int64) error {
	vals, err := tx.MGet(ctx, src, dst).Result()
	if err != nil {
		return err
	}
	var have [2]int64
	for i, v := range vals {
		s, ok := v.(string)
		if !ok {
			return ErrUnknown
		}
		if have[i], err = strconv.ParseInt(s, 10, 64); err != nil {
			return err
		}
	}
	if have[0] < amount {
		return ErrInsufficient
	}
	// Checked here, because an INCRBY that fails inside EXEC does not undo the DECRBY before it.
	if have[1] > math.MaxInt64-amount {
		return errors.New("balance of the receiving account would overflow")
	}
	_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.DecrBy(ctx, src, amount)
		p.IncrBy(ctx, dst, amount)
		return nil
	})
	return err
}

func pause(ctx context.Context, attempt int) error {
	limit := min(maxPause, 100*time.Microsecond<<min(attempt, 10))
	t := time.NewTimer(rand.N(limit))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
