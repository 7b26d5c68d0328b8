package store

// The 24 access bits of a block tell how recently, or how often, its key is used. Which of the two depends on the
// policy in force; after a change of policy the old bits are read as the new kind until the key is used again, as in
// Redis.
//
//	recency    seconds u24
//	frequency  minutes u16 | counter u8
//
// The counter is logarithmic: an access raises it with a probability that falls as it grows, and it falls by one for
// each lfu-decay-time minutes without an access. It follows Redis's published rules, so lfu-log-factor means the same.
const (
	accessMask = 1<<24 - 1
	lfuNew     = 5 // counter of a new key: it must not be the first to go before it could be used
	lfuMax     = 255
)

func accessOf(b []byte) uint32 { return uint32(b[5]) | uint32(b[6])<<8 | uint32(b[7])<<16 }

func setAccess(b []byte, a uint32) { b[5], b[6], b[7] = byte(a), byte(a>>8), byte(a>>16) }

// access is what the block of a new key records.
func (tx *Tx) access() uint32 {
	if tx.s.memory.lfu.Load() {
		return tx.minutes()<<8 | lfuNew
	}
	return uint32(tx.wall/1000) & accessMask
}

// used is what the block of e, if it has one, records once its key was used now.
func (tx *Tx) used(e *entry) uint32 {
	if e.b == nil || !tx.s.memory.lfu.Load() {
		return tx.access()
	}
	return tx.minutes()<<8 | tx.raised(tx.frequency(accessOf(e.b)))
}

// kept is what the block of e, if it has one, records already: its key was touched when it was looked up.
func (tx *Tx) kept(e *entry) uint32 {
	if e.b == nil {
		return tx.access()
	}
	return accessOf(e.b)
}

// touch renews the access bits of e, which has a block.
func (tx *Tx) touch(e *entry) { setAccess(e.b, tx.used(e)) }

func (tx *Tx) minutes() uint32 { return uint32(tx.wall/60_000) & 0xffff }

// idle returns the seconds since the access that a records.
func (tx *Tx) idle(a uint32) int64 { return int64((uint32(tx.wall/1000) - a) & accessMask) }

// frequency returns the counter in a, less what it has lost since.
func (tx *Tx) frequency(a uint32) uint32 {
	n := a & 0xff
	decay := uint32(max(tx.s.memory.lfuDecay.Load(), 0))
	if decay == 0 {
		return n
	}
	return n - min(n, (tx.minutes()-a>>8)&0xffff/decay)
}

// raised returns the counter n after an access.
func (tx *Tx) raised(n uint32) uint32 {
	if n == lfuMax {
		return n
	}
	above := 0.0
	if n > lfuNew {
		above = float64(n - lfuNew)
	}
	if tx.rand.Float64()*(above*float64(tx.s.memory.lfuFactor.Load())+1) < 1 {
		n++
	}
	return n
}

// CountsAccesses reports whether keys remember how often they are used, and not when.
func (s *Store) CountsAccesses() bool { return s.memory.lfu.Load() }

// SetIdle makes the last access of key seconds ago, if recency is recorded; RESTORE IDLETIME. Seconds are clamped to what
// the bits can tell.
func (tx *Tx) SetIdle(key []byte, seconds int64) {
	if e := tx.find(key); e.b != nil && !tx.s.memory.lfu.Load() {
		setAccess(e.b, uint32(tx.wall/1000-min(max(seconds, 0), accessMask))&accessMask)
	}
}

// SetFrequency makes n the counter of key, if frequency is recorded; RESTORE FREQ.
func (tx *Tx) SetFrequency(key []byte, n uint8) {
	if e := tx.find(key); e.b != nil && tx.s.memory.lfu.Load() {
		setAccess(e.b, tx.minutes()<<8|uint32(n))
	}
}
