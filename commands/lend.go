package commands

import (
	"github.com/streampulse/pulse/store"
	"github.com/streampulse/pulse/store/hash"
)

// Large strings are not copied into the reply: it refers to their bytes in the store (docs/design/0011). That is worth its
// while where a reply may consist of the whole string; elsewhere, and where a reply is not on its way to a client (scripts,
// those who waited), it is written with Bulk.

// bulkText writes part, a part of the string that Tx.Text has returned for key.
func (c *Call) bulkText(key, part []byte) {
	if len(part) >= store.LendMin && c.Lends() {
		if l := c.Tx.Lend(key, part); l != nil {
			c.BulkRef(part, l)
			return
		}
	}
	c.Bulk(part)
}

// bulkField writes the value of a field of v, the hash at key.
func (c *Call) bulkField(key []byte, v *hash.Hash, field, value []byte) {
	if len(value) >= store.LendMin && c.Lends() {
		if b, l := c.Tx.LendField(key, v, field); l != nil {
			c.BulkRef(b, l)
			return
		}
	}
	c.Bulk(value)
}
