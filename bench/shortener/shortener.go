// Package shortener gives long URLs short codes, follows them, and counts who did.
//
// Contract: a code stands for one URL from the call that made it until its time to live has passed or Delete; two calls never
// get the same code, and of several that ask for the same alias at once one gets it and the others ErrTaken. What is counted
// is every Visit that returned a URL: Clicks and Daily exactly, Visitors to about 0.81 %. A code that is given out
// again starts at zero. A Shortener has no state of its own and may be used by any number of goroutines.
//
// How: a link is one string, taken with SET NX by a script that also forgets what was counted for an earlier link of that
// code. Codes come from a source of two kinds. Sequential counts with INCR and passes the number through a permutation of all
// codes of that length, keyed by a secret, before it is written in base 62: no code comes twice, and the next one cannot
// be told from the last. Random draws from 62^n codes and draws again when one is taken. A visit is GET and the link's
// deadline in one pipeline, then INCR, PFADD and HINCRBY in a second. All keys of a code share a hash tag.
//
// Trade-offs. Sequential codes can be as short as the number of links allows and never collide with each other, but need one more
// round trip, a counter that must survive (after a restore from an old backup it meets taken codes and steps over them,
// one by one) and a secret that must never change. Random codes need neither; the more of them are taken the more draws it
// takes, so their length should leave them sparse: with 7 characters and a billion links one draw in 3,500 is wasted. Neither is
// an access control: a permutation keyed by a secret hides the order, yet who guesses 62^5 codes finds most of the links.
// Counting in a second pipeline, and only after the link was found, means that guessed codes leave nothing behind, and costs
// a round trip; the redirect need not wait for it (Resolve, then Count). A link that is deleted between the two leaves
// a count behind until its code is given out again. Counts of a link that ends outlive it by Options.Keep; those of one that does not
// end stay, about 30 bytes a day and up to 12 KB for the visitors.
//
// A client that repeats a request whose reply was lost may count a visit twice; links it makes once. Needs Redis 7.0
// (PEXPIRETIME).
package shortener

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/redis/go-redis/v9"
)

var (
	// ErrTaken says that an alias is in use.
	ErrTaken = errors.New("shortener: the alias is taken")
	// ErrNotFound says that no link has that code, or not any more.
	ErrNotFound = errors.New("shortener: no such link")
	// ErrFull says that a source has no free code, or none that it could find.
	ErrFull = errors.New("shortener: no free code")
	// ErrURL says why a URL is refused.
	ErrURL = errors.New("shortener: not a URL to shorten")
)

const (
	maxURL     = 2048
	maxCode    = 32
	minAlias   = 3
	maxVisitor = 512
	minTTL     = time.Millisecond
	maxTTL     = 100 * 365 * 24 * time.Hour

	tries = 64 // codes that were taken before Shorten gives up

	nonceLen = 16
)

// Source makes codes that are probably free. It may be called concurrently.
type Source interface {
	Next(ctx context.Context) (string, error)
}

// Options are what may be left out.
type Options struct {
	Keep time.Duration          // how long counts outlive a link that ends; 0 stands for 30 days
	Now  func() time.Time       // tells the day of a visit, in UTC; nil: the clock of this process
	Veto func(u *url.URL) error // refuses URLs, such as those of the shortener itself; nil: none
}

// Shortener makes and follows links.
type Shortener struct {
	rdb    redis.UniversalClient
	prefix string
	codes  Source
	o      Options
}

// New returns a Shortener whose keys begin with prefix, in which no brace may stand.
func New(rdb redis.UniversalClient, prefix string, codes Source, o Options) (*Shortener, error) {
	switch {
	case codes == nil:
		return nil, errors.New("shortener: no source of codes")
	case strings.ContainsAny(prefix, "{}"):
		return nil, errors.New("shortener: a brace in the prefix")
	case o.Keep < 0 || o.Keep > maxTTL:
		return nil, errors.New("shortener: counts are kept for 0 to 100 years")
	}
	if o.Keep == 0 {
		o.Keep = 30 * 24 * time.Hour
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Shortener{rdb: rdb, prefix: prefix, codes: codes, o: o}, nil
}

// create takes the code KEYS[1] for ARGV[2], under the nonce ARGV[1], for ARGV[3] milliseconds or for ever, and forgets the
// counts of an earlier link. A request that comes a second time finds its own nonce.
var create = redis.NewScript(`
local value = ARGV[1] .. ARGV[2]
local ok
if ARGV[3] == '0' then
	ok = redis.call('SET', KEYS[1], value, 'NX')
else
	ok = redis.call('SET', KEYS[1], value, 'NX', 'PX', ARGV[3])
end
if ok then
	redis.call('DEL', KEYS[2], KEYS[3], KEYS[4])
	return 1
end
if redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1) == ARGV[1] then
	return 1
end
return 0
`)

// keys are those of a code.
type keys struct{ link, clicks, visitors, daily string }

func (s *Shortener) keys(code string) keys {
	k := s.prefix + "{" + code + "}"
	return keys{k, k + ":clicks", k + ":visitors", k + ":daily"}
}

// Shorten returns a new code for target, an http or https URL of up to 2048 bytes. The link ends after ttl, a millisecond to 100
// years, or never when ttl is 0. ErrFull says that every code tried was taken.
func (s *Shortener) Shorten(ctx context.Context, target string, ttl time.Duration) (string, error) {
	if err := s.check(target, ttl); err != nil {
		return "", err
	}
	for range tries {
		code, err := s.codes.Next(ctx)
		if err != nil {
			return "", fmt.Errorf("shortener: %w", err)
		}
		if !validCode(code) {
			return "", fmt.Errorf("shortener: the source made the code %q", code)
		}
		ok, err := s.take(ctx, code, newNonce(), target, ttl)
		if err != nil {
			return "", err
		}
		if ok {
			return code, nil
		}
	}
	return "", ErrFull
}

// Alias makes alias, 3 to 32 letters, digits, hyphens and underscores, a code for target, as Shorten does. ErrTaken says
// that it is in use, even if it is for the same URL: who took it may delete it.
func (s *Shortener) Alias(ctx context.Context, alias, target string, ttl time.Duration) error {
	if len(alias) < minAlias || !validCode(alias) {
		return fmt.Errorf("shortener: an alias has %d to %d letters, digits, hyphens or underscores", minAlias, maxCode)
	}
	if err := s.check(target, ttl); err != nil {
		return err
	}
	ok, err := s.take(ctx, alias, newNonce(), target, ttl)
	if err == nil && !ok {
		err = ErrTaken
	}
	return err
}

func (s *Shortener) take(ctx context.Context, code, nonce, target string, ttl time.Duration) (bool, error) {
	k := s.keys(code)
	n, err := create.Run(ctx, s.rdb, []string{k.link, k.clicks, k.visitors, k.daily}, nonce, target, ttl.Milliseconds()).Int64()
	if err != nil {
		return false, fmt.Errorf("shortener: %w", err)
	}
	return n == 1, nil
}

// Link is what a code stands for.
type Link struct {
	URL  string
	Ends time.Time // to a millisecond, by the server's clock; zero when it never does

	code string
}

// Resolve returns the link of code, without counting a visit.
func (s *Shortener) Resolve(ctx context.Context, code string) (Link, error) {
	if !validCode(code) {
		return Link{}, ErrNotFound // nothing else can have been given out
	}
	k := s.keys(code)
	var value *redis.StringCmd
	var ends *redis.DurationCmd
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		value = p.Get(ctx, k.link)
		ends = p.PExpireTime(ctx, k.link)
		return nil
	})
	switch {
	case errors.Is(err, redis.Nil):
		return Link{}, ErrNotFound
	case err != nil:
		return Link{}, fmt.Errorf("shortener: %w", err)
	case len(value.Val()) < nonceLen:
		return Link{}, fmt.Errorf("shortener: the key of %q holds something else", code)
	}
	l := Link{URL: value.Val()[nonceLen:], code: code}
	switch d := ends.Val(); {
	case d > 0:
		l.Ends = time.UnixMilli(d.Milliseconds())
	case d == -2: // it ended between the two commands
		return Link{}, ErrNotFound
	}
	return l, nil
}

// Count counts a visit to a link that Resolve returned. visitor tells visitors apart, such as a cookie's value; it has up to
// 512 bytes, and if it is empty only the click is counted. Cookies and addresses are not kept, only what a HyperLogLog makes of them.
func (s *Shortener) Count(ctx context.Context, l Link, visitor string) error {
	if !validCode(l.code) {
		return errors.New("shortener: the link did not come from Resolve")
	}
	if len(visitor) > maxVisitor {
		return fmt.Errorf("shortener: a visitor has up to %d bytes", maxVisitor)
	}
	k := s.keys(l.code)
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Incr(ctx, k.clicks)
		p.HIncrBy(ctx, k.daily, day(s.o.Now()), 1)
		counts := []string{k.clicks, k.daily}
		if visitor != "" {
			p.PFAdd(ctx, k.visitors, visitor)
			counts = append(counts, k.visitors)
		}
		if !l.Ends.IsZero() {
			for _, key := range counts {
				p.PExpireAt(ctx, key, l.Ends.Add(s.o.Keep))
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("shortener: count: %w", err)
	}
	return nil
}

// Visit is Resolve and Count. If only the counting fails it returns the URL together with the error: the visitor need not suffer
// from it.
func (s *Shortener) Visit(ctx context.Context, code, visitor string) (string, error) {
	l, err := s.Resolve(ctx, code)
	if err != nil {
		return "", err
	}
	return l.URL, s.Count(ctx, l, visitor)
}

// Delete ends the link of code and forgets what was counted for it. ErrNotFound says that there was no link; counts
// that an ended one had left are gone nevertheless.
func (s *Shortener) Delete(ctx context.Context, code string) error {
	if !validCode(code) {
		return ErrNotFound
	}
	k := s.keys(code)
	var links *redis.IntCmd
	_, err := s.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		links = p.Del(ctx, k.link)
		p.Del(ctx, k.clicks, k.visitors, k.daily)
		return nil
	})
	switch {
	case err != nil:
		return fmt.Errorf("shortener: %w", err)
	case links.Val() == 0:
		return ErrNotFound
	}
	return nil
}

func (s *Shortener) check(target string, ttl time.Duration) error {
	if ttl != 0 && (ttl < minTTL || ttl > maxTTL) {
		return errors.New("shortener: a link ends after a millisecond to 100 years, or never")
	}
	u, err := checkURL(target)
	if err != nil {
		return err
	}
	if s.o.Veto != nil {
		if err := s.o.Veto(u); err != nil {
			return fmt.Errorf("%w: %w", ErrURL, err)
		}
	}
	return nil
}

// checkURL lets pass what is safe in a Location header and names its host openly.
func checkURL(target string) (*url.URL, error) {
	if len(target) > maxURL || !utf8.ValidString(target) {
		return nil, fmt.Errorf("%w: more than %d bytes, or not UTF-8", ErrURL, maxURL)
	}
	if strings.ContainsFunc(target, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.C, r) }) {
		return nil, fmt.Errorf("%w: spaces or control characters", ErrURL)
	}
	u, err := url.Parse(target)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: it cannot be parsed", ErrURL)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("%w: neither http nor https", ErrURL)
	case u.Hostname() == "":
		return nil, fmt.Errorf("%w: no host", ErrURL)
	case u.User != nil:
		return nil, fmt.Errorf("%w: a user before the host hides where it leads", ErrURL)
	}
	return u, nil
}

func validCode(code string) bool {
	if len(code) == 0 || len(code) > maxCode {
		return false
	}
	for i := range len(code) {
		c := code[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func newNonce() string {
	var b [nonceLen / 2]byte
	_, _ = rand.Read(b[:]) // documented never to fail
	return hex.EncodeToString(b[:])
}
