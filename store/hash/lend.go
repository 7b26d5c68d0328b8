package hash

import (
	"sync/atomic"

	"github.com/streampulse/pulse/store/arena"
)

// Lend returns the large value of field, to be read until the loan is returned, whatever becomes of the Hash. The loan is nil if
// the value is too small to be lent. account is that of arena.Lend.
func (v *Hash) Lend(field []byte, account *atomic.Int64) ([]byte, *arena.Loan) {
	if v == nil || v.table == nil {
		return nil, nil
	}
	return v.table.Lend(field, account)
}

// Abandon tells that the Hash is being dropped: what is lent is its readers' memory from now on.
func (v *Hash) Abandon() {
	if v != nil && v.table != nil {
		v.table.Abandon()
	}
}
