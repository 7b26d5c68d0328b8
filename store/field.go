package store

// Field returns the value of a field of the hash at key, for a command that looks into many hashes: it holds on to none.
// found is false if there is no such field or key, or if the key holds something else. What is an integer in memory is
// written over scratch. The result is valid until Unlock.
func (tx *Tx) Field(key, field, scratch []byte) (val []byte, found bool) {
	n := tx.hashes.n
	v, err := tx.Hash(key, Read)
	if err != nil {
		return nil, false
	}
	val, found = v.Get(field, scratch)
	tx.hashes.n = n // a copy that only reads is free again
	return val, found
}
