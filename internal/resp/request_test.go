package resp

import (
	"slices"
	"strings"
	"testing"
)

// TestAppendRequest reads back what was made, of strings and of bytes.
func TestAppendRequest(t *testing.T) {
	for _, args := range [][]string{{"PING"}, {"SET", "", "a\r\nb"}, {"ECHO", strings.Repeat("x", 12_345)}} {
		var list [][]byte
		for _, a := range args {
			list = append(list, []byte(a))
		}
		b := AppendRequest([]byte("before"), args...)
		if string(AppendRequest([]byte("before"), list...)) != string(b) {
			t.Errorf("%.40q: strings and bytes differ", args)
		}
		var r Reader
		got, n, err := r.Next(b[len("before"):], &Limits{Authenticated: true})
		if err != nil || n != len(b)-len("before") || !slices.EqualFunc(got, args, func(a []byte, s string) bool { return string(a) == s }) {
			t.Errorf("%.40q: %.40q, %d bytes, %v", args, got, n, err)
		}
	}
}
