package server

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"reflect"

	"github.com/streampulse/pulse/internal/resp"
)

// ErrProtocol is what ParseReply returns for what is no reply.
var ErrProtocol = errors.New("invalid request")

// Simple is a status.
type Simple string

// ParseReply reads one reply. A status is a Simple, a string a string, an integer an int, a number a float64, a missing value nil,
// an array, set or push a []any, and a map a map[any]any. An error reply is returned as the error; the end of the input, also in the
// middle of a reply, is io.EOF.
func ParseReply(rd *bufio.Reader) (any, error) {
	v, err := resp.Decode(rd)
	switch {
	case err == nil && v.Type == '-':
		return nil, errors.New(string(v.Str))
	case err == nil:
		return value(v), nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, io.EOF
	}
	return nil, ErrProtocol
}

func value(v resp.Value) any {
	switch {
	case v.Null:
		return nil
	case v.Type == '+':
		return Simple(v.Str)
	case v.Type == '-' || v.Type == '!':
		return errors.New(string(v.Str))
	case v.Type == ':':
		return int(v.Int)
	case v.Type == '#':
		return v.Int == 1
	case v.Type == ',':
		return v.Float
	case v.Type == '%':
		m := make(map[any]any, len(v.Elems)/2)
		for i := 0; i+1 < len(v.Elems); i += 2 {
			k := value(v.Elems[i])
			if t := reflect.TypeOf(k); t != nil && !t.Comparable() {
				k = fmt.Sprint(k) // Go has no such keys
			}
			m[k] = value(v.Elems[i+1])
		}
		return m
	case v.Type == '*' || v.Type == '~' || v.Type == '>':
		list := make([]any, len(v.Elems))
		for i, e := range v.Elems {
			list[i] = value(e)
		}
		return list
	}
	return string(v.Str)
}
