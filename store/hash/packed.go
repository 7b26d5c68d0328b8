package hash

import "github.com/streampulse/pulse/store/listpack"

// Packed returns the bytes of a hash that is a listpack and nothing more: none of its fields has a deadline. They are the
// hash's own. There is one form only.
func (v *Hash) Packed() (form byte, b []byte, ok bool) {
	return 0, v.pack, v.table == nil && v.pack != nil && !v.times.any()
}

// Unpack makes v the hash of the bytes that Packed returned. The hash keeps b and its capacity; an empty b makes an empty
// hash which will use that capacity first. A hash that is only read does not write to b.
func (v *Hash) Unpack(_ byte, b []byte) {
	*v = Hash{pack: b}
	if len(b) == 0 {
		v.pack = listpack.In(b)
	}
}

// Compact gives back memory a small hash does not use.
func (v *Hash) Compact() {
	if v.table == nil && v.pack != nil {
		v.pack = v.pack.Clone()
	}
}
