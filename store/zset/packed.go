package zset

import "github.com/streampulse/pulse/store/listpack"

// Packed returns the bytes of a sorted set that is a listpack; they are the set's own. There is one form only.
func (z *ZSet) Packed() (form byte, b []byte, ok bool) { return 0, z.pack, z.large == nil }

// Unpack makes z the sorted set of the bytes that Packed returned. The set keeps b and its capacity; an empty b makes an
// empty set which will use that capacity first. A set that is only read does not write to b.
func (z *ZSet) Unpack(_ byte, b []byte) {
	*z = ZSet{pack: b}
	if len(b) == 0 {
		z.pack = listpack.In(b)
	}
}

// Compact gives back memory a small sorted set does not use.
func (z *ZSet) Compact() {
	if z.large == nil {
		z.pack = z.pack.Clone()
	}
}
