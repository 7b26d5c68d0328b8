package commands

import "github.com/streampulse/pulse/store"

// BlockedInTime reports whether the client waits for keys, for no longer than a time that it gave.
func (c *Conn) BlockedInTime() bool { return c.blocked != nil && c.blocked.wait.Timeout > 0 }

// WakesWithoutKey reports whether w, one of those who wait for a key, wants to know that the key has gone, too.
func WakesWithoutKey(w *store.Waiter) bool {
	b, ok := w.Owner.(*blockedCall)
	return ok && b.spec.full == "xreadgroup"
}
