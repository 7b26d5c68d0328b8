package load

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/bench/flags"
	"github.com/streampulse/pulse/bench/presence"
	"github.com/streampulse/pulse/bench/session"
	"github.com/streampulse/pulse/bench/shortener"
)

const (
	friendsEach     = 10
	sessionsEach    = 2
	minPresentUsers = 32 // for all friends of one to be somebody else

	staleAfter = 10 * time.Second
)

// prepare calls f for every number below n, from as many goroutines as there will be clients.
func prepare(clients, n int, f func(i int) error) error {
	errs := make([]error, clients)
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for i := c; i < n && errs[c] == nil; i += clients {
				errs[c] = f(i)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func startShortener(ctx context.Context, rdb *redis.Client, size sized) (operation, func() error, error) {
	codes, err := shortener.NewSequential(rdb, "links", 7, []byte("the secret of a benchmark"))
	if err != nil {
		return nil, nil, err
	}
	s, err := shortener.New(rdb, "link:", codes, shortener.Options{})
	if err != nil {
		return nil, nil, err
	}
	shorten := func(ctx context.Context, i int) (string, error) {
		return s.Shorten(ctx, "https://example.com/articles/"+strconv.Itoa(i)+"?ref="+size.filler(), time.Hour)
	}
	known := make([]string, size.Items)
	err = prepare(size.clients, size.Items, func(i int) (err error) {
		known[i], err = shorten(ctx, i)
		return err
	})
	return func(ctx context.Context, _ int, rnd *rand.Rand) error {
		if rnd.IntN(20) == 0 {
			_, err := shorten(ctx, rnd.IntN(patternItems))
			return err
		}
		_, err := s.Visit(ctx, known[rnd.IntN(size.Items)], strconv.Itoa(rnd.IntN(size.Users)))
		return err
	}, nothing, err
}

func startFlags(ctx context.Context, rdb *redis.Client, size sized) (operation, func() error, error) {
	s, err := flags.NewStore(rdb, "flag:")
	if err != nil {
		return nil, nil, err
	}
	c, err := flags.NewCache(s, flags.Options{MaxStale: staleAfter})
	if err != nil {
		return nil, nil, err
	}
	err = prepare(size.clients, size.Items, func(i int) error { return s.SetShare(ctx, strconv.Itoa(i), flags.Everybody/2) })
	if err != nil {
		return nil, nil, err
	}
	lctx, cancel := context.WithCancel(ctx)
	listening := make(chan error, 1)
	go func() { listening <- c.Listen(lctx, nil) }()
	stop := func() error {
		cancel()
		return <-listening
	}
	for begin := time.Now(); !c.Status().Fresh; time.Sleep(time.Millisecond) {
		if ctx.Err() != nil || time.Since(begin) > stallAfter {
			return nil, nil, errors.Join(errors.New("the cache of flags does not hear of changes"), ctx.Err(), stop())
		}
	}
	op := func(ctx context.Context, _ int, rnd *rand.Rand) error {
		name := strconv.Itoa(rnd.IntN(size.Items))
		if rnd.IntN(10) == 0 {
			return s.SetShare(ctx, name, rnd.IntN(flags.Everybody+1))
		}
		_, err := c.On(ctx, name, strconv.Itoa(rnd.IntN(size.Users)))
		return err
	}
	return op, stop, nil
}

func startPresence(ctx context.Context, rdb *redis.Client, size sized) (operation, func() error, error) {
	p, err := presence.New(rdb, "presence", presence.Options{Timeout: time.Minute})
	if err != nil {
		return nil, nil, err
	}
	users := max(size.Users, minPresentUsers)
	err = prepare(size.clients, users, func(i int) error {
		user := int64(i)
		for f := range int64(friendsEach / 2) { // each friendship counts for both
			if err := p.Befriend(ctx, user, (user+1+f*f)%int64(users)); err != nil {
				return err
			}
		}
		return p.Beat(ctx, user)
	})
	return func(ctx context.Context, _ int, rnd *rand.Rand) error {
		user := rnd.Int64N(int64(users))
		if rnd.IntN(5) == 0 {
			_, err := p.FriendsOnline(ctx, user)
			return err
		}
		return p.Beat(ctx, user)
	}, nothing, err
}

func startSession(ctx context.Context, rdb *redis.Client, size sized) (operation, func() error, error) {
	s, err := session.New(rdb, "session:", session.Options{Idle: 30 * time.Minute, Max: 12 * time.Hour})
	if err != nil {
		return nil, nil, err
	}
	data := map[string]string{"theme": "dark", "lang": "no", "cart": size.filler(), "csrf": "0123456789abcdef"}
	each := max(1, size.Users*sessionsEach/size.clients) // of a client
	ids := make([]string, size.clients*each)
	err = prepare(size.clients, len(ids), func(i int) (err error) {
		ids[i], err = s.Create(ctx, "user"+strconv.Itoa(i/sessionsEach), data)
		return err
	})
	return func(ctx context.Context, c int, rnd *rand.Rand) (err error) {
		id := &ids[c*each+rnd.IntN(each)]
		switch rnd.IntN(20) {
		case 0:
			*id, err = s.Rotate(ctx, *id)
		case 1:
			var token string
			if token, err = s.Issue(ctx, *id, "pay", time.Minute); err == nil {
				err = s.Redeem(ctx, *id, "pay", token)
			}
		default:
			_, err = s.Get(ctx, *id)
		}
		return err
	}, nothing, err
}
