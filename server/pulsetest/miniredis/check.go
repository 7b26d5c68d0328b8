package miniredis

import (
	"slices"
)

// T is what the checks need of a testing.T.
type T interface {
	Helper()
	Errorf(string, ...interface{})
}

// CheckGet calls Errorf unless there is a string with that value.
func (m *Miniredis) CheckGet(t T, key, expected string) {
	t.Helper()
	switch got, err := m.Get(key); {
	case err != nil:
		t.Errorf("GET error, key %#v: %v", key, err)
	case got != expected:
		t.Errorf("GET error, key %#v: expected %#v, got %#v", key, expected, got)
	}
}

// CheckList calls Errorf unless there is a list of these elements.
func (m *Miniredis) CheckList(t T, key string, expected ...string) {
	t.Helper()
	got, err := m.List(key)
	if err != nil && (err != ErrKeyNotFound || len(expected) > 0) {
		t.Errorf("List error, key %#v: %v", key, err)
		return
	}
	if !slices.Equal(got, expected) {
		t.Errorf("List error, key %#v: expected %#v, got %#v", key, expected, got)
	}
}

// CheckSet calls Errorf unless there is a set of these members, in any order.
func (m *Miniredis) CheckSet(t T, key string, expected ...string) {
	t.Helper()
	got, err := m.Members(key)
	if err != nil && (err != ErrKeyNotFound || len(expected) > 0) {
		t.Errorf("Set error, key %#v: %v", key, err)
		return
	}
	expected = slices.Clone(expected)
	slices.Sort(expected)
	if !slices.Equal(got, expected) {
		t.Errorf("Set error, key %#v: expected %#v, got %#v", key, expected, got)
	}
}
