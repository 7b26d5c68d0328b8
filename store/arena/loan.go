package arena

import "sync/atomic"

// A Loan is what others hold of a dedicated block: they read its bytes after the lock that guards the arena was given back,
// and say when they are done. While there are such readers the owner of the block must not write into what it has lent
// (Lent); it may free the block, whose memory then lives for as long as somebody reads.
//
// All readers of a block share its Loan. Return may be called by anybody at any time, once for each time it was lent.
type Loan struct {
	state   atomic.Int64 // twice the number of readers, plus one if the block is gone
	bytes   int64        // of the block
	account *atomic.Int64
}

// Dedicated is the size in bytes from which on a block has memory of its own, which can be lent.
const Dedicated = dedicated

// Lend counts one more reader of block r, whose size is at least Dedicated bytes. If the block goes before its readers do, its
// size is in account for as long as there are any; a block has one account.
func (a *Arena) Lend(r Ref, account *atomic.Int64) *Loan {
	c := &a.chunks[r>>offBits]
	if c.loan == nil {
		c.loan = &Loan{bytes: int64(len(c.b)), account: account}
		a.lent++
	}
	c.loan.state.Add(2)
	return c.loan
}

// Lent reports whether somebody reads block r, whose size is at least Dedicated bytes. If not, nobody will until it is lent again.
func (a *Arena) Lent(r Ref) bool {
	l := a.chunks[r>>offBits].loan
	return l != nil && l.state.Load() > 1
}

// Return ends what Lend began; the bytes are not read any more. A nil Loan has nothing to return.
func (l *Loan) Return() {
	if l != nil && l.state.Add(-2) == 1 {
		l.account.Add(-l.bytes)
	}
}

// abandon tells that the block is gone. What follows is the readers' memory.
func (l *Loan) abandon() {
	// Whoever returns the last part sees the mark, or is seen to have returned it.
	if l.state.Or(1) > 1 {
		l.account.Add(l.bytes)
	}
}

// Abandon tells that the arena is being dropped as a whole: no block of it is the owner's any more.
func (a *Arena) Abandon() {
	if a.lent == 0 {
		return
	}
	for i := range a.chunks {
		if l := a.chunks[i].loan; l != nil {
			l.abandon()
			a.chunks[i].loan = nil
		}
	}
	a.lent = 0
}
