package commands

import (
	"strconv"

	"github.com/streampulse/pulse/internal/invariants"
	"github.com/streampulse/pulse/store"
)

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
func (c *Call) AsCame() {
	if c.table.originals == nil {
		c.Effect(c.Args...)
		return
	}
	c.Effect(append([][]byte{c.original()}, c.Args[1:]...)...)
}

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

// Words that effects are made of.
var (
	wordDel, wordHDel, wordSRem               = []byte("DEL"), []byte("HDEL"), []byte("SREM")
	wordSet, wordPXAt, wordKeepTTL            = []byte("SET"), []byte("PXAT"), []byte("KEEPTTL")
	wordPExpireAt, wordPersist                = []byte("PEXPIREAT"), []byte("PERSIST")
	wordHSet, wordHSetEx, wordFields, wordOne = []byte("HSET"), []byte("HSETEX"), []byte("FIELDS"), []byte("1")
	wordHPExpireAt, wordHPersist              = []byte("HPEXPIREAT"), []byte("HPERSIST")
	wordLPop, wordRPop                        = []byte("LPOP"), []byte("RPOP")
	wordLMove, wordLeft, wordRight            = []byte("LMOVE"), []byte("LEFT"), []byte("RIGHT")
	wordZPopMin, wordZPopMax                  = []byte("ZPOPMIN"), []byte("ZPOPMAX")

	wordXAdd, wordXTrim, wordXClaim, wordXGroup = []byte("XADD"), []byte("XTRIM"), []byte("XCLAIM"), []byte("XGROUP")
	wordMaxLen, wordMinID, wordEqual            = []byte("MAXLEN"), []byte("MINID"), []byte("=")
	wordDelRef, wordAcked                       = []byte("DELREF"), []byte("ACKED")
	wordZero, wordTime, wordRetryCount          = []byte("0"), []byte("TIME"), []byte("RETRYCOUNT")
	wordForce, wordJustID, wordLastID           = []byte("FORCE"), []byte("JUSTID"), []byte("LASTID")
	wordCreateConsumer, wordSetID               = []byte("CREATECONSUMER"), []byte("SETID")
	wordEntriesRead                             = []byte("ENTRIESREAD")
)

// decimal returns the text of n.
func decimal(n int64) []byte { return strconv.AppendInt(nil, n, 10) }

// setEffect tells that key holds the string val now, until the deadline at, or as long as before with
// store.KeepDeadline.
func (c *Call) setEffect(key, val []byte, at int64) {
	switch c.told = true; {
	case !c.Feeding():
	case at == store.Forever:
		c.Effect(wordSet, key, val)
	case at == store.KeepDeadline:
		c.Effect(wordSet, key, val, wordKeepTTL)
	default:
		c.Effect(wordSet, key, val, wordPXAt, decimal(at))
	}
}

// deadlineEffect tells that key has the deadline at now, or is gone if that has passed.
func (c *Call) deadlineEffect(key []byte, at int64) {
	switch c.told = true; {
	case !c.Feeding():
	case c.Tx.Past(at):
		c.Effect(wordDel, key)
	case at == store.Forever:
		c.Effect(wordPersist, key)
	default:
		c.Effect(wordPExpireAt, key, decimal(at))
	}
}

// maxEffectArgs is how many elements one effect names at most.
const maxEffectArgs = 1024

// effectOn tells that the request with that name, for the key and what follows, does again what was done. Many arguments
// are spread over several requests, an even number in each.
func (c *Call) effectOn(name, key []byte, rest [][]byte) {
	c.told = true
	if !c.Feeding() {
		return
	}
	for len(rest) > 0 {
		n := min(len(rest), maxEffectArgs)
		c.Effect(append([][]byte{name, key}, rest[:n]...)...)
		rest = rest[n:]
	}
}

// fieldList gathers the fields that have changed: their names only if somebody wants to know.
type fieldList struct {
	n      int
	fields [][]byte
}

func (l *fieldList) add(c *Call, field []byte) {
	l.n++
	if c.Feeding() {
		l.fields = append(l.fields, field)
	}
}

// fieldDeadlineEffect tells that fields of the hash at the first argument have the deadline at now, or are gone if that
// has passed.
func (c *Call) fieldDeadlineEffect(at int64, fields [][]byte) {
	c.told = true
	if !c.Feeding() {
		return
	}
	key, n := c.Args[1], decimal(int64(len(fields)))
	switch {
	case c.Tx.Past(at):
		c.effectOn(wordHDel, key, fields)
	case at == store.Forever:
		c.Effect(append([][]byte{wordHPersist, key, wordFields, n}, fields...)...)
	default:
		c.Effect(append([][]byte{wordHPExpireAt, key, decimal(at), wordFields, n}, fields...)...)
	}
}
