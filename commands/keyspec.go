package commands

import (
	"bytes"

	"github.com/streampulse/pulse/internal/num"
)

// KeyFlags tell what a command does with a key, as COMMAND INFO prints them.
type KeyFlags uint16

const (
	RO KeyFlags = 1 << iota
	RW
	OW
	RM
	Access
	Update
	Insert
	Delete
	NotKey
	Incomplete
	VariableFlags
)

var keyFlagNames = []struct {
	f    KeyFlags
	name string
}{
	{RO, "RO"}, {RW, "RW"}, {OW, "OW"}, {RM, "RM"}, {Access, "access"}, {Update, "update"}, {Insert, "insert"},
	{Delete, "delete"}, {NotKey, "not_key"}, {Incomplete, "incomplete"}, {VariableFlags, "variable_flags"},
}

// KeySpec says where keys stand among the arguments, in the terms of Redis's key specifications.
type KeySpec struct {
	Flags KeyFlags
	// Unknown is for keys that these terms cannot find. The row's MoreKeys finds them if arguments name them; if they are
	// made of what values contain, its Strays says so.
	Unknown bool
	// Begin: at the argument after Keyword, searched from position From (negative: backwards from the end), or,
	// without a Keyword, at position Index.
	Index   int
	Keyword string
	From    int
	// Find: with NumKeys, the number of keys stands at Begin+NumAt, the first key at Begin+First; otherwise the keys
	// reach to Begin+Last (negative Last: counted from the end of the arguments; if Limit > 1, only the first
	// 1/Limit of them). Every Step-th argument is a key.
	NumKeys bool
	None    bool // with NumKeys: the number may be 0
	NumAt   int
	First   int
	Last    int
	Step    int
	Limit   int
}

// First is one key at position 1.
func First(f KeyFlags) []KeySpec { return []KeySpec{At(1, f)} }

// At is one key at position i.
func At(i int, f KeyFlags) KeySpec { return KeySpec{Flags: f, Index: i, Step: 1} }

// Range is every step-th argument from position first to last; a negative last counts from the end.
func Range(first, last, step int, f KeyFlags) KeySpec {
	if last >= 0 {
		last -= first
	}
	return KeySpec{Flags: f, Index: first, Last: last, Step: step}
}

// Counted is a number of keys at position i with the keys behind it.
func Counted(i int, f KeyFlags) KeySpec {
	return KeySpec{Flags: f, Index: i, NumKeys: true, First: 1, Step: 1}
}

// Unknown is keys of which only the use is known.
func Unknown(f KeyFlags) KeySpec { return KeySpec{Flags: f, Unknown: true} }

// After is one key behind a keyword that is searched from position from.
func After(keyword string, from int, f KeyFlags) KeySpec {
	return KeySpec{Flags: f, Keyword: keyword, From: from, Step: 1}
}

// positions appends the positions of the keys among args. ok is false if the arguments do not fit the
// specification; a keyword that is absent fits.
func (k *KeySpec) positions(args [][]byte, dst []int) (out []int, ok bool) {
	if k.Unknown {
		return dst, true
	}
	begin := k.Index
	if k.Keyword != "" {
		if begin = k.find(args); begin < 0 {
			return dst, true
		}
	}
	if begin >= len(args) {
		return dst, k.Keyword != ""
	}
	last := begin + k.Last
	switch {
	case k.NumKeys:
		if begin+k.NumAt >= len(args) {
			return dst, false
		}
		n, ok := num.ParseInt(args[begin+k.NumAt])
		begin += k.First
		if ok && n == 0 && k.None {
			return dst, true
		}
		if !ok || n < 1 || n > int64(len(args)) {
			return dst, false
		}
		last = begin + (int(n)-1)*k.Step
	case k.Last < 0:
		last = len(args) + k.Last
		if k.Limit > 1 {
			last = begin + (len(args)-begin)/k.Limit + k.Last
		}
	}
	if last >= len(args) {
		return dst, false
	}
	for i := begin; i <= last; i += k.Step {
		dst = append(dst, i)
	}
	return dst, true
}

func (k *KeySpec) find(args [][]byte) int {
	step, i := 1, k.From
	if i < 0 {
		step, i = -1, len(args)+i
	}
	for ; i > 0 && i < len(args); i += step {
		if len(args[i]) == len(k.Keyword) && bytes.EqualFold(args[i], []byte(k.Keyword)) {
			return i + 1
		}
	}
	return -1
}

// KeyPos is a key among the arguments and what the command does with it.
type KeyPos struct {
	Pos   int
	Flags KeyFlags
}

// KeyPositions appends the positions of all keys of a request to dst; ok is false if the arguments do not fit the
// command's key specifications.
func (s *Spec) KeyPositions(args [][]byte, dst []KeyPos) (out []KeyPos, ok bool) {
	var buf [16]int
	for i := range s.Keys {
		k := &s.Keys[i]
		if k.Flags&NotKey != 0 {
			continue
		}
		ps, ok := k.positions(args, buf[:0])
		if !ok {
			return dst, false
		}
		flags := k.Flags
		if flags&VariableFlags != 0 {
			flags = s.KeyUse(args)
		}
		for _, p := range ps {
			dst = append(dst, KeyPos{p, flags})
		}
	}
	if s.MoreKeys != nil {
		dst = s.MoreKeys(args, dst)
	}
	return dst, true
}

// Reach is KeyPositions for whoever must know all keys that a request can touch: whole is false if it may touch others
// than those, because arguments do not fit or because their names are in no argument.
func (s *Spec) Reach(args [][]byte, dst []KeyPos) (out []KeyPos, whole bool) {
	out, ok := s.KeyPositions(args, dst)
	return out, ok && (s.Strays == nil || !s.Strays(args))
}

// isOneKey returns the position of the key if every request of the command has exactly one, at a fixed position.
func isOneKey(keys []KeySpec) int {
	if len(keys) == 1 && keys[0].Keyword == "" && !keys[0].NumKeys && keys[0].Last == 0 && keys[0].Flags&NotKey == 0 {
		return keys[0].Index
	}
	return 0
}
