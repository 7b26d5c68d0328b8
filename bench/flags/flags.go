// Package flags switches parts of a program on and off while it runs, for everybody, some or a share of its users.
//
// Contract: Store writes flags; each change is one step in the server and raises the flag's version. On is decided alike by all
// processes: a killed flag is off for everybody; else a user who is a target gets what the target says; else a user is in when
// their place between 0 and 9,999, which depends on the flag's and the user's name alone, is below the flag's share. So whoever is in
// stays in while the share grows, and different flags choose different users. A Cache serves from memory and never what the server had
// replaced more than Options.MaxStale before: it believes its copies only while it hears from the server that it has been
// told of every change. Ordinarily a change is known after one message. Both may be used by any number of goroutines.
//
// How: a flag is a hash, changed by scripts that publish its name. A Cache listens on one connection, drops its copy of what it is told, and
// reads it again when it is asked for. Servers with CLIENT TRACKING (Redis 6) are asked to report each change of a key with the prefix
// on that same connection as well, so that changes made around this package, such as by hand or by expiry, are heard, too; those that
// have none say so, and the channel has to do. A copy read while a change was reported is not kept. Four times within MaxStale the listener
// sends PING: replies come in order behind the messages, so each answered PING proves that everything up to the one before it has
// arrived. (The one before, because servers may hand out messages at the end of a turn of theirs in which they answered already.)
// When the proof is too old, the Cache asks the server for each decision, and if that fails it returns the error.
//
// Trade-offs. Without a connection a Cache turns into a round trip per decision rather than serving what may be wrong; who prefers
// an old answer to none can keep the last one. MaxStale is what a broken connection costs at most, and PINGs are its price. A whole flag is
// read at a time, so targets are limited to 1,000; larger groups belong into a set of their own, or into the share. Kill leaves everything
// else as it is, so that Revive brings back what was; it is for emergencies, SetShare for plans.
package flags

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/redis/go-redis/v9"
)

var (
	// ErrNotFound says that there is no flag of that name.
	ErrNotFound = errors.New("flags: no such flag")
	// ErrFull says that a flag has as many targets as it can.
	ErrFull = errors.New("flags: too many targets")
)

const (
	// Everybody is the share that all users are in; half of it is half of them.
	Everybody = 10_000

	maxName    = 128
	maxUser    = 512
	maxTargets = 1000
)

// Flag is what is known about one. It is not changed after it was returned.
type Flag struct {
	Name    string
	Share   int             // of 10,000 users
	Killed  bool            // off, whatever else it says
	Targets map[string]bool // by user
	Version int64           // rises with every change
}

// On says whether the flag is on for user.
func (f *Flag) On(user string) bool {
	if f.Killed {
		return false
	}
	if on, ok := f.Targets[user]; ok {
		return on
	}
	return Place(f.Name, user) < f.Share
}

// Place returns where user stands among the 10,000 places of a flag: the first eight bytes, the highest first, of the
// SHA-256 of the flag's name, a zero byte and the user's name, modulo 10,000. Programs in other languages can do the same.
func Place(flag, user string) int {
	var buf [maxName + 1 + maxUser]byte
	b := append(append(append(buf[:0], flag...), 0), user...)
	sum := sha256.Sum256(b)
	return int(binary.BigEndian.Uint64(sum[:8]) % Everybody)
}

func checkName(name string) error {
	if len(name) == 0 || len(name) > maxName {
		return fmt.Errorf("flags: a flag's name has 1 to %d characters", maxName)
	}
	for i := range len(name) {
		c := name[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_' && c != '.' {
			return errors.New("flags: a flag's name is made of letters, digits, hyphens, underscores and dots")
		}
	}
	return nil
}

func checkUser(user string) error {
	if len(user) == 0 || len(user) > maxUser || !utf8.ValidString(user) {
		return fmt.Errorf("flags: a user has 1 to %d bytes of UTF-8", maxUser)
	}
	return nil
}

// Store is the flags in the server.
type Store struct {
	rdb    redis.UniversalClient
	prefix string
}

// NewStore returns the flags whose keys, and whose channel, begin with prefix. It may not be empty: the server is asked to report
// changes of all keys that begin so. rdb must not cache by itself, nor read from replicas: what it returns has to be what the server has.
func NewStore(rdb redis.UniversalClient, prefix string) (*Store, error) {
	if prefix == "" || strings.ContainsAny(prefix, "{}") {
		return nil, errors.New("flags: a prefix is not empty and has no braces")
	}
	return &Store{rdb: rdb, prefix: prefix}, nil
}

// Keys of flags end in their name in braces; no flag's name can make one of the others.
func (s *Store) key(name string) string { return s.prefix + "{" + name + "}" }
func (s *Store) channel() string        { return s.prefix + "changed" }

// nameOf returns the flag whose key it is.
func (s *Store) nameOf(key string) (string, bool) {
	rest, ok := strings.CutPrefix(key, s.prefix+"{")
	name, closed := strings.CutSuffix(rest, "}")
	return name, ok && closed
}

// A flag's hash has share, killed, version, and u:USER for targets. Each script gets the channel and the flag's name first, and replies with
// the new version, or with 0 when there is no such flag. Versions of a flag that was deleted go on where they were if it comes back,
// as far as the clock allows: they begin at its microseconds.
const (
	exists = `
if redis.call('EXISTS', KEYS[1]) == 0 then
	return 0
end
`
	changed = `
local version = redis.call('HINCRBY', KEYS[1], 'version', 1)
redis.call('PUBLISH', ARGV[1], ARGV[2])
return version
`
)

var (
	// setShare makes the flag if there is none.
	setShare = redis.NewScript(`
if redis.call('HSET', KEYS[1], 'share', ARGV[3]) == 1 then
	local t = redis.call('TIME')
	redis.call('HSET', KEYS[1], 'killed', 0, 'version', string.format('%.0f', t[1] * 1000000 + t[2]))
end
` + changed)

	setKilled = redis.NewScript(exists + `redis.call('HSET', KEYS[1], 'killed', ARGV[3])` + changed)

	// target gets the user and 0, 1, or -1 for neither, and how many targets there may be besides the other three fields.
	target = redis.NewScript(exists + `
if ARGV[4] == '-1' then
	redis.call('HDEL', KEYS[1], 'u:' .. ARGV[3])
else
	if redis.call('HEXISTS', KEYS[1], 'u:' .. ARGV[3]) == 0 and redis.call('HLEN', KEYS[1]) >= ARGV[5] + 3 then
		return -1
	end
	redis.call('HSET', KEYS[1], 'u:' .. ARGV[3], ARGV[4])
end
` + changed)

	drop = redis.NewScript(exists + `
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', ARGV[1], ARGV[2])
return 1
`)
)

func (s *Store) run(ctx context.Context, script *redis.Script, name string, args ...any) error {
	if err := checkName(name); err != nil {
		return err
	}
	n, err := script.Run(ctx, s.rdb, []string{s.key(name)}, append([]any{s.channel(), name}, args...)...).Int64()
	switch {
	case err != nil:
		return fmt.Errorf("flags: %w", err)
	case n == 0:
		return ErrNotFound
	case n == -1:
		return ErrFull
	}
	return nil
}

// SetShare turns the flag on for share of 10,000 users, 0 to Everybody, and makes it if it does not exist. A flag that is killed
// stays killed.
func (s *Store) SetShare(ctx context.Context, name string, share int) error {
	if share < 0 || share > Everybody {
		return fmt.Errorf("flags: a share is 0 to %d", Everybody)
	}
	return s.run(ctx, setShare, name, share)
}

// Kill turns the flag off for everybody, targets included.
func (s *Store) Kill(ctx context.Context, name string) error { return s.run(ctx, setKilled, name, 1) }

// Revive takes Kill back.
func (s *Store) Revive(ctx context.Context, name string) error { return s.run(ctx, setKilled, name, 0) }

// Target turns the flag on or off for one user, whatever its share.
func (s *Store) Target(ctx context.Context, name, user string, on bool) error {
	if err := checkUser(user); err != nil {
		return err
	}
	v := 0
	if on {
		v = 1
	}
	return s.run(ctx, target, name, user, v, maxTargets)
}

// Untarget leaves the user to the share again.
func (s *Store) Untarget(ctx context.Context, name, user string) error {
	if err := checkUser(user); err != nil {
		return err
	}
	return s.run(ctx, target, name, user, -1, maxTargets)
}

// Delete removes the flag.
func (s *Store) Delete(ctx context.Context, name string) error { return s.run(ctx, drop, name) }

// Get reads the flag from the server.
func (s *Store) Get(ctx context.Context, name string) (*Flag, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	fields, err := s.rdb.HGetAll(ctx, s.key(name)).Result()
	if err != nil {
		return nil, fmt.Errorf("flags: %w", err)
	}
	if len(fields) == 0 {
		return nil, ErrNotFound
	}
	share, err1 := strconv.Atoi(fields["share"])
	version, err2 := strconv.ParseInt(fields["version"], 10, 64)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("flags: the hash of %s has other fields: %w", name, err)
	}
	// Anything but 0 is taken for a kill: who wrote it by hand meant something by it.
	f := &Flag{Name: name, Share: share, Killed: fields["killed"] != "0", Version: version, Targets: map[string]bool{}}
	for field, v := range fields {
		if user, ok := strings.CutPrefix(field, "u:"); ok {
			f.Targets[user] = v == "1"
		}
	}
	return f, nil
}
