package jobs

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/streampulse/pulse/bench/profile"
	"github.com/streampulse/pulse/cmd/streampulse/internal/avatar"
)

// Picture is which one a user has. It has a row of its own in the database of profiles: a worker that notes a new picture and a user who
// changes a name at the same time write different rows, so neither can undo what the other did.
type Picture struct {
	User, Job, Extension string
	At                   int64 // of its Task
}

// Row is the id under which a user's picture is a profile. The id of a user has no colon.
func Row(user string) string { return "avatar:" + user }

// Key is where the picture of a size is.
func (p *Picture) Key(side int) string {
	return fmt.Sprintf("avatars/%s/%s-%d.%s", p.User, p.Job, side, p.Extension)
}

// Keys are those of all sizes.
func (p *Picture) Keys() []string {
	keys := make([]string, len(avatar.Sizes))
	for i, side := range avatar.Sizes {
		keys[i] = p.Key(side)
	}
	return keys
}

// Fields are its row.
func (p *Picture) Fields() profile.Profile {
	return profile.Profile{"job": p.Job, "extension": p.Extension, "at": strconv.FormatInt(p.At, 10)}
}

// CurrentPicture returns a user's picture from whatever has rows, a cache or a database; nil when there is none.
func CurrentPicture(ctx context.Context, user string, get func(ctx context.Context, id string) (profile.Profile, error)) (*Picture, error) {
	row, err := get(ctx, Row(user))
	if errors.Is(err, profile.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p := &Picture{User: user, Job: row["job"], Extension: row["extension"]}
	if p.At, err = strconv.ParseInt(row["at"], 10, 64); err != nil || !IsID(p.Job) || p.Extension != "png" && p.Extension != "jpg" {
		return nil, fmt.Errorf("jobs: the row of the picture of %q is none", user)
	}
	return p, nil
}
