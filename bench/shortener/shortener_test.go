package shortener_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/bench/internal/benchtest"
	"github.com/streampulse/pulse/bench/shortener"
)

const target = "https://example.com/a/long/path?q=1#part"

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// fixture is a Shortener with random codes whose day is set by hand.
func fixture(t *testing.T, codes shortener.Source) (*shortener.Shortener, *redis.Client, string, *atomic.Pointer[time.Time]) {
	t.Helper()
	rdb, prefix := benchtest.Client(t)
	now := &atomic.Pointer[time.Time]{}
	now.Store(&noon)
	if codes == nil {
		var err error
		if codes, err = shortener.NewRandom(7, nil); err != nil {
			t.Fatal(err)
		}
	}
	s, err := shortener.New(rdb, prefix, codes, shortener.Options{Now: func() time.Time { return *now.Load() }})
	if err != nil {
		t.Fatal(err)
	}
	return s, rdb, prefix, now
}

// fixed is a source that gives its codes one after another.
type fixed struct {
	mu    sync.Mutex
	codes []string
}

func (f *fixed) Next(context.Context) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.codes) == 0 {
		return "", errors.New("no more")
	}
	c := f.codes[0]
	f.codes = f.codes[1:]
	return c, nil
}

func TestManyShortenAtOnce(t *testing.T) {
	t.Parallel()
	rdb, prefix := benchtest.Client(t)
	ctx := context.Background()
	seq, err := shortener.NewSequential(rdb, prefix+"counter", 2, []byte("sixteen bytes or more"))
	if err != nil {
		t.Fatal(err)
	}
	// 3,844 codes of two characters: random ones do collide.
	rnd, err := shortener.NewRandom(2, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, src := range map[string]shortener.Source{"sequential": seq, "random": rnd} {
		s, err := shortener.New(rdb, prefix+name+":", src, shortener.Options{})
		if err != nil {
			t.Fatal(err)
		}
		const workers, each = 16, 40
		var made sync.Map
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				for i := range each {
					u := fmt.Sprintf("https://example.com/%d/%d", w, i)
					code, err := s.Shorten(ctx, u, 0)
					if err != nil {
						t.Error(err)
						return
					}
					if other, twice := made.LoadOrStore(code, u); twice {
						t.Errorf("%s: %q stands for %s and %s", name, code, other, u)
					}
				}
			})
		}
		wg.Wait()
		n := 0
		made.Range(func(code, u any) bool {
			n++
			if l, err := s.Resolve(ctx, code.(string)); err != nil || l.URL != u || !l.Ends.IsZero() {
				t.Errorf("%s: %q leads to %+v, %v; want %s", name, code, l, err, u)
			}
			return true
		})
		if n != workers*each {
			t.Errorf("%s: %d links", name, n)
		}
	}
}

func TestOneGetsTheAlias(t *testing.T) {
	t.Parallel()
	s, _, _, _ := fixture(t, nil)
	ctx := context.Background()
	var won, lost atomic.Int64
	var winner atomic.Value
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			u := "https://example.com/" + strconv.Itoa(i)
			switch err := s.Alias(ctx, "spring-sale", u, 0); {
			case err == nil:
				won.Add(1)
				winner.Store(u)
			case errors.Is(err, shortener.ErrTaken):
				lost.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || lost.Load() != 29 {
		t.Fatalf("%d won, %d lost", won.Load(), lost.Load())
	}
	if l, err := s.Resolve(ctx, "spring-sale"); err != nil || l.URL != winner.Load() {
		t.Errorf("%+v, %v; want %s", l, err, winner.Load())
	}
}

// A code of the source that is somebody's alias is stepped over; a source that has nothing else is given up.
func TestAliasInTheWay(t *testing.T) {
	t.Parallel()
	src := &fixed{codes: []string{"taken", "free1"}}
	s, _, _, _ := fixture(t, src)
	ctx := context.Background()
	if err := s.Alias(ctx, "taken", target, 0); err != nil {
		t.Fatal(err)
	}
	if code, err := s.Shorten(ctx, target, 0); err != nil || code != "free1" {
		t.Errorf("%q, %v", code, err)
	}
	for range 1000 {
		src.codes = append(src.codes, "taken")
	}
	if code, err := s.Shorten(ctx, target, 0); !errors.Is(err, shortener.ErrFull) {
		t.Errorf("%q, %v", code, err)
	}
	src.codes = []string{"}bad"}
	if code, err := s.Shorten(ctx, target, 0); err == nil || errors.Is(err, shortener.ErrFull) {
		t.Errorf("%q, %v", code, err)
	}
}

func TestVisitsAreCounted(t *testing.T) {
	t.Parallel()
	s, _, _, now := fixture(t, nil)
	ctx := context.Background()
	code, err := s.Shorten(ctx, target, 0)
	if err != nil {
		t.Fatal(err)
	}
	const workers, each, people = 16, 50, 200
	next := noon.AddDate(0, 0, 2)
	for d, at := range []time.Time{noon, next} {
		now.Store(&at)
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				for i := range each {
					if u, err := s.Visit(ctx, code, "visitor"+strconv.Itoa((w*each+i)%people)); err != nil || u != target {
						t.Errorf("%q, %v", u, err)
					}
				}
			})
		}
		wg.Wait()
		if d == 0 {
			if _, err := s.Visit(ctx, code, ""); err != nil { // a click, but no visitor
				t.Error(err)
			}
		}
	}
	st, err := s.Stats(ctx, code, noon.AddDate(0, 0, -1), next)
	if err != nil {
		t.Fatal(err)
	}
	if st.Clicks != 2*workers*each+1 || st.Visitors < people*95/100 || st.Visitors > people*105/100 {
		t.Errorf("%+v", st)
	}
	want := []shortener.Day{{"2026-02-28", 0}, {"2026-03-01", workers*each + 1}, {"2026-03-02", 0}, {"2026-03-03", workers * each}}
	if fmt.Sprint(st.Daily) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", st.Daily, want)
	}
}

// Guessing codes leaves nothing in the server.
func TestUnknownCodes(t *testing.T) {
	t.Parallel()
	s, rdb, prefix, _ := fixture(t, nil)
	ctx := context.Background()
	for _, code := range []string{"nobody", "", "a}b", "a b", "\x00", strings.Repeat("x", 33), "a{b"} {
		if u, err := s.Visit(ctx, code, "ann"); !errors.Is(err, shortener.ErrNotFound) {
			t.Errorf("%q: %q, %v", code, u, err)
		}
		if err := s.Delete(ctx, code); !errors.Is(err, shortener.ErrNotFound) {
			t.Errorf("deleting %q: %v", code, err)
		}
	}
	if st, err := s.Stats(ctx, "nobody", noon, noon); err != nil || st.Clicks != 0 || st.Visitors != 0 || len(st.Daily) != 1 {
		t.Errorf("%+v, %v", st, err)
	}
	if left, err := rdb.Keys(ctx, prefix+"*").Result(); err != nil || len(left) != 0 {
		t.Errorf("%q, %v", left, err)
	}
}

func TestLinksEnd(t *testing.T) {
	t.Parallel()
	s, rdb, prefix, _ := fixture(t, nil)
	ctx := context.Background()
	if err := s.Alias(ctx, "offer", target, time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Visit(ctx, "offer", "ann"); err != nil {
		t.Fatal(err)
	}
	l, err := s.Resolve(ctx, "offer")
	if err != nil {
		t.Fatal(err)
	}
	link := rdb.PTTL(ctx, prefix+"{offer}").Val()
	if link <= 0 || link > time.Hour {
		t.Errorf("the link has %v left", link)
	}
	for _, what := range []string{"clicks", "visitors", "daily"} {
		ends := rdb.PExpireTime(ctx, prefix+"{offer}:"+what).Val()
		if want := l.Ends.Add(30 * 24 * time.Hour); time.UnixMilli(ends.Milliseconds()) != want {
			t.Errorf("%s end at %v, want %v", what, ends, want)
		}
	}
	// Its end, brought forward.
	if err := rdb.PExpireAt(ctx, prefix+"{offer}", time.UnixMilli(1)).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Visit(ctx, "offer", "bob"); !errors.Is(err, shortener.ErrNotFound) {
		t.Errorf("visit after the end: %v", err)
	}
	if st, err := s.Stats(ctx, "offer", noon, noon); err != nil || st.Clicks != 1 {
		t.Errorf("%+v, %v", st, err)
	}
	// Who takes the code now begins at zero.
	if err := s.Alias(ctx, "offer", "http://example.org/", 0); err != nil {
		t.Fatal(err)
	}
	if st, err := s.Stats(ctx, "offer", noon, noon); err != nil || st.Clicks != 0 || st.Visitors != 0 || st.Daily[0].Clicks != 0 {
		t.Errorf("%+v, %v", st, err)
	}
	if err := s.Alias(ctx, "brief", target, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	for begin := time.Now(); ; {
		if _, err := s.Resolve(ctx, "brief"); errors.Is(err, shortener.ErrNotFound) {
			break
		} else if err != nil || time.Since(begin) > 10*time.Second {
			t.Fatalf("the link did not end: %v", err)
		}
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	s, rdb, prefix, _ := fixture(t, nil)
	ctx := context.Background()
	if err := s.Alias(ctx, "mistake", target, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Visit(ctx, "mistake", "ann"); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(ctx, "mistake"); err != nil {
		t.Fatal(err)
	}
	if left, err := rdb.Keys(ctx, prefix+"*").Result(); err != nil || len(left) != 0 {
		t.Errorf("%q, %v", left, err)
	}
	if err := s.Alias(ctx, "mistake", target, 0); err != nil {
		t.Error(err)
	}
}

func TestNonsenseIsRefused(t *testing.T) {
	t.Parallel()
	s, rdb, prefix, _ := fixture(t, nil)
	ctx := context.Background()
	for _, u := range []string{
		"", "example.com", "//example.com/", "ftp://example.com/", "javascript:alert(1)", "http://", "http:///path", "http://:80/",
		"https://example.com/\r\nSet-Cookie: a=b", "https://example.com/ x", "https://example.com/\u202e", "https://bank.com@evil.com/",
		"https://example.com/\xff", "http://%zz/", "https://example.com/" + strings.Repeat("x", 2048), "mailto:a@example.com",
	} {
		if code, err := s.Shorten(ctx, u, 0); !errors.Is(err, shortener.ErrURL) {
			t.Errorf("%.40q became %q, %v", u, code, err)
		}
	}
	for _, alias := range []string{"", "ab", "a b c", "a/b", "../..", "ünicode", "{abc}", strings.Repeat("a", 33)} {
		if err := s.Alias(ctx, alias, target, 0); err == nil || errors.Is(err, shortener.ErrTaken) {
			t.Errorf("alias %q: %v", alias, err)
		}
	}
	for _, ttl := range []time.Duration{-1, time.Microsecond, 1 << 62} {
		if code, err := s.Shorten(ctx, target, ttl); err == nil {
			t.Errorf("%q for %v", code, ttl)
		}
	}
	if err := s.Alias(ctx, "known", target, 0); err != nil {
		t.Fatal(err)
	}
	if u, err := s.Visit(ctx, "known", strings.Repeat("v", 513)); err == nil || u != target {
		t.Errorf("a long visitor: %q, %v", u, err)
	}
	if err := s.Count(ctx, shortener.Link{URL: target}, "v"); err == nil {
		t.Error("a link of nowhere was counted")
	}
	for _, span := range [][2]time.Time{{noon, noon.AddDate(0, 0, -1)}, {noon, noon.AddDate(11, 0, 0)}} {
		if _, err := s.Stats(ctx, "known", span[0], span[1]); err == nil {
			t.Errorf("stats of %v", span)
		}
	}
	src, _ := shortener.NewRandom(7, nil)
	for _, o := range []shortener.Options{{Keep: -1}, {Keep: 1 << 62}} {
		if _, err := shortener.New(rdb, prefix, src, o); err == nil {
			t.Errorf("%+v passed", o)
		}
	}
	if _, err := shortener.New(rdb, prefix, nil, shortener.Options{}); err == nil {
		t.Error("no source passed")
	}
	if _, err := shortener.New(rdb, "a{b", src, shortener.Options{}); err == nil {
		t.Error("a brace passed")
	}
	own := errors.New("that is ourselves")
	vetoed, err := shortener.New(rdb, prefix, src, shortener.Options{Veto: func(u *url.URL) error {
		if strings.EqualFold(u.Hostname(), "sho.rt") {
			return own
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := vetoed.Shorten(ctx, "https://SHO.RT/abc", 0); !errors.Is(err, own) || !errors.Is(err, shortener.ErrURL) {
		t.Errorf("a loop: %v", err)
	}
	if err := rdb.LPush(ctx, prefix+"{listed}", "not a link").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Resolve(ctx, "listed"); err == nil || errors.Is(err, shortener.ErrNotFound) {
		t.Errorf("a key of another type: %v", err)
	}
}
