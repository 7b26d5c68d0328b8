package leaderboard

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Likes ranks posts by how many users like them.
type Likes struct {
	Board // of the posts; only Like and Unlike should change it

	prefix string
}

// like puts the user ARGV[2] among those who like the post ARGV[1], or takes it away when ARGV[3] is "SREM". It replies with whether
// that changed anything, and the likes there are now. A post that nobody likes leaves the board.
// Both commands are spelt out, so that a server can tell beforehand what the script will do.
var like = redis.NewScript(`
local changed
if ARGV[3] == 'SREM' then
	changed = redis.call('SREM', KEYS[2], ARGV[2])
else
	changed = redis.call('SADD', KEYS[2], ARGV[2])
end
local n = redis.call('SCARD', KEYS[2])
if changed == 1 then
	if n == 0 then
		redis.call('ZREM', KEYS[1], ARGV[1])
	else
		redis.call('ZADD', KEYS[1], n, ARGV[1])
	end
end
return {changed, n}
`)

// NewLikes returns the likes kept under a name without braces, all in one slot of a cluster.
func NewLikes(rdb redis.UniversalClient, name string) (*Likes, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	return &Likes{Board: Board{rdb: rdb, key: "{" + name + "}:likes"}, prefix: "{" + name + "}:by:"}, nil
}

func checkName(name string) error {
	if len(name) == 0 || len(name) > maxMember || strings.ContainsAny(name, "{}") {
		return fmt.Errorf("leaderboard: a board's name has 1 to %d bytes and no braces", maxMember)
	}
	return nil
}

// Like makes user like post, and returns how many do. What a user likes already is not counted again, so a request may be repeated;
// counted says whether this one was.
func (l *Likes) Like(ctx context.Context, post, user string) (likes int64, counted bool, err error) {
	return l.change(ctx, post, user, "SADD")
}

// Unlike takes a like back, if there is one.
func (l *Likes) Unlike(ctx context.Context, post, user string) (likes int64, counted bool, err error) {
	return l.change(ctx, post, user, "SREM")
}

func (l *Likes) change(ctx context.Context, post, user, how string) (int64, bool, error) {
	if err := errors.Join(checkMember(post), checkMember(user)); err != nil {
		return 0, false, err
	}
	r, err := like.Run(ctx, l.rdb, []string{l.key, l.prefix + post}, post, user, how).Int64Slice()
	if err != nil {
		return 0, false, fmt.Errorf("leaderboard: like: %w", err)
	}
	if len(r) != 2 {
		return 0, false, fmt.Errorf("leaderboard: like: a reply of %d values", len(r))
	}
	return r[1], r[0] == 1, nil
}
