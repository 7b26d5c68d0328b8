package dict

import (
	"sync/atomic"

	"github.com/streampulse/pulse/store/arena"
)

// Lend returns the value of key, to be read until the loan is returned: it is not overwritten before, whatever becomes of the
// Dict. The loan is nil if there is no such key, or if its block is too small to be lent. account is that of arena.Lend.
func (d *Dict) Lend(key []byte, account *atomic.Int64) ([]byte, *arena.Loan) {
	p := d.find(hash(key), key)
	if p.b == nil || p.size < arena.Dedicated {
		return nil, nil
	}
	return p.value(p.b), d.blocks.Lend(p.ref, account)
}

// Abandon tells that the Dict is being dropped: what is lent is its readers' memory from now on.
func (d *Dict) Abandon() { d.blocks.Abandon() }

func (d *Dict) lent(p *place) bool { return p.size >= arena.Dedicated && d.blocks.Lent(p.ref) }
