package commands

import "github.com/streampulse/pulse/internal/invariants"

// What has changed goes to the feed of the store (store.Feed): by default the request as it came, which does the same
// again when it is run after all that was run before it. That does not hold for a request whose outcome depends on the time,
// on chance, or on whether somebody waited; its row says Effects, and its handler tells with Effect, as often as need be,
// which requests do. What runs other commands (EXEC, scripts) has no effects but theirs.

// Effect tells that the request args, on the database this one began in, does again what this one has changed, or the
// next part of it. It copies args. A caller that has to make them asks Feeding first, to save the work.
func (c *Call) Effect(args ...[]byte) {
	c.told = true
	if c.Tx.Feeding() {
		c.effect = append(c.effect[:0], args...)
		c.Tx.FeedCommand(c.db, c.effect)
		clear(c.effect)
	}
}

// AsCame tells that this request does again what it has changed.
func (c *Call) AsCame() { c.Effect(c.Args...) }

// NoEffect tells that nothing need be done again, although there were changes.
func (c *Call) NoEffect() { c.told = true }

// Feeding reports whether effects are of interest to anybody.
func (c *Call) Feeding() bool { return c.Tx.Feeding() }

// feed follows a request that has changed something.
func (k *Call) feed() {
	flags := k.Spec.Flags
	if invariants.Enabled {
		switch {
		case flags&(Write|MayReplicate|OwnLocks) == 0:
			panic("commands: " + k.Spec.full + " changed keys, but its row does not say Write")
		case flags&Effects != 0 && !k.told:
			panic("commands: " + k.Spec.full + " changed keys, but did not say what does that again")
		}
	}
	if flags&OwnLocks == 0 && !k.told {
		k.AsCame()
	}
}
