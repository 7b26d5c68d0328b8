// Package native turns replies into values of Go, as those who test with miniredis get them.
package native

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/streampulse/pulse/internal/resp"
)

// Of returns the value of a reply: an int, a float64, a bool, nil, an error, a []any for an array, set or push, a map[any]any for a
// map, and a string for every other; status makes the value of a status.
func Of(v resp.Value, status func(string) any) any {
	switch {
	case v.Null:
		return nil
	case v.Type == '+':
		return status(string(v.Str))
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
		for pair := range slices.Chunk(v.Elems, 2) {
			k := Of(pair[0], status)
			if t := reflect.TypeOf(k); t != nil && !t.Comparable() {
				k = fmt.Sprint(k) // Go has no such keys
			}
			m[k] = Of(pair[1], status)
		}
		return m
	case v.Type == '*' || v.Type == '~' || v.Type == '>':
		list := make([]any, len(v.Elems))
		for i, e := range v.Elems {
			list[i] = Of(e, status)
		}
		return list
	}
	return string(v.Str)
}
