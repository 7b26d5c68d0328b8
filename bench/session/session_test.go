package session_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/bench/internal/benchtest"
	"github.com/streampulse/pulse/bench/session"
)

// hand is a clock that is set by hand.
type hand struct{ ms atomic.Int64 }

func (h *hand) now() time.Time          { return time.UnixMilli(h.ms.Load()) }
func (h *hand) forward(d time.Duration) { h.ms.Add(d.Milliseconds()) }

const (
	idle = 20 * time.Minute
	most = 8 * time.Hour
)

func open(t *testing.T, o session.Options) (*session.Sessions, *redis.Client, string, *hand) {
	t.Helper()
	rdb, prefix := benchtest.Client(t)
	h := &hand{}
	h.ms.Store(1_800_000_000_000)
	if o.Idle == 0 {
		o.Idle, o.Max = idle, most
	}
	o.Now = h.now
	s, err := session.New(rdb, prefix, o)
	if err != nil {
		t.Fatal(err)
	}
	return s, rdb, prefix, h
}

func create(t *testing.T, s *session.Sessions, user string, data map[string]string) string {
	t.Helper()
	id, err := s.Create(context.Background(), user, data)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func alive(t *testing.T, s *session.Sessions, id string) bool {
	t.Helper()
	_, err := s.Get(context.Background(), id)
	if err != nil && !errors.Is(err, session.ErrNoSession) {
		t.Fatal(err)
	}
	return err == nil
}

func TestCreateAndGet(t *testing.T) {
	t.Parallel()
	s, rdb, prefix, h := open(t, session.Options{})
	ctx := context.Background()
	data := map[string]string{"theme": "dark", "user": "not the user", "": ""}
	delete(data, "")
	id := create(t, s, "ann", data)
	sess, err := s.Get(ctx, id)
	if err != nil || sess.User != "ann" || !maps.Equal(sess.Data, data) || !sess.Began.Equal(h.now()) || !sess.Seen.Equal(h.now()) {
		t.Errorf("%+v, %v", sess, err)
	}
	if err := s.Set(ctx, id, map[string]string{"theme": "light", "lang": "no"}); err != nil {
		t.Error(err)
	}
	want := map[string]string{"theme": "light", "user": "not the user", "lang": "no"}
	if sess, err := s.Get(ctx, id); err != nil || !maps.Equal(sess.Data, want) {
		t.Errorf("%+v, %v", sess, err)
	}
	// Nothing in the server helps to log in.
	for _, key := range rdb.Keys(ctx, prefix+"*").Val() {
		if strings.Contains(key, id[16:]) {
			t.Errorf("the id stands in the key %q", key)
		}
	}
	if alive(t, s, id[:16]+sess.Handle) {
		t.Error("the handle is an id")
	}
	if other := create(t, s, "ann", nil); other == id || len(other) != 48 {
		t.Errorf("a second id %q", other)
	}
}

// The deadline slides with use, at most by a twentieth of Idle too little, and never beyond Max.
func TestSlidingDeadline(t *testing.T) {
	t.Parallel()
	s, rdb, prefix, h := open(t, session.Options{})
	ctx := context.Background()
	unused, used := create(t, s, "ann", nil), create(t, s, "bob", nil)
	begin := h.now()
	for h.now().Add(idle * 3 / 4).Before(begin.Add(most)) {
		h.forward(idle * 3 / 4)
		if !alive(t, s, used) {
			t.Fatalf("ended after %v, in use", h.now().Sub(begin))
		}
		if h.now().Sub(begin) >= idle && alive(t, s, unused) {
			t.Fatalf("unused for %v, and there", h.now().Sub(begin))
		}
		ttl := rdb.PTTL(ctx, keyOf(t, rdb, prefix)).Val()
		if want := min(idle, begin.Add(most).Sub(h.now())); ttl > want || ttl < want-10*time.Second {
			t.Fatalf("the server ends it in %v, want %v", ttl, want)
		}
	}
	h.ms.Store(begin.Add(most).UnixMilli())
	if alive(t, s, used) {
		t.Error("it outlived its longest time")
	}

	id := create(t, s, "eve", nil)
	h.forward(idle/20 - time.Millisecond)
	if !alive(t, s, id) { // too early to write
		t.Error("gone")
	}
	h.forward(idle - idle/20 + time.Millisecond)
	if alive(t, s, id) {
		t.Error("a use within the first twentieth counted, or time did not")
	}
}

// keyOf returns the key of the session of bob.
func keyOf(t *testing.T, rdb *redis.Client, prefix string) string {
	t.Helper()
	var found string
	for _, key := range rdb.Keys(context.Background(), prefix+"*}:*").Val() {
		if rdb.HGet(context.Background(), key, "user").Val() == "bob" {
			found = key
		}
	}
	if found == "" {
		t.Fatal("no session of bob")
	}
	return found
}

// With the server's own clock sessions end by themselves, too.
func TestTheServerEndsSessions(t *testing.T) {
	t.Parallel()
	rdb, prefix := benchtest.Client(t)
	s, err := session.New(rdb, prefix, session.Options{Idle: 100 * time.Millisecond, Max: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	begin := time.Now()
	id := create(t, s, "ann", nil)
	for alive(t, s, id) {
		if time.Since(begin) > 10*time.Second {
			t.Fatal("in use, it never ended")
		}
		time.Sleep(5 * time.Millisecond)
	}
	for len(rdb.Keys(ctx, prefix+"*").Val()) > 0 {
		if time.Since(begin) > 10*time.Second {
			t.Fatal("keys are left")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// What an attacker planted in a browser before its user logged in is worth nothing afterwards.
func TestFixation(t *testing.T) {
	t.Parallel()
	s, _, _, _ := open(t, session.Options{})
	ctx := context.Background()
	planted := create(t, s, "", map[string]string{"cart": "3 apples"})
	id, err := s.Login(ctx, planted, "ann", map[string]string{"theme": "dark"})
	if err != nil || id == planted {
		t.Fatalf("%q, %v", id, err)
	}
	if alive(t, s, planted) {
		t.Error("the planted id is good after the login")
	}
	sess, err := s.Get(ctx, id)
	if err != nil || sess.User != "ann" || !maps.Equal(sess.Data, map[string]string{"cart": "3 apples", "theme": "dark"}) {
		t.Errorf("%+v, %v", sess, err)
	}
	// An id that was never made here is not adopted, in whatever form.
	for _, made := range []string{strings.Repeat("A", 48), "", "ann", id[:47] + "}", id[:16] + planted[16:]} {
		got, err := s.Login(ctx, made, "bob", nil)
		if err != nil || got == made || alive(t, s, made) {
			t.Errorf("%q became %q, %v", made, got, err)
		}
	}
	// What another user left in the browser is not carried over, and their session ends.
	got, err := s.Login(ctx, id, "bob", nil)
	if err != nil || alive(t, s, id) {
		t.Fatalf("%v; ann is still logged in: %v", err, alive(t, s, id))
	}
	if sess, err := s.Get(ctx, got); err != nil || sess.User != "bob" || len(sess.Data) != 0 {
		t.Errorf("%+v, %v", sess, err)
	}
}

// Of many who rotate one id at once, a single one has the session, and there is never a moment with two ids or none.
func TestRotation(t *testing.T) {
	t.Parallel()
	s, _, _, _ := open(t, session.Options{})
	ctx := context.Background()
	id := create(t, s, "ann", map[string]string{"a": "b"})
	for range 10 {
		var next atomic.Value
		var won atomic.Int64
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				switch got, err := s.Rotate(ctx, id); {
				case err == nil:
					won.Add(1)
					next.Store(got)
				case !errors.Is(err, session.ErrNoSession):
					t.Error(err)
				}
			})
		}
		for range 4 {
			wg.Go(func() {
				if list, err := s.List(ctx, "ann"); err != nil || len(list) > 1 {
					t.Errorf("%d sessions, %v", len(list), err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 || alive(t, s, id) {
			t.Fatalf("%d rotated; the old id is good: %v", won.Load(), alive(t, s, id))
		}
		id = next.Load().(string)
	}
	sess, err := s.Get(ctx, id)
	if err != nil || sess.User != "ann" || sess.Data["a"] != "b" {
		t.Errorf("%+v, %v", sess, err)
	}
	if list, err := s.List(ctx, "ann"); err != nil || len(list) != 1 || list[0].Handle != sess.Handle {
		t.Errorf("%v, %v", list, err)
	}
}

func TestRotationDoesNotProlongBeyondMax(t *testing.T) {
	t.Parallel()
	s, _, _, h := open(t, session.Options{Idle: time.Hour, Max: time.Hour})
	id := create(t, s, "ann", nil)
	h.forward(59 * time.Minute)
	id, err := s.Rotate(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	h.forward(time.Minute)
	if alive(t, s, id) {
		t.Error("rotation made it younger")
	}
	if _, err := s.Rotate(context.Background(), id); !errors.Is(err, session.ErrNoSession) {
		t.Errorf("rotating what has ended: %v", err)
	}
}

func TestListAndRevoke(t *testing.T) {
	t.Parallel()
	s, _, _, h := open(t, session.Options{})
	ctx := context.Background()
	var ids []string
	for i := range 4 {
		ids = append(ids, create(t, s, "ann", map[string]string{"n": fmt.Sprint(i)}))
		h.forward(time.Minute)
	}
	bob := create(t, s, "bob", nil)
	alive(t, s, ids[1])
	list, err := s.List(ctx, "ann")
	if err != nil || len(list) != 4 {
		t.Fatalf("%v, %v", list, err)
	}
	for i, n := range []string{"1", "3", "2", "0"} { // by last use
		if list[i].Data["n"] != n {
			t.Errorf("%d: session %s, want %s", i, list[i].Data["n"], n)
		}
	}
	if err := s.RevokeHandle(ctx, "ann", list[3].Handle); err != nil || alive(t, s, ids[0]) {
		t.Errorf("%v", err)
	}
	for user, handle := range map[string]string{"ann": list[3].Handle, "bob": list[0].Handle, "": list[0].Handle, "eve": "x"} {
		if err := s.RevokeHandle(ctx, user, handle); !errors.Is(err, session.ErrNoSession) {
			t.Errorf("%s revoked %s: %v", user, handle, err)
		}
	}
	for range 2 {
		if err := s.Revoke(ctx, ids[1]); err != nil || alive(t, s, ids[1]) {
			t.Errorf("%v", err)
		}
	}
	if n, err := s.RevokeUser(ctx, "ann", ids[2]); err != nil || n != 1 || !alive(t, s, ids[2]) || alive(t, s, ids[3]) {
		t.Errorf("all but one: %d, %v", n, err)
	}
	if n, err := s.RevokeUser(ctx, "ann", bob); err != nil || n != 1 || alive(t, s, ids[2]) {
		t.Errorf("all: %d, %v", n, err)
	}
	if list, err := s.List(ctx, "ann"); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
	if !alive(t, s, bob) {
		t.Error("bob was logged out")
	}
}

// A stolen session that is rotated without pause does not escape.
func TestRevokeUserMeetsRotations(t *testing.T) {
	t.Parallel()
	s, _, _, _ := open(t, session.Options{})
	ctx := context.Background()
	for range 5 {
		var wg sync.WaitGroup
		var last sync.Map
		for w := range 8 {
			id := create(t, s, "ann", nil)
			wg.Go(func() {
				for {
					next, err := s.Rotate(ctx, id)
					if err != nil {
						if !errors.Is(err, session.ErrNoSession) {
							t.Error(err)
						}
						last.Store(w, id)
						return
					}
					id = next
				}
			})
		}
		n, err := s.RevokeUser(ctx, "ann", "")
		if err != nil || n != 8 {
			t.Errorf("%d ended, %v", n, err)
		}
		wg.Wait() // would not end if one had escaped
		last.Range(func(_, id any) bool {
			if alive(t, s, id.(string)) {
				t.Error("a session was left")
			}
			return true
		})
	}
}

func TestLimit(t *testing.T) {
	t.Parallel()
	s, _, _, h := open(t, session.Options{Idle: time.Minute, Max: time.Hour, Limit: 5})
	ctx := context.Background()
	var made atomic.Int64
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := s.Create(ctx, "ann", nil); err == nil {
				made.Add(1)
			} else if !errors.Is(err, session.ErrTooMany) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if made.Load() != 5 {
		t.Errorf("%d sessions of 5", made.Load())
	}
	h.forward(time.Hour)
	create(t, s, "ann", nil)
	for range 20 { // each with a list of its own
		create(t, s, "", nil)
	}
}

// Both ways to keep one-time tokens behave alike. Where the server has no HPEXPIRE both are the same.
func TestOneTimeTokens(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string]bool{"the server's way": false, "keys": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, rdb, prefix, h := open(t, session.Options{TokenKeys: keys})
			ctx := context.Background()
			id, other := create(t, s, "ann", nil), create(t, s, "ann", nil)
			issue := func(purpose string) string {
				t.Helper()
				token, err := s.Issue(ctx, id, purpose, time.Minute)
				if err != nil {
					t.Fatal(err)
				}
				return token
			}
			want := func(what error, id, purpose, token string) {
				t.Helper()
				if err := s.Redeem(ctx, id, purpose, token); !errors.Is(err, what) {
					t.Errorf("%s: %v, want %v", purpose, err, what)
				}
			}
			token := issue("pay")
			want(session.ErrToken, id, "pay", strings.Repeat("A", 32))
			want(session.ErrToken, id, "pay", "")
			want(session.ErrToken, id, "mail", token)
			want(session.ErrToken, other, "pay", token)
			var won atomic.Int64
			var wg sync.WaitGroup
			for range 16 {
				wg.Go(func() {
					if err := s.Redeem(ctx, id, "pay", token); err == nil {
						won.Add(1)
					} else if !errors.Is(err, session.ErrToken) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if won.Load() != 1 {
				t.Errorf("redeemed %d times", won.Load())
			}

			first, second := issue("pay"), issue("pay")
			want(session.ErrToken, id, "pay", first)
			want(nil, id, "pay", second)

			late := issue("pay")
			h.forward(time.Minute)
			want(session.ErrToken, id, "pay", late)

			brief, err := s.Issue(ctx, id, "brief", time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			// The clock of the test stands still: it is the server that ends this one.
			time.Sleep(5 * time.Millisecond)
			want(session.ErrToken, id, "brief", brief)

			kept := issue("kept")
			next, err := s.Rotate(ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			want(session.ErrNoSession, id, "kept", kept)
			want(session.ErrToken, next, "kept", kept)

			id = next
			gone := issue("gone")
			if err := s.Revoke(ctx, id); err != nil {
				t.Fatal(err)
			}
			want(session.ErrNoSession, id, "gone", gone)
			if _, err := s.Issue(ctx, id, "pay", time.Minute); !errors.Is(err, session.ErrNoSession) {
				t.Errorf("issued for what has ended: %v", err)
			}
			for _, key := range rdb.Keys(ctx, prefix+"*").Val() {
				if rdb.TTL(ctx, key).Val() <= 0 {
					t.Errorf("%s never ends", key)
				}
			}
		})
	}
}

func TestNonsenseIsRefused(t *testing.T) {
	t.Parallel()
	s, rdb, prefix, _ := open(t, session.Options{})
	ctx := context.Background()
	for _, o := range []session.Options{
		{}, {Idle: time.Minute}, {Idle: time.Minute, Max: time.Second}, {Idle: time.Millisecond, Max: time.Hour}, {Idle: time.Hour, Max: 1 << 62},
		{Idle: time.Hour, Max: time.Hour, Limit: -1}, {Idle: time.Hour, Max: time.Hour, Limit: 1 << 30},
	} {
		if _, err := session.New(rdb, prefix, o); err == nil {
			t.Errorf("%+v passed", o)
		}
	}
	if _, err := session.New(rdb, "a}", session.Options{Idle: idle, Max: most}); err == nil {
		t.Error("a brace passed")
	}
	many := map[string]string{}
	for i := range 65 {
		many[fmt.Sprint(i)] = ""
	}
	id := create(t, s, "\x00{}\xff", nil)
	for _, data := range []map[string]string{{"": "x"}, {strings.Repeat("n", 65): "x"}, {"n": strings.Repeat("v", 16385)}, many} {
		if _, err := s.Create(ctx, "ann", data); err == nil {
			t.Errorf("%d data passed", len(data))
		}
		if err := s.Set(ctx, id, data); err == nil || errors.Is(err, session.ErrNoSession) {
			t.Errorf("%d data set: %v", len(data), err)
		}
	}
	delete(many, "0")
	for range 2 { // the same names again are no more of them
		if err := s.Set(ctx, id, many); err != nil {
			t.Error(err)
		}
	}
	if err := s.Set(ctx, id, map[string]string{"0": ""}); err == nil || errors.Is(err, session.ErrNoSession) {
		t.Errorf("a 65th: %v", err)
	}
	if _, err := s.Create(ctx, strings.Repeat("u", 513), nil); err == nil {
		t.Error("a long user passed")
	}
	if _, err := s.Login(ctx, id, "", nil); err == nil || !alive(t, s, id) {
		t.Errorf("nobody logged in: %v", err)
	}
	for _, bad := range []string{"", "x", strings.Repeat("A", 47), strings.Repeat("A", 49), strings.Repeat("A", 47) + "}", strings.Repeat("\x00", 48), strings.Repeat("A", 1<<20)} {
		_, err1 := s.Get(ctx, bad)
		_, err2 := s.Rotate(ctx, bad)
		_, err3 := s.Issue(ctx, bad, "pay", time.Minute)
		for _, err := range []error{err1, err2, err3, s.Set(ctx, bad, map[string]string{"a": "b"}), s.Redeem(ctx, bad, "pay", "x")} {
			if !errors.Is(err, session.ErrNoSession) {
				t.Errorf("id %.50q: %v", bad, err)
			}
		}
	}
	for _, purpose := range []string{"", "a b", "a:b", strings.Repeat("p", 65)} {
		if _, err := s.Issue(ctx, id, purpose, time.Minute); err == nil {
			t.Errorf("purpose %q passed", purpose)
		}
	}
	for _, ttl := range []time.Duration{0, -1, time.Microsecond, most + 1} {
		if _, err := s.Issue(ctx, id, "pay", ttl); err == nil {
			t.Errorf("a token for %v", ttl)
		}
	}
	for _, user := range []string{"", strings.Repeat("u", 513)} {
		_, err1 := s.List(ctx, user)
		_, err2 := s.RevokeUser(ctx, user, "")
		if err1 == nil || err2 == nil {
			t.Errorf("user of %d bytes: %v, %v", len(user), err1, err2)
		}
	}
}
