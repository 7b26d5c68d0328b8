//go:build !unix

package load

// descriptors tells whether this process may have n files open; here nobody knows.
func descriptors(int) error { return nil }
