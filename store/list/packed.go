package list

import "github.com/streampulse/pulse/store/listpack"

// Packed returns the bytes of a list that is one listpack; they are the list's own. There is one form only.
func (l *List) Packed() (form byte, b []byte, ok bool) {
	if l.q != nil {
		return 0, nil, false
	}
	return 0, l.one[0].lp(), true
}

// Unpack makes l the list of the bytes that Packed returned. The list keeps b and its capacity; an empty b makes an empty
// list which will use that capacity first. A list that is only read does not write to b.
func (l *List) Unpack(_ byte, b []byte) {
	*l = List{}
	if len(b) == 0 {
		b = listpack.In(b)
	}
	l.one[0] = node{buf: b, n: uint32(listpack.Listpack(b).Len())}
}

// Compact gives back memory a small list does not use.
func (l *List) Compact() {
	if l.q == nil {
		l.one[0] = l.one[0].clone()
	}
}
