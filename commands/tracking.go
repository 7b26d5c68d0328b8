package commands

import (
	"slices"
	"strings"
)

// Client-side caching: the server remembers which keys a client has read and tells it when they change. What is remembered is
// the server's (Tracking); here is what a client asks for, and which commands read.

const (
	ErrTrackRedirects       = Error("ERR A client can only redirect to a single other client")
	ErrTrackRedirect        = Error("ERR The client ID you want redirect to does not exist")
	ErrTrackPrefix          = Error("ERR PREFIX option requires BCAST mode to be enabled")
	ErrTrackBroadcastSwitch = Error("ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.")
	ErrTrackOptBroadcast    = Error("ERR OPTIN and OPTOUT are not compatible with BCAST")
	ErrTrackOptBoth         = Error("ERR You can't specify both OPTIN mode and OPTOUT mode")
	ErrTrackOptSwitch       = Error("ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.")
	ErrCachingWithout       = Error("ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled")
	ErrCachingYes           = Error("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.")
	ErrCachingNo            = Error("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.")
)

func errPrefixExists(p, other string) error {
	return errorf("ERR Prefix '%s' overlaps with an existing prefix '%s'. Prefixes for a single client must not overlap.", p, other)
}

func errPrefixProvided(p, other string) error {
	return errorf("ERR Prefix '%s' overlaps with another provided prefix '%s'. Prefixes for a single client must not overlap.", p, other)
}

// Tracking remembers who has read what. Its methods are called by commands of c.
type Tracking interface {
	// Track makes c track as c.Tracking says; prefixes are added to those it has.
	Track(c *Conn, prefixes []string)
	// Untrack ends that.
	Untrack(c *Conn)
	// TrackRead notes that c has read key, whose shard is locked.
	TrackRead(c *Conn, key []byte)
	// TellNow has c told, before its reply, of what was evicted to make room for its command.
	TellNow(c *Conn)
	// TrackPrefixes lists the prefixes of c.
	TrackPrefixes(c *Conn) []string
	// HasClient reports whether there is a client of that number.
	HasClient(id int64) bool
}

// ClientTracking is what a client has asked for with CLIENT TRACKING.
type ClientTracking struct {
	On, Broadcast, OptIn, OptOut, NoLoop bool
	Redirect                             int64 // the client that gets the invalidations, 0: itself
	Broken                               bool  // that client is gone

	reads   bool // what it reads is remembered
	caching bool // CLIENT CACHING was the command before
}

// trackRead remembers the keys of a command that reads, while their shards are locked.
func (k *Call) trackRead() {
	t := &k.Conn.Tracking
	if t.OptIn && !t.caching || t.OptOut && t.caching {
		return
	}
	pos, _ := k.Spec.KeyPositions(k.Args, k.Conn.keys[:0])
	for _, p := range pos {
		k.Env.TrackRead(k.Conn, k.Args[p.Pos])
	}
	k.Conn.keys = pos[:0]
}

// endCaching follows a request: what CLIENT CACHING says holds for the one after it, and for a whole transaction.
func (c *Conn) endCaching(s *Spec) {
	if !c.InMulti() && (s == nil || s.parent == nil || s.parent.full != "client") {
		c.Tracking.caching = false
	}
}

// untrack ends tracking.
func (c *Conn) untrack() {
	if c.Tracking.On {
		c.Tracking = ClientTracking{}
		c.Env.Untrack(c)
	}
}

func clientTracking(c *Call) error {
	t := ClientTracking{On: true}
	var prefixes []string
	a := c.From(3)
	for a.More() {
		switch {
		case a.IsWith("REDIRECT", 1):
			if t.Redirect != 0 {
				return ErrTrackRedirects
			}
			if t.Redirect = a.Int(); a.Err() != nil {
				return a.Err()
			}
			if !c.Env.HasClient(t.Redirect) {
				return ErrTrackRedirect
			}
		case a.Is("BCAST"):
			t.Broadcast = true
		case a.Is("OPTIN"):
			t.OptIn = true
		case a.Is("OPTOUT"):
			t.OptOut = true
		case a.Is("NOLOOP"):
			t.NoLoop = true
		case a.IsWith("PREFIX", 1):
			prefixes = append(prefixes, string(a.Next()))
		default:
			return ErrSyntax
		}
	}
	switch {
	case is(c.Args[2], "ON"):
	case is(c.Args[2], "OFF"):
		c.Conn.untrack()
		c.OK()
		return nil
	default:
		return ErrSyntax
	}
	old := &c.Conn.Tracking
	switch {
	case !t.Broadcast && prefixes != nil:
		return ErrTrackPrefix
	case old.On && old.Broadcast != t.Broadcast:
		return ErrTrackBroadcastSwitch
	case t.Broadcast && (t.OptIn || t.OptOut):
		return ErrTrackOptBroadcast
	case t.OptIn && t.OptOut:
		return ErrTrackOptBoth
	case t.OptIn && old.OptOut || t.OptOut && old.OptIn:
		return ErrTrackOptSwitch
	}
	if t.Broadcast {
		if err := c.checkPrefixes(prefixes); err != nil {
			return err
		}
	}
	t.reads, t.caching = !t.Broadcast, old.caching
	c.Conn.Tracking = t
	c.Env.Track(c.Conn, prefixes)
	c.OK()
	return nil
}

// checkPrefixes refuses prefixes that overlap: the client would be told of a key twice.
func (c *Call) checkPrefixes(prefixes []string) error {
	if len(prefixes) == 0 {
		return nil
	}
	existing := c.Env.TrackPrefixes(c.Conn)
	overlap := func(a, b string) bool { return strings.HasPrefix(a, b) || strings.HasPrefix(b, a) }
	if all := len(prefixes) + len(existing); all > manyPrefixes {
		// Comparing all pairs would take too long. In order, whatever begins with a prefix follows it.
		sorted := slices.Concat(existing, prefixes)
		slices.Sort(sorted)
		for i := range sorted[1:] {
			if a, b := sorted[i], sorted[i+1]; overlap(a, b) && (slices.Contains(prefixes, a) || slices.Contains(prefixes, b)) {
				return errPrefixProvided(b, a)
			}
		}
		return nil
	}
	slices.Sort(existing)
	for i, p := range prefixes {
		for _, e := range existing {
			if overlap(p, e) {
				return errPrefixExists(p, e)
			}
		}
		for _, q := range prefixes[i+1:] {
			if overlap(p, q) {
				return errPrefixProvided(p, q)
			}
		}
	}
	return nil
}

// manyPrefixes is how many prefixes of a client are compared one by one.
const manyPrefixes = 2048

func clientCaching(c *Call) error {
	t := &c.Conn.Tracking
	switch mode := c.Args[2]; {
	case !t.On:
		return ErrCachingWithout
	case is(mode, "YES"):
		if !t.OptIn {
			return ErrCachingYes
		}
	case is(mode, "NO"):
		if !t.OptOut {
			return ErrCachingNo
		}
	default:
		return ErrSyntax
	}
	t.caching = true
	c.OK()
	return nil
}

// redirection is the field redir of CLIENT LIST.
func (t *ClientTracking) redirection() int64 {
	if !t.On {
		return -1
	}
	return t.Redirect
}

func clientGetredir(c *Call) error {
	c.Int(c.Conn.Tracking.redirection())
	return nil
}

func clientTrackinginfo(c *Call) error {
	t := &c.Conn.Tracking
	var flags []string
	for _, f := range []struct {
		on   bool
		name string
	}{
		{!t.On, "off"}, {t.On, "on"}, {t.Broadcast, "bcast"},
		{t.OptIn, "optin"}, {t.OptIn && t.caching, "caching-yes"},
		{t.OptOut, "optout"}, {t.OptOut && t.caching, "caching-no"},
		{t.NoLoop, "noloop"}, {t.Broken, "broken_redirect"},
	} {
		if f.on {
			flags = append(flags, f.name)
		}
	}
	c.Map(3)
	c.BulkString("flags")
	c.Set(len(flags))
	for _, f := range flags {
		c.BulkString(f)
	}
	c.BulkString("redirect")
	c.Int(t.redirection())
	c.BulkString("prefixes")
	prefixes := c.Env.TrackPrefixes(c.Conn)
	slices.Sort(prefixes)
	c.Array(len(prefixes))
	for _, p := range prefixes {
		c.BulkString(p)
	}
	return nil
}
